package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

type notifyFlags struct {
	target

	broadcast client.Broadcast
	timeout   time.Duration
}

func newNotify(t *terminal) *cobra.Command {
	var f notifyFlags
	cmd := &cobra.Command{
		Use:   "notify --to CLIENT_ID,... NAME [DATA|-]",
		Short: "Tell clients something, wherever they are",
		Long: `Notify puts the same notification into the streams of several clients, and returns
when all of them have it. Who is connected gets it at once, the others when they come.

DATA is as in publish. The notification has an idempotency key, made up unless you give
one: with the same key again nobody is told twice.`,
		Example: `  baton notify --to ana,ben maintenance '{"minutes":5}'
  baton notify --to ana --idempotency-key invoice-7 invoice - < invoice.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return notify(cmd.Context(), t, &f, args)
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.broadcast.ClientIDs, "to", nil, "clients to notify (required) `(id,...)`")
	flags.StringVar(&f.broadcast.IdempotencyKey, "idempotency-key", "", "makes notifying twice tell once")
	flags.StringVar(&f.broadcast.CorrelationID, "correlation-id", "", "lineage to join (default the idempotency key)")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to try")
	mustRequire(cmd, "to")
	return cmd
}

func notify(ctx context.Context, t *terminal, f *notifyFlags, args []string) (err error) {
	f.broadcast.Name = args[0]
	if f.broadcast.Data, err = argument(t.in, args[1:]); err != nil {
		return err
	}
	c, err := f.dial(ctx, f.options())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	receipt, err := c.Broadcast(ctx, f.broadcast)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, receipt)
	}
	note := ""
	if receipt.Duplicate {
		note = "\nThis idempotency key was used before: nobody was told again."
	}
	_, err = fmt.Fprintf(t.out, "notified, correlation %s%s\n", receipt.CorrelationID, note)
	return err
}
