package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newDeadlettersShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "show EVENT_ID",
		Short: "Show a dead letter with its data and every attempt",
		Long: `Show prints why an event failed for good, what it carries, and each attempt:
who worked on it, when, and with which error. --json prints the answer of
GET /v1/deadletters/{event_id} as it is.`,
		Example: `  baton deadletters show $id
  baton deadletters show $id --json | jq '.dead_letters[0].data'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return deadlettersShow(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f)
	return cmd
}

func deadlettersShow(ctx context.Context, t *terminal, f *target, id string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	answer, err := h.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		return printRaw(t.out, answer.Raw)
	}
	for i := range answer.DeadLetters {
		d := &answer.DeadLetters[i]
		_, _ = fmt.Fprintf(t.out, "event %s in %s/%s: %s, code %s\n", d.EventID, clean(d.Channel), clean(d.Group), d.Reason, clean(d.Code))
		_, _ = fmt.Fprintf(t.out, "correlation %s, key %s, client %s\n", clean(d.CorrelationID), clean(d.Key), clean(d.ClientID))
		if d.RunID != "" {
			_, _ = fmt.Fprintf(t.out, "run %s of workflow %s, step %s%s\n", d.RunID, clean(d.Workflow), clean(d.Step), itemOf(d.Item))
		}
		_, _ = fmt.Fprintf(t.out, "published %s, died %s, redrivable %v, edited %v\n", at(d.Time), at(d.DeadAt), d.Redrivable, d.Edited)
		printAttempts(t.out, d.Attempts)
		printData(t.out, &d.EventInfo)
	}
	return nil
}

// itemOf names a map's item, where there is one.
func itemOf(item int) string {
	if item == 0 {
		return ""
	}
	return fmt.Sprintf(", item %d", item)
}

func at(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

func printAttempts(w io.Writer, attempts []client.EventAttempt) {
	for i := range attempts {
		a := &attempts[i]
		_, _ = fmt.Fprintf(w, "  attempt %d %s at %s", a.Attempt, a.Outcome, at(a.EndedAt))
		if a.Worker != "" {
			_, _ = fmt.Fprintf(w, " by %s after %d ms", clean(a.Worker), a.EndedAt-a.LeasedAt)
		}
		if a.Code != "" || a.Message != "" {
			_, _ = fmt.Fprintf(w, ": %s %s", clean(a.Code), clean(a.Message))
		}
		if a.Note != "" {
			_, _ = fmt.Fprintf(w, " (%s)", clean(a.Note))
		}
		_, _ = fmt.Fprintln(w)
	}
}

func printData(w io.Writer, e *client.EventInfo) {
	if e.DataBase64 != nil {
		_, _ = fmt.Fprintf(w, "data: %d bytes\n", len(e.DataBase64))
		return
	}
	_, _ = fmt.Fprintf(w, "data: %s\n", clean(string(e.Data)))
}
