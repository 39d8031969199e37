package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newWhy(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "why EVENT_ID",
		Short: "Tell why an event waits",
		Long: `Why tells for each group of an event's channel why it is where it is: how many come
before it, which event has its key, which limit is full, used up or throttled and until when,
who works on it, or that no worker is there. --json prints the answer of
GET /v1/events/{event_id}/why as it is.`,
		Example: `  id=$(baton publish --channel questions why --json | jq -r .event_id)
  baton why $id`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return why(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f)
	return cmd
}

func why(ctx context.Context, t *terminal, f *target, id string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	answer, err := h.Why(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		return printRaw(t.out, answer.Raw)
	}
	for i := range answer.Groups {
		g := &answer.Groups[i]
		_, _ = fmt.Fprintf(t.out, "group %s: %s, %s\n", clean(g.Group), g.State, saysWhy(g))
	}
	if len(answer.Groups) == 0 {
		_, _ = fmt.Fprintln(t.out, "no group works on it")
	}
	return nil
}

// saysWhy is a reason in words.
func saysWhy(g *client.WhyGroup) string {
	limit := fmt.Sprintf("limit %s", clean(cmp.Or(g.Limit+slash(g.LimitKey), "?")))
	switch g.Reason {
	case "in_line":
		return saysInLine(g)
	case "key_busy":
		return fmt.Sprintf("its key is busy with event %s, and %d stand before it", g.BusyWith, g.Ahead)
	case "limit_line":
		return fmt.Sprintf("it stands in line for %s behind %d", limit, g.Ahead)
	case "limit_full":
		return fmt.Sprintf("%s is full, %d of %d in flight, and %d stand before it", limit, g.InFlight, g.MaxInFlight, g.Ahead)
	case "limit_permit":
		return fmt.Sprintf("it waits for a place in %s, which another partition keeps, and %d stand before it", limit, g.Ahead)
	case "limit_rate":
		return fmt.Sprintf("%s is out of its rate until %s, and %d stand before it", limit, at(g.Until), g.Ahead)
	case "limit_throttled":
		return fmt.Sprintf("%s is throttled until %s, and %d stand before it", limit, at(g.Until), g.Ahead)
	case "tenant_in_flight":
		return fmt.Sprintf("its tenant has %d of %d leases", g.InFlight, g.MaxInFlight)
	case "tenant_rate":
		return "its tenant is out of its rate until " + at(g.Until)
	case "delayed":
		return "until " + at(g.Until)
	case "leased":
		return fmt.Sprintf("by %s on %s since %s, attempt %d", clean(cmp.Or(g.Worker, "a worker")), clean(g.Node), at(g.Since), g.Attempt)
	case "parked":
		return fmt.Sprintf("since %s, lost at %s", at(g.Since), at(g.Until))
	case "ended":
		return "nothing is to come" + colon(clean(g.Ended))
	default:
		return g.Reason
	}
}

// saysInLine is for an event that waits for a worker.
func saysInLine(g *client.WhyGroup) string {
	text := fmt.Sprintf("%d of its tenant come before it", g.Ahead)
	switch {
	case g.Workers == nil:
		return text
	case *g.Workers == 0:
		return text + ", and no worker is there for its channel and group"
	case g.Credit != nil && *g.Credit == 0:
		return fmt.Sprintf("%s, and none of %d workers has credit free", text, *g.Workers)
	default:
		return fmt.Sprintf("%s, of %d workers", text, *g.Workers)
	}
}

func slash(key string) string {
	if key == "" {
		return ""
	}
	return "/" + key
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
