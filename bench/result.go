package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a run measured. Times are milliseconds.
type Result struct {
	Scenario string   `json:"scenario"`
	Run      string   `json:"run"`
	Nodes    []string `json:"nodes"`
	Loop     string   `json:"loop"` // open or closed
	Steps    int      `json:"steps"`
	Workflow bool     `json:"workflow,omitempty"` // the steps are a workflow's
	Size     int      `json:"size_bytes"`
	Clients  int      `json:"clients"`
	Workers  int      `json:"workers_per_step"`
	Credit   int      `json:"credit"`
	Rate     float64  `json:"rate,omitempty"`      // wanted events per second
	InFlight int      `json:"in_flight,omitempty"` // of a closed loop
	Seconds  float64  `json:"seconds"`             // measured, without warm-up and drain

	Published    int `json:"published"`
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"`
	Notified     int `json:"notified"`
	Missing      int `json:"missing"`
	Duplicates   int `json:"duplicates"`
	Strange      int `json:"strange"`
	// Retried is how many jobs came in a second attempt or a later one.
	Retried int `json:"retried"`

	// Throughput is how many events per second came back while measuring.
	Throughput float64    `json:"throughput"`
	PublishAck Percentile `json:"publish_ack_ms"`
	EndToEnd   Percentile `json:"end_to_end_ms"`
	// Hop is the time from a step's worker to the next one's: zero where it was not measured.
	Hop Percentile `json:"hop_ms,omitzero"`

	// Probes of the same machine: zero where they were not made.
	Commit Percentile `json:"single_commit_ms"`
	Sync   Percentile `json:"append_fdatasync_4k_ms"`
}

// Percentile is a latency distribution, in milliseconds.
type Percentile struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
}

func percentiles(h *hdrhistogram.Histogram) Percentile {
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Percentile{
		Count: h.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000,
	}
}

// OK tells whether every acknowledged event came back exactly once, and nothing
// failed.
func (r *Result) OK() bool { return r.Missing == 0 && r.Duplicates == 0 && r.Strange == 0 }

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	load := fmt.Sprintf("%.0f events/s wanted", r.Rate)
	if r.Loop == "closed" {
		load = fmt.Sprintf("%d in flight", r.InFlight)
	}
	_, _ = fmt.Fprintf(w, "pipeline of %d steps, %s loop, %s, %d bytes, %d clients, %d workers per step (credit %d), %d nodes, %v\n\n",
		r.Steps, r.Loop, load, r.Size, r.Clients, r.Workers, r.Credit, len(r.Nodes), time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
	_, _ = fmt.Fprintf(w, "published %d, acknowledged %d, failed %d, notified %d, missing %d, duplicates %d, strange %d, retried jobs %d\n",
		r.Published, r.Acknowledged, r.Failed, r.Notified, r.Missing, r.Duplicates, r.Strange, r.Retried)
	_, _ = fmt.Fprintf(w, "throughput %.0f events/s\n\n", r.Throughput)
	_, _ = fmt.Fprintf(w, "%-22s %9s %9s %9s %9s %9s %9s\n", "milliseconds", "p50", "p90", "p99", "p99.9", "max", "count")
	for _, line := range []struct {
		name string
		p    Percentile
	}{
		{"publish to ack", r.PublishAck},
		{"end to end", r.EndToEnd},
		{"a hop", r.Hop},
		{"single commit", r.Commit},
		{"4 KB append, fdatasync", r.Sync},
	} {
		if line.p.Count == 0 {
			continue
		}
		_, _ = fmt.Fprintf(w, "%-22s %9.3f %9.3f %9.3f %9.3f %9.3f %9d\n",
			line.name, line.p.P50, line.p.P90, line.p.P99, line.p.P999, line.p.Max, line.p.Count)
	}
	return r.printRatios(w)
}

// printRatios sets the latency against the yardsticks of the same run.
func (r *Result) printRatios(w io.Writer) error {
	if r.Commit.P50 <= 0 || r.Sync.P50 <= 0 || r.EndToEnd.Count == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nend to end p50 = %.1f single commits = %.1f fdatasyncs\n", r.EndToEnd.P50/r.Commit.P50, r.EndToEnd.P50/r.Sync.P50)
	return err
}
