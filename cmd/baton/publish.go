package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/internal/invariants"
)

type publishFlags struct {
	target

	event   client.Event
	headers []string
	timeout time.Duration
}

func newPublish(t *terminal) *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "publish --channel C [flags] [DATA|-]",
		Short: "Store an event",
		Long: `Publish stores one event in a channel, and returns once it is replicated to a
majority and fsynced there.

DATA that is one JSON value is the event's data; other text becomes a JSON
string, anything else bytes (data_base64). With - it is read from standard
input. Without DATA the data is null.

The event has an idempotency key, made up unless you give one: the same key
again stores nothing and answers with the first event.`,
		Example: `  baton publish --channel questions '{"text":"why is the sky blue?"}'
  baton publish --channel questions --client-id ana --key ana why
  baton publish --channel questions --priority 9 'is the house on fire?'
  baton publish --channel images --idempotency-key upload-7 - < cat.png`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return publish(cmd.Context(), t, &f, args)
		},
	}
	addTarget(cmd, &f.target)
	addClientID(cmd, &f.target, "whose event it is; the answer goes to this client")
	flags := cmd.Flags()
	flags.StringVar(&f.event.Channel, "channel", "", "channel to publish in (required)")
	flags.StringVar(&f.event.Key, "key", "", "partition key: events of one key keep their order (default the client id)")
	flags.StringVar(&f.event.IdempotencyKey, "idempotency-key", "", "makes publishing twice store once")
	flags.StringVar(&f.event.CorrelationID, "correlation-id", "", "lineage to join (default a new one)")
	flags.Uint8Var(&f.event.Priority, "priority", 0, "how urgent the event is, 0 to 9: each step doubles its share among the tenant's own")
	flags.DurationVar(&f.event.Delay, "delay", 0, "how long to keep the event from workers")
	flags.DurationVar(&f.event.TTL, "ttl", 0, "for how long the event is worth working on (default for ever)")
	flags.StringVar(&f.event.OnEnd, "on-end", "", "notify --client-id under this name when all has ended that the event led to")
	flags.StringArrayVar(&f.headers, "header", nil, "header of the event, repeatable `(name=value)`")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to try")
	mustRequire(cmd, "channel")
	return cmd
}

func publish(ctx context.Context, t *terminal, f *publishFlags, args []string) error {
	var err error
	if f.event.Headers, err = parseHeaders(f.headers); err != nil {
		return err
	}
	if f.event.Data, err = argument(t.in, args); err != nil {
		return err
	}
	c, err := f.dial(ctx, f.options())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	receipt, err := c.Publish(ctx, f.event)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, receipt)
	}
	note := ""
	if receipt.Duplicate {
		note = "\nThis idempotency key was used before: nothing new was stored."
	}
	_, err = fmt.Fprintf(t.out, "event %s, correlation %s, offset %d%s\n", receipt.EventID, receipt.CorrelationID, receipt.Offset, note)
	return err
}

// maxInput bounds what is read from standard input.
const maxInput = 64 << 20

func argument(in io.Reader, args []string) (any, error) {
	switch {
	case len(args) == 0:
		return nil, nil
	case args[0] != "-":
		return dataOf([]byte(args[0]))
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading standard input: %w", err)
	case len(raw) > maxInput:
		return nil, misuse("standard input is longer than %d bytes", maxInput)
	}
	return dataOf(raw)
}

func parseHeaders(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	headers := make(map[string]string, len(list))
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, misuse("--header %q must look like name=value", text)
		}
		headers[name] = value
	}
	return headers, nil
}

// mustRequire marks flags as required.
func mustRequire(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		err := cmd.MarkFlagRequired(name)
		invariants.Check(err == nil, "a verb requires only flags that it defines: %v", err)
	}
}
