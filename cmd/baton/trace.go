package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newTrace(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "trace CORRELATION_ID",
		Short: "Show what happened to an event and all it led to",
		Long: `Trace prints the lineage of a correlation id as a timeline: each event, who
worked on it, in which attempt and for how long, what it emitted, and when the
notification was delivered and acknowledged; at its end, whether all has ended or
how much is still open, counted in each group. --json prints the answer of
GET /v1/traces/{id} as it is.`,
		Example: `  id=$(baton publish --channel questions why --json | jq -r .correlation_id)
  baton trace $id`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return trace(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f)
	return cmd
}

func trace(ctx context.Context, t *terminal, f *target, id string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	answer, err := h.Trace(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		return printRaw(t.out, answer.Raw)
	}
	return printTrace(t.out, answer)
}

func printTrace(w io.Writer, answer *client.Trace) error {
	marks := slices.Clone(answer.Marks)
	slices.SortStableFunc(marks, func(a, b client.TraceMark) int { return int(a.Time - b.Time) })
	_, _ = fmt.Fprintf(w, "correlation %s, tenant %s, %d events\n", clean(answer.CorrelationID), clean(answer.Tenant), len(answer.Events))
	if len(marks) > 0 {
		_, _ = fmt.Fprintf(w, "begun %s\n", time.UnixMilli(marks[0].Time).UTC().Format(time.RFC3339Nano))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range marks {
		m := &marks[i]
		_, _ = fmt.Fprintf(table, "%+d ms\t%s\t%s\t%s\t%s\n", m.Time-marks[0].Time, m.Mark, clean(m.Channel), m.EventID, details(m))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w, "\nevents:")
	for i := range answer.Events {
		e := &answer.Events[i]
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\toffset %d\t%d bytes%s\n", e.EventID, clean(e.Channel), e.State, e.Offset, e.Bytes, states(e))
	}
	if answer.Truncated {
		_, _ = fmt.Fprintln(table, "  (there are more)")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	standing := "the lineage has ended"
	if !answer.Ended {
		standing = fmt.Sprintf("%d open", answer.Open)
	}
	_, err := fmt.Fprintln(w, "\n"+standing)
	return err
}

// states are an event's states by group, where it is in another than default.
func states(e *client.TraceEvent) string {
	var parts []string
	for _, group := range slices.Sorted(maps.Keys(e.Groups)) {
		parts = append(parts, clean(group)+" "+e.Groups[group])
	}
	if len(parts) == 0 {
		return ""
	}
	return "\t" + strings.Join(parts, ", ")
}

// details are the fields that a mark has beside its event.
func details(m *client.TraceMark) string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, clean(value)))
		}
	}
	if m.Group != "default" {
		add("group %s", m.Group)
	}
	if m.Attempt > 0 {
		add("attempt %s", fmt.Sprint(m.Attempt))
	}
	add("worker %s", m.Worker)
	add("node %s", m.Node)
	if m.DurationMS != nil {
		add("%s ms", fmt.Sprint(*m.DurationMS))
	}
	add("emitted %s", m.Emitted)
	if m.Partition != nil {
		add("to partition %s", fmt.Sprint(*m.Partition))
	}
	add("client %s", m.ClientID)
	add("device %s", m.DeviceID)
	add("name %s", m.Name)
	if m.Seq > 0 {
		add("seq %s", fmt.Sprint(m.Seq))
	}
	add("code %s", m.Code)
	add("%q", m.Message)
	add("detail %s", string(m.Detail))
	add("usage %s", string(m.Usage))
	return strings.Join(parts, ", ")
}
