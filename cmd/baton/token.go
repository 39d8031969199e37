package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newToken(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "token",
		Aliases: []string{"tokens"},
		Short:   "Make, list and revoke API keys",
		Long: `An API key is a token that the cluster made. It says whose it is (tenant, client
id), what its holder may be (roles) and which channels it is good for.

These verbs need a token with the role admin. The first one is the content of the
file that nodes are started with: baton serve --admin-key-file.`,
		Example: `  export BATON_TOKEN=$(cat admin.key)
  baton token create --role worker --work 'mail.*' --publish 'mail.*'
  baton token ls`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with tokens: %s create, ls or revoke", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newTokenCreate(t), newTokenLs(t), newTokenRevoke(t))
	return cmd
}

func newTokenCreate(t *terminal) *cobra.Command {
	var f target
	var said client.Token
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "create --role ROLE [flags]",
		Short: "Make an API key; it is shown this once",
		Long: `Create makes an API key and prints it. The cluster keeps its hash only: nobody can
show it again.

Channels are given as names, or as beginnings of names with a * behind them:
'mail.*' is every channel that begins with mail., and '*' is all. What is not given
is not allowed.`,
		Example: `  baton token create --tenant acme --role worker --work 'mail.*' --publish 'mail.*'
  baton token create --tenant acme --role client --client-id ana --publish questions
  baton token create --tenant acme --role client --client-id '*' --publish '*' --name backend
  baton token create --tenant acme --role admin --expires 24h
  baton token create --tenant '*' --role worker --work embeddings`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if expires < 0 {
				return misuse("--expires must not be negative")
			}
			if expires > 0 {
				said.ExpiresAt = time.Now().Add(expires).UnixMilli()
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			said.Tenant = f.tenant
			made, err := h.CreateToken(cmd.Context(), said)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(t.out, made)
			}
			_, _ = fmt.Fprintf(t.err, "token %s of tenant %s; keep it, it is not shown again:\n", made.ID, clean(made.Tenant))
			_, _ = fmt.Fprintln(t.out, made.Token)
			return nil
		},
	}
	addTarget(cmd, &f)
	addClientID(cmd, &f, "")
	flags := cmd.Flags()
	flags.Lookup("client-id").Usage = "the client that the holder is, or * for whichever it says; with --role client"
	flags.StringSliceVar(&said.Roles, "role", nil, "client, worker or admin; can be repeated")
	flags.StringSliceVar(&said.Publish, "publish", nil, "channels to publish to, and to emit to; can be repeated")
	flags.StringSliceVar(&said.Work, "work", nil, "channels to work on; can be repeated")
	flags.StringSliceVar(&said.Follow, "follow", nil, "channels to follow; can be repeated")
	flags.StringVar(&said.Name, "name", "", "what it is for, for lists and logs")
	flags.DurationVar(&expires, "expires", 0, "for how long it is good (default for ever)")
	cmd.PreRun = func(*cobra.Command, []string) { said.ClientID = f.clientID }
	return cmd
}

func newTokenLs(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List API keys, without their secrets",
		Example: `  baton token ls --tenant acme
  baton token ls --json | jq -r '.tokens[] | select(.revoked_at == null) | .id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			tokens, raw, err := h.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "ID\tTENANT\tROLES\tCLIENT\tNAME\tSTATE")
			for i := range tokens {
				k := &tokens[i]
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
					clean(k.ID), clean(k.Tenant), strings.Join(k.Roles, ","), clean(k.ClientID), clean(k.Name), tokenState(k))
			}
			return table.Flush()
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func tokenState(k *client.Token) string {
	day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
	switch {
	case k.RevokedAt != 0:
		return "revoked " + day(k.RevokedAt)
	case k.ExpiresAt != 0:
		return "until " + day(k.ExpiresAt)
	default:
		return "good"
	}
}

func newTokenRevoke(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "End an API key: its connections are closed within seconds",
		Example: `  baton token revoke 0d1m2p3q4r5s6`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			if err := h.RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(t.out, "token %s is revoked\n", clean(args[0]))
			return nil
		},
	}
	addTarget(cmd, &f)
	return cmd
}
