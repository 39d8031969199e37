package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

type followFlags struct {
	target

	from    string
	name    string
	count   int
	timeout time.Duration
}

func newFollow(t *terminal) *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:   "follow CHANNEL [flags]",
		Short: "Print every event of a channel",
		Long: `Follow prints the events of a channel, one a line, as they are published. Every
follower gets every event, whatever workers do with it; events of one key come in
the order in which they were published.

--from says where to begin: new (with what comes from now on, the default),
earliest, a time such as 2026-01-02T15:04:05Z, a duration ago such as 10m, or a
cursor, as --json prints one with each event.

With --name the cluster keeps how far the follower is: each event is committed when
it is printed, and who follows under that name later, through whichever node, goes
on there; --from is for a name that is new. Without --tenant the events of all
tenants are printed, where no token says otherwise.`,
		Example: `  baton follow orders
  baton follow orders --from earliest --json | jq .data
  baton follow orders --name audit --from 1h
  baton follow orders --count 10 --timeout 30s`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return follow(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "where to begin: new, earliest, a time, a duration ago or a cursor (default new)")
	flags.StringVar(&f.name, "name", "", "have the cluster keep how far the follower of this name is")
	flags.IntVar(&f.count, "count", 0, "stop after so many events (0 for never)")
	flags.DurationVar(&f.timeout, "timeout", 0, "stop after this time (0 for never); without the whole count the exit code is 1")
	return cmd
}

func follow(ctx context.Context, t *terminal, f *followFlags, channel string) error {
	options := client.FollowOptions{Channel: channel, Name: f.name}
	parseFollowFrom(&options, f.from, time.Now())
	if f.count < 0 {
		return misuse("--count must not be negative")
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	c, err := f.dial(ctx, f.options())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	p := &printer{out: t.out, json: f.json}
	options.OnGap = p.followGap
	seen := 0
	err = c.Follow(ctx, options, func(_ context.Context, e *client.FollowedEvent) error {
		if printErr := p.event(e); printErr != nil {
			return printErr
		}
		if seen++; seen == f.count {
			return client.ErrStop
		}
		return nil
	})
	switch {
	case err == nil || (ctx.Err() != nil && f.count == 0):
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		_, _ = fmt.Fprintf(t.err, "baton follow: %d of %d events came within %v\n", seen, f.count, f.timeout)
		return errSilent
	case errors.Is(err, context.Canceled):
		return nil
	default:
		return err
	}
}

// parseFollowFrom reads --from. What is no word and no time is taken for a cursor,
// which the cluster judges.
func parseFollowFrom(o *client.FollowOptions, text string, now time.Time) {
	if text == "" || text == string(client.FromNew) || text == string(client.FromEarliest) {
		o.From = client.From(text)
		return
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		o.Since = at
	} else if ago, err := time.ParseDuration(text); err == nil {
		o.Since = now.Add(-ago.Abs())
	} else {
		o.Cursor = text
	}
}

// eventLine is an event as --json prints it: the protocol's fields.
type eventLine struct {
	Type           string            `json:"type"`
	Cursor         string            `json:"cursor"`
	EventID        string            `json:"event_id"`
	ClientID       string            `json:"client_id,omitempty"`
	Tenant         string            `json:"tenant"`
	Time           int64             `json:"time"`
	Channel        string            `json:"channel"`
	IdempotencyKey string            `json:"idempotency_key,omitempty"`
	CorrelationID  string            `json:"correlation_id"`
	CausationID    string            `json:"causation_id"`
	Key            string            `json:"key"`
	ClientSeq      uint64            `json:"client_seq,omitempty"`
	DeliverAt      int64             `json:"deliver_at,omitempty"`
	TTLMS          int64             `json:"ttl_ms,omitempty"`
	Headers        map[string]string `json:"headers,omitempty"`
	ContentType    string            `json:"content_type,omitempty"`
	Data           *client.Payload   `json:"data,omitempty"`
	DataBase64     []byte            `json:"data_base64,omitempty"`
}

func (p *printer) event(e *client.FollowedEvent) error {
	if !p.json {
		_, err := fmt.Fprintf(p.out, "%s %s %s %s\n",
			e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), e.EventID, clean(e.Key), readable(e.Data))
		return err
	}
	line := eventLine{
		Type: "event", Cursor: e.Cursor, EventID: e.EventID, ClientID: e.ClientID, Tenant: e.Tenant, Time: e.Time.UnixMilli(),
		Channel: e.Channel, IdempotencyKey: e.IdempotencyKey, CorrelationID: e.CorrelationID, CausationID: e.CausationID, Key: e.Key,
		ClientSeq: e.ClientSeq, TTLMS: e.TTL.Milliseconds(), Headers: e.Headers, ContentType: e.ContentType,
	}
	if !e.DeliverAt.IsZero() {
		line.DeliverAt = e.DeliverAt.UnixMilli()
	}
	if e.Data.IsBytes() {
		line.DataBase64 = e.Data.Bytes()
	} else {
		line.Data = &e.Data
	}
	return printJSON(p.out, line)
}

func (p *printer) followGap() {
	if p.json {
		_ = printJSON(p.out, map[string]any{"type": "gap", "reason": "trimmed"})
		return
	}
	_, _ = fmt.Fprintln(p.out, "gap: events were deleted before this follower came to them")
}
