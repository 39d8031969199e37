package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newChannel(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "channel",
		Aliases: []string{"channels"},
		Short:   "Look at channels, and give them settings",
		Long: `A channel needs no declaration: it is there with its first event. It can have
settings: its lease, retries, order, retention and groups.`,
		Example: `  baton channel ls
  baton channel set questions --lease 30s --max-attempts 3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with channels: %s ls, show, set or reset", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newChannelLs(t), newChannelShow(t), newChannelSet(t), newChannelReset(t))
	return cmd
}

func newChannelLs(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the tenant's channels with what waits in them",
		Example: `  baton channel ls
  baton channel ls --json | jq -r '.channels[].channel'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			channels, raw, err := h.Channels(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "CHANNEL\tGROUP\tWAITING\tLEASED\tSTORED")
			for i := range channels {
				for _, g := range channels[i].Groups {
					_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\n", clean(channels[i].Channel), clean(g.Group), g.Waiting, g.Leased, channels[i].Stored)
				}
			}
			return table.Flush()
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newChannelShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "show CHANNEL",
		Short: "Show a channel's settings, and what waits in each group",
		Example: `  baton channel show questions
  baton channel show questions --json | jq .settings`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			channel, raw, err := h.Channel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			return printChannel(t.out, channel)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newChannelReset(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "reset CHANNEL",
		Short:   "Take a channel's settings back; its groups stay",
		Example: `  baton channel reset questions`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			channel, err := h.ResetChannel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return sayChannel(t, &f, channel)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

// sayChannel prints a channel as it is after a change.
func sayChannel(t *terminal, f *target, channel *client.Channel) error {
	if f.json {
		return printJSON(t.out, channel)
	}
	return printChannel(t.out, channel)
}

func printChannel(w io.Writer, channel *client.Channel) error {
	s := channel.Settings
	_, _ = fmt.Fprintf(w, "channel %s, settings of version %d, %d events stored, %d kept in %d bytes\n",
		clean(channel.Channel), channel.Version, channel.Stored, channel.Kept, channel.Bytes)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if s != nil {
		for _, row := range []struct {
			name  string
			value any
		}{
			{"lease", span(s.LeaseMS)},
			{"max attempts", *s.MaxAttempts},
			{"max lease losses", orAny(*s.MaxLeaseLosses)},
			{"backoff", span(s.BackoffMS) + " to " + span(s.MaxBackoffMS)},
			{"order", *s.Order},
			{"on disconnect", *s.OnDisconnect},
			{"fan out", *s.FanOut},
			{"retention", span(s.RetentionMS)},
			{"retention bytes", orAny(*s.RetentionBytes)},
			{"retain", *s.Retain},
			{"dead letter channel", orNone(s.DeadLetterChannel)},
		} {
			_, _ = fmt.Fprintf(table, "  %s\t%v\n", row.name, row.value)
		}
	}
	for _, g := range channel.Groups {
		_, _ = fmt.Fprintf(table, "  group %s\t%d waiting, %d leased\n", clean(g.Group), g.Waiting, g.Leased)
	}
	return table.Flush()
}

func span(ms *uint64) string {
	return (time.Duration(min(*ms, uint64(1<<53))) * time.Millisecond).String()
}

// orNone is a name, where one is given.
func orNone(name *string) string {
	if name == nil || *name == "" {
		return "none"
	}
	return clean(*name)
}

// orAny is a limit of which 0 means none.
func orAny(n uint64) string {
	if n == 0 {
		return "any"
	}
	return fmt.Sprint(n)
}
