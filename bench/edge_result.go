package bench

import (
	"fmt"
	"io"
)

// EdgeResult is what the run measured.
type EdgeResult struct {
	Scenario string      `json:"scenario"`
	Run      string      `json:"run"`
	Size     int         `json:"size_bytes"`
	InFlight int         `json:"in_flight"`
	Rows     []EdgeRow   `json:"rows,omitempty"`
	Slow     *SlowResult `json:"slow,omitempty"`
}

// EdgeRow is one server in one direction.
type EdgeRow struct {
	Direction string `json:"direction"` // in or out
	// Server is the program and how it was spoken to.
	Server      string `json:"server"`
	Connections int    `json:"connections"` // that publish, or that follow
	// Messages were acknowledged (in) or delivered (out) while measuring, for Seconds.
	Messages  int64   `json:"messages"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"messages_per_second"`
	// CPUSeconds are those of the server's process, user and system; 0 where it is
	// unknown, and then so is what follows from it.
	CPUSeconds   float64 `json:"cpu_seconds"`
	PerCPUSecond float64 `json:"messages_per_cpu_second"`
	// Mallocs is how many objects the server allocated for each message; nil where
	// it does not tell.
	Mallocs *float64 `json:"mallocs_per_message,omitempty"`
	// Missing is what did not come within the drain time, of what was delivered.
	Missing int64 `json:"missing"`
}

// OK tells whether everything came.
func (r *EdgeResult) OK() bool {
	for i := range r.Rows {
		if r.Rows[i].Missing != 0 {
			return false
		}
	}
	return r.Slow == nil || r.Slow.Calm.Failed == 0 && r.Slow.Hanging.Failed == 0
}

// rowOf is the row of what happened between two looks at a server.
func rowOf(before, after *edgeUse, connections int, messages int64) EdgeRow {
	row := EdgeRow{Connections: connections, Messages: messages, Seconds: after.at.Sub(before.at).Seconds()}
	row.PerSecond = ratio(float64(messages), row.Seconds)
	row.CPUSeconds = after.cpu - before.cpu
	row.PerCPUSecond = ratio(float64(messages), row.CPUSeconds)
	if after.mallocs > 0 && messages > 0 {
		mallocs := (after.mallocs - before.mallocs) / float64(messages)
		row.Mallocs = &mallocs
	}
	return row
}

// ratio is a by b, 0 where there is no b.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// Print writes the result for people.
func (r *EdgeResult) Print(w io.Writer) error {
	if len(r.Rows) > 0 {
		_, _ = fmt.Fprintf(w, "%d bytes of data, %d in flight on each connection that publishes\n\n", r.Size, r.InFlight)
		_, _ = fmt.Fprintf(w, "%-4s %-32s %6s %12s %10s %14s %9s %8s\n",
			"", "", "conns", "messages/s", "CPU s", "per CPU s", "mallocs", "missing")
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		_, _ = fmt.Fprintf(w, "%-4s %-32s %6d %12.0f %10s %14s %9s %8d\n", row.Direction, row.Server, row.Connections, row.PerSecond,
			known(row.CPUSeconds, "%.2f"), known(row.PerCPUSecond, "%.0f"), row.mallocs(), row.Missing)
	}
	if r.Slow == nil {
		return nil
	}
	if len(r.Rows) > 0 {
		_, _ = fmt.Fprintln(w)
	}
	return r.Slow.print(w)
}

// known is a figure, or a dash where it was not to be had.
func known(value float64, format string) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

func (r *EdgeRow) mallocs() string {
	if r.Mallocs == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *r.Mallocs)
}
