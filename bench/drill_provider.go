package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

// The provider: models answer calls, and one of them refuses all for a while, as with
// status 429.
const (
	providerRate   = 100 // calls of each model per second
	providerPhase  = 10 * time.Second
	providerLeast  = 300 * time.Millisecond
	providerRetry  = 500 * time.Millisecond // what a refusal asks for
	providerPlaces = 64                     // calls of a model at a time
	providerCall   = 5 * time.Millisecond
	// providerBeside is the share of its throughput that the other model keeps,
	// providerBack how much later than asked for the first good call may be.
	providerBeside = 0.9
	providerBack   = 250 * time.Millisecond

	refusingModel = "refusing"
	otherModel    = "other"
)

// provider has a workflow call two models, behind a limit with a key for each.
func (d *drill) provider(ctx context.Context) error {
	if err := d.applyProvider(ctx); err != nil {
		return err
	}
	book := &providerBook{drill: d, models: map[string]*modelBook{
		refusingModel: {first: -1, latency: newHistogram()}, otherModel: {first: -1, latency: newHistogram()},
	}}
	c, err := d.hire(ctx, 4, client.WorkOptions{Channel: d.channel("call"), Credit: 32, Report: book.ended}, book.call)
	if err != nil {
		return err
	}
	err = d.providerPhases(ctx, c, book)
	if err = errors.Join(err, c.dismiss()); err != nil {
		return err
	}
	return d.providerTell(ctx, book)
}

func (d *drill) applyProvider(ctx context.Context) error {
	h, err := d.http()
	if err != nil {
		return err
	}
	definition := fmt.Sprintf(`workflow: bench.%s
start: {on: [%s]}
limits: {model: {key: event.data.model, max_in_flight: %d}}
steps:
  call: {channel: %s, limits: model, end: true}
`, d.run, d.channel("asked"), providerPlaces, d.channel("call"))
	if _, err = h.ApplyWorkflow(ctx, []byte(definition), client.ApplyOptions{Alias: "prod"}); err != nil {
		return fmt.Errorf("apply the workflow: %w", err)
	}
	return nil
}

// providerPhases publishes for both models, evenly, before, during and after the outage,
// and waits for the end of all.
func (d *drill) providerPhases(ctx context.Context, c *crew, book *providerBook) error {
	asking, err := d.dial(ctx, "")
	if err != nil {
		return err
	}
	length, published := d.length(providerPhase, providerLeast), 0
	for _, phase := range []providerPhaseName{providerBefore, providerDuring, providerAfter} {
		book.enter(phase)
		d.say("%s the outage, %v", phase, length)
		err = d.paced(ctx, 2*providerRate, length, func(_ int, due int64) error {
			model := []string{refusingModel, otherModel}[published%2]
			event := client.Event{
				Channel: d.channel("asked"), Key: fmt.Sprint("key-", published%backlogKeys),
				Data: providerAsk{Model: model, Number: published, Due: due},
			}
			published++
			return asking.PublishAsync(ctx, event, func(client.Receipt, error) {})
		})
		if err != nil {
			return err
		}
		if phase == providerDuring {
			if err = d.until(ctx, c, book.refusedAny); err != nil {
				return err
			}
			book.outageEnds()
		}
	}
	book.published = published
	if err = d.until(ctx, c, book.complete); err != nil {
		return err
	}
	return pause(ctx, settle)
}

// providerAsk is an event's data.
type providerAsk struct {
	Model  string `json:"model"`
	Number int    `json:"number"`
	Due    int64  `json:"due"`
}

type providerPhaseName string

const (
	providerBefore providerPhaseName = "before"
	providerDuring providerPhaseName = "during"
	providerAfter  providerPhaseName = "after"
)

// providerBook is the account of both models.
type providerBook struct {
	drill     *drill
	published int

	mu     sync.Mutex // guards the rest
	phase  providerPhaseName
	ends   int64 // of the outage
	models map[string]*modelBook
	done   int
	late   int // attempts beyond the first
	failed int
	twice  int
	seen   map[int]bool
}

// modelBook is the account of a model.
type modelBook struct {
	refused        int
	before, during int   // calls that were answered
	first          int64 // when the first was answered after the outage
	caughtUp       int64 // when the last one was answered that was asked for before its end
	latency        *hdrhistogram.Histogram
}

func (b *providerBook) enter(phase providerPhaseName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.phase = phase
}

func (b *providerBook) outageEnds() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.phase, b.ends = providerAfter, b.drill.now()
}

// refusedAny tells whether it was an outage.
func (b *providerBook) refusedAny() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.models[refusingModel].refused > 0
}

func (b *providerBook) complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done >= b.published
}

// call is the worker: it asks the provider.
func (b *providerBook) call(ctx context.Context, job *client.Job) error {
	var ask providerAsk
	if err := json.Unmarshal(job.Data.Bytes(), &ask); err != nil {
		return client.Permanent(err)
	}
	if b.refuses(&ask, job.Attempt) {
		return client.Throttled(providerRetry)
	}
	if err := pause(ctx, providerCall); err != nil {
		return err
	}
	b.answered(&ask)
	return nil
}

func (b *providerBook) refuses(ask *providerAsk, attempt int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if attempt > 1 {
		b.late++
	}
	if b.phase != providerDuring || ask.Model != refusingModel {
		return false
	}
	b.models[ask.Model].refused++
	return true
}

func (b *providerBook) answered(ask *providerAsk) {
	now := b.drill.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.models[ask.Model]
	switch b.phase {
	case providerBefore:
		m.before++
	case providerDuring:
		m.during++
		record(m.latency, now-ask.Due)
	case providerAfter:
		if m.first < 0 {
			m.first = now
		}
		if ask.Due < b.ends {
			m.caughtUp = now
		}
	}
}

func (b *providerBook) ended(job *client.Job, err error) {
	var ask providerAsk
	badData := json.Unmarshal(job.Data.Bytes(), &ask)
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused, ok := errors.AsType[*client.JobError](err); ok && refused.Throttled {
		return
	}
	if err != nil || badData != nil {
		b.failed++
		return
	}
	if b.seen == nil {
		b.seen = make(map[int]bool)
	}
	if b.seen[ask.Number] {
		b.twice++
		return
	}
	b.seen[ask.Number] = true
	b.done++
}

func (d *drill) providerTell(ctx context.Context, b *providerBook) error {
	h, err := d.http()
	if err != nil {
		return err
	}
	dead, err := h.DeadLetters(ctx, client.Letters{Channel: d.channel("call")})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	refusing, other := b.models[refusingModel], b.models[otherModel]
	outage := d.length(providerPhase, providerLeast)
	latency := percentiles(other.latency)
	d.figure("outage", outage.Seconds(), "s")
	d.figure("calls made during the outage", float64(refusing.refused), "")
	d.figure("first good call after it", float64(refusing.first-b.ends)/1e6, "ms")
	d.figure("what waited was answered after", float64(refusing.caughtUp-b.ends)/1e6, "ms")
	d.figure("other model before", float64(other.before)/outage.Seconds(), "calls/s")
	d.figure("other model during", float64(other.during)/outage.Seconds(), "calls/s")
	d.figure("other model's latency during, p50", latency.P50, "ms")
	d.figure("other model's latency during, p99", latency.P99, "ms")
	d.exactly("events answered", b.done, b.published)
	d.exactly("events answered twice", b.twice, 0)
	d.exactly("attempts burned", b.late, 0)
	d.exactly("jobs failed", b.failed, 0)
	d.exactly("dead letters", len(dead.DeadLetters), 0)
	// What was under way when it began, and then one call after each pause.
	most := float64(providerPlaces) + outage.Seconds()/providerRetry.Seconds() + 1
	d.atMost("a provider that refuses is left alone but for a call each pause", float64(refusing.refused), most, "calls")
	d.atMost("the first good call comes when it was asked to", float64(refusing.first-b.ends)/1e6,
		float64((providerRetry + providerBack).Milliseconds()), "ms")
	d.atLeast("the other model goes on", float64(other.during)/float64(max(other.before, 1)), providerBeside, "times")
	return nil
}
