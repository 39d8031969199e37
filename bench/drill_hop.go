package bench

import (
	"context"
	"errors"
	"time"
)

const (
	hopPairs    = 5
	hopLength   = 5 * time.Second
	hopWarmUp   = time.Second
	hopInFlight = 256
	hopRate     = 300 // of the open loop, in runs per second
	hopSteps    = 3
	// hopRatio is what workflows may cost, in times of what plain channels do.
	hopRatio = 1.5
)

// hopPair is a plain pipeline, and the same as a workflow.
type hopPair struct{ plain, workflow []float64 }

func (p *hopPair) note(plain, workflow float64) {
	p.plain, p.workflow = append(p.plain, plain), append(p.workflow, workflow)
}

// hop alternates between plain pipelines and workflows: in closed loop for the
// throughput, in open loop for the time from one step to the next.
func (d *drill) hop(ctx context.Context) error {
	var runs, p50, p99 hopPair
	wrong := 0
	for pair := range d.count(hopPairs, 1) {
		for _, note := range []struct {
			change func(*Config)
			of     func(plain, workflow *Result)
		}{
			{func(c *Config) { c.InFlight = hopInFlight }, func(a, b *Result) { runs.note(a.Throughput, b.Throughput) }},
			{func(c *Config) { c.Rate = hopRate }, func(a, b *Result) {
				p50.note(a.Hop.P50, b.Hop.P50)
				p99.note(a.Hop.P99, b.Hop.P99)
			}},
		} {
			plain, workflow, err := d.hopPair(ctx, pair, note.change)
			if err != nil {
				return err
			}
			note.of(plain, workflow)
			for _, one := range []*Result{plain, workflow} {
				wrong += one.Missing + one.Duplicates + one.Strange + one.Failed
			}
		}
	}
	for _, line := range []struct {
		name, unit string
		pair       *hopPair
	}{{"runs", "runs/s", &runs}, {"hop p50", "ms", &p50}, {"hop p99", "ms", &p99}} {
		d.figure(line.name+", plain channels", median(line.pair.plain), line.unit)
		d.figure(line.name+", workflow", median(line.pair.workflow), line.unit)
	}
	d.exactly("runs that failed, did not end, or ended twice", wrong, 0)
	d.atMost("runs per second, plain to workflow", median(runs.plain)/median(runs.workflow), hopRatio, "times")
	d.atMost("p50 of a hop, workflow to plain", median(p50.workflow)/median(p50.plain), hopRatio, "times")
	d.atMost("p99 of a hop, workflow to plain", median(p99.workflow)/median(p99.plain), hopRatio, "times")
	return nil
}

// hopPair runs both; every other time the workflow goes first, so that neither always has
// the fuller disk.
func (d *drill) hopPair(ctx context.Context, pair int, change func(*Config)) (plain, workflow *Result, err error) {
	config := Config{
		Nodes: d.config.Nodes, Token: d.config.Token, Steps: hopSteps, WarmUp: d.length(hopWarmUp, 100*time.Millisecond),
		Duration: d.length(hopLength, 300*time.Millisecond), Drain: time.Minute, Size: 256, Clients: 24, Workers: 3, Credit: 128, Hops: true,
	}
	change(&config)
	results := make(map[bool]*Result, 2)
	for _, config.Workflow = range []bool{pair%2 == 1, pair%2 == 0} {
		if results[config.Workflow], err = Pipeline(ctx, config); err != nil {
			return nil, nil, err
		}
	}
	plain, workflow = results[false], results[true]
	if plain.Throughput == 0 || workflow.Throughput == 0 {
		return nil, nil, errors.New("nothing came back while measuring")
	}
	d.say("%s loop: plain %.0f/s, hop p50 %.2f ms, p99 %.2f ms; workflow %.0f/s, p50 %.2f ms, p99 %.2f ms", plain.Loop,
		plain.Throughput, plain.Hop.P50, plain.Hop.P99, workflow.Throughput, workflow.Hop.P50, workflow.Hop.P99)
	return plain, workflow, nil
}
