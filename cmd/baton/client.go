package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newClient(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "client",
		Aliases: []string{"clients"},
		Short:   "See whether a client is connected, and how far its devices are",
		Example: `  baton client show ana`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say which client: %s show CLIENT_ID", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newClientShow(t))
	return cmd
}

func newClientShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "show CLIENT_ID",
		Short: "Show a client's devices: who is connected where, and what each has not acknowledged",
		Example: `  baton client show ana
  baton client show ana --json | jq .connected`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			presence, raw, err := h.Client(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			return printPresence(t.out, presence)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func printPresence(w io.Writer, p *client.Presence) error {
	state := "is not connected"
	if p.Connected {
		state = "is connected"
	}
	_, _ = fmt.Fprintf(w, "client %s %s; notifications up to %d, kept from %d\n", clean(p.ClientID), state, p.Seq, p.Oldest)
	if len(p.Devices) == 0 {
		_, err := fmt.Fprintln(w, "no device has acknowledged anything yet")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "DEVICE\tCONNECTED\tACKNOWLEDGED\tLAG\tLAST")
	for i := range p.Devices {
		d := &p.Devices[i]
		nodes, last := "no", "never"
		if d.Connected {
			nodes = clean(strings.Join(d.Nodes, ", "))
		}
		if d.AckedTime > 0 {
			last = time.UnixMilli(d.AckedTime).Format(time.DateTime)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", clean(d.DeviceID), nodes, d.Acked, d.Lag, last)
	}
	return table.Flush()
}
