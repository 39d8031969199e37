package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

type listenFlags struct {
	target

	device  string
	resume  string
	count   int
	timeout time.Duration
}

func newListen(t *terminal) *cobra.Command {
	var f listenFlags
	cmd := &cobra.Command{
		Use:   "listen --client-id X [flags]",
		Short: "Receive a client's notifications",
		Long: `Listen prints the notifications of a client, in order, and acknowledges each one
that is printed. They are kept by the cluster until every device of the client
acknowledged them: what came while nobody listened comes first.

--resume says where to begin: stored (behind the device's last acknowledgement,
the default), live (with what comes from now on) or EPOCH:SEQ.`,
		Example: `  baton listen --client-id ana
  baton listen --client-id ana --device phone --resume live
  baton listen --client-id ana --count 1 --timeout 10s --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listen(cmd.Context(), t, &f) },
	}
	addTarget(cmd, &f.target)
	addClientID(cmd, &f.target, "whose notifications (required)")
	flags := cmd.Flags()
	flags.StringVar(&f.device, "device", "", "device of the client, with a cursor of its own (default \"default\")")
	flags.StringVar(&f.resume, "resume", "stored", "where to begin: stored, live or EPOCH:SEQ")
	flags.IntVar(&f.count, "count", 0, "stop after so many notifications (0 for never)")
	flags.DurationVar(&f.timeout, "timeout", 0, "stop after this time (0 for never); without the whole count the exit code is 1")
	mustRequire(cmd, "client-id")
	return cmd
}

func listen(ctx context.Context, t *terminal, f *listenFlags) error {
	options := f.options()
	options.DeviceID = f.device
	var err error
	if options.Resume, err = parseResume(f.resume); err != nil {
		return err
	}
	if f.count < 0 || f.clientID == "" {
		return misuse("--count must not be negative, --client-id not empty")
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	c, err := f.dial(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	p := &printer{out: t.out, json: f.json}
	seen := 0
	err = c.Listen(ctx, client.ListenOptions{OnGap: p.gap}, func(_ context.Context, n *client.Notification) error {
		if printErr := p.notification(n); printErr != nil {
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
		_, _ = fmt.Fprintf(t.err, "baton listen: %d of %d notifications came within %v\n", seen, f.count, f.timeout)
		return errSilent
	case errors.Is(err, context.Canceled):
		return nil
	default:
		return err
	}
}

func parseResume(text string) (client.Resume, error) {
	switch text {
	case "", "stored":
		return client.Resume{}, nil
	case "live":
		return client.ResumeLive(), nil
	}
	epoch, number, ok := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 53)
	if !ok || epoch == "" || err != nil {
		return client.Resume{}, misuse("--resume %q must be stored, live or EPOCH:SEQ", text)
	}
	return client.ResumeAfter(epoch, seq), nil
}

// printer writes what a stream brings.
type printer struct {
	out  io.Writer
	json bool
}

// notificationLine is a notification as --json prints it: the protocol's fields.
type notificationLine struct {
	Type          string          `json:"type"`
	Seq           uint64          `json:"seq"`
	Name          string          `json:"name"`
	EventID       string          `json:"event_id"`
	CorrelationID string          `json:"correlation_id"`
	CausationID   string          `json:"causation_id"`
	Time          int64           `json:"time"`
	Redelivered   bool            `json:"redelivered,omitempty"`
	Data          *client.Payload `json:"data,omitempty"`
	DataBase64    []byte          `json:"data_base64,omitempty"`
}

func (p *printer) notification(n *client.Notification) error {
	if !p.json {
		_, err := fmt.Fprintf(p.out, "%d %s %s\n", n.Seq, clean(n.Name), readable(n.Data))
		return err
	}
	line := notificationLine{
		Type: "notify", Seq: n.Seq, Name: n.Name, EventID: n.EventID, CorrelationID: n.CorrelationID,
		CausationID: n.CausationID, Time: n.Time.UnixMilli(), Redelivered: n.Redelivered,
	}
	if n.Data.IsBytes() {
		line.DataBase64 = n.Data.Bytes()
	} else {
		line.Data = &n.Data
	}
	return printJSON(p.out, line)
}

func (p *printer) gap(g client.Gap) {
	if p.json {
		_ = printJSON(p.out, map[string]any{"type": "gap", "from": g.From, "to": g.To, "reason": g.Reason})
		return
	}
	_, _ = fmt.Fprintf(p.out, "gap: %d to %d are gone (%s)\n", g.From, g.To, g.Reason)
}

// readable is data for people.
func readable(data client.Payload) string {
	if data.IsBytes() {
		return fmt.Sprintf("(%d bytes)", len(data.Bytes()))
	}
	return clean(data.String())
}
