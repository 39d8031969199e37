package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newTenant(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tenant",
		Aliases: []string{"tenants"},
		Short:   "Make, list and remove tenants",
		Long: `A tenant sees nothing of another: not its events, clients, dead letters or tokens.
API keys are made for tenants that are listed here; default is always there. Whoever
signs JWTs says their tenants, which need not be listed.

These verbs need a token with the role admin for all tenants.`,
		Example: `  baton tenant create acme
  baton token create --tenant acme --role worker --work '*'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with tenants: %s create, ls, show, set or rm", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newTenantCreate(t), newTenantLs(t), newTenantShow(t), newTenantSet(t), newTenantRm(t))
	return cmd
}

func newTenantCreate(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a tenant; one that is there stays",
		Example: `  baton tenant create acme`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			if err := h.CreateTenant(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(t.out, "tenant %s is there\n", clean(args[0]))
			return nil
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newTenantLs(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the tenants",
		Example: `  baton tenant ls
  baton tenant ls --json | jq -r '.tenants[].tenant'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			tenants, raw, err := h.Tenants(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			for _, tenant := range tenants {
				_, _ = fmt.Fprintln(t.out, clean(tenant.Tenant))
			}
			return nil
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newTenantRm(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "rm NAME",
		Short:   "Remove a tenant and revoke its tokens; its events stay until their retention ends",
		Example: `  baton tenant rm acme`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			revoked, err := h.DeleteTenant(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(t.out, "tenant %s is removed, %d tokens are revoked\n", clean(args[0]), revoked)
			return nil
		},
	}
	addTarget(cmd, &f)
	return cmd
}
