package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/batonmq/baton/client"
)

// The outage: events of tenants pile up without workers, in a channel with order by key.
const (
	outageEvents  = 200_000
	outageTenants = 8
	outageKeys    = 64 // of each tenant
	// outageSample is how many events are of a short queue, whose rate before and after
	// the drain's is judged by.
	outageSample  = 20_000
	outageWorkers = 6
	outageCredit  = 64
	// outageRate is the share of the short queue's rate that the drain has to have,
	// outageShare by how much a tenant's share may differ from an even one.
	outageRate  = 0.8
	outageShare = 0.10
	// outageParts is how many parts the drain is told in.
	outageParts = 10
)

// outage lets a backlog pile up and has it worked off.
func (d *drill) outage(ctx context.Context) error {
	before, _, err := d.drain(ctx, "before", d.count(outageSample, 100))
	if err != nil {
		return err
	}
	rate, book, err := d.drain(ctx, "long", d.count(outageEvents, 400))
	if err != nil {
		return err
	}
	after, _, err := d.drain(ctx, "after", d.count(outageSample, 100))
	if err != nil {
		return err
	}
	d.figure("short queue, before", before, "events/s")
	d.figure("short queue, after", after, "events/s")
	d.figure("drain of the backlog", rate, "events/s")
	for i := range outageParts {
		d.figure(fmt.Sprintf("part %d of %d", i+1, outageParts), book.part(i), "events/s")
	}
	d.atLeast("a backlog drains at the rate of short queues", 2*rate/(before+after), outageRate, "times")
	share, counted := book.share()
	d.figure("events done while every tenant had work", float64(counted), "")
	d.atMost("tenants' shares differ from even ones", share, outageShare, "")
	book.tell(d)
	return nil
}

// drain fills a channel, and returns how many events were done each second once there
// were workers.
func (d *drill) drain(ctx context.Context, of string, events int) (rate float64, book *outageBook, err error) {
	channel, order := d.channel(of), "key"
	if err = d.change(ctx, channel, client.ChannelSettings{Order: &order}); err != nil {
		return 0, nil, err
	}
	names := make([]string, outageTenants)
	for i := range names {
		names[i] = fmt.Sprint("outage-", i)
	}
	clients, err := d.dialAll(ctx, names)
	if err != nil {
		return 0, nil, err
	}
	published, err := d.fill(ctx, clients, events, func(n int) client.Event {
		key := n / outageTenants % outageKeys
		return client.Event{Channel: channel, Key: fmt.Sprint("key-", key), Data: encodeEvent(minSize, n, 0)}
	})
	if err != nil {
		return 0, nil, err
	}
	d.say("%d events of %d tenants, published at %.0f/s; now the workers come", events, outageTenants, published)
	book = newOutageBook(events)
	c, err := d.hire(ctx, outageWorkers, client.WorkOptions{Channel: channel, Credit: outageCredit, Report: book.ended}, book.begin)
	if err != nil {
		return 0, nil, err
	}
	err = d.until(ctx, c, book.complete)
	if err == nil {
		err = pause(ctx, settle)
	}
	if err = errors.Join(err, c.dismiss()); err != nil {
		return 0, nil, err
	}
	rate = book.rate(0, events)
	d.say("drained at %.0f/s", rate)
	return rate, book, nil
}

// outageBook is the account of a drain. Event n is of tenant n mod outageTenants, and
// of one of its keys in turn.
type outageBook struct {
	mu       sync.Mutex // guards the rest
	times    []uint8    // how often each event was done, by number
	last     [outageTenants][outageKeys]int
	disorder int
	again    int // jobs in a second attempt or a later one
	strange  int
	failed   int
	done     int // each event once
	order    []outageDone
}

type outageDone struct {
	tenant int
	at     time.Time
}

func newOutageBook(events int) *outageBook {
	b := &outageBook{times: make([]uint8, events), order: make([]outageDone, 0, events)}
	for tenant := range b.last {
		for key := range b.last[tenant] {
			b.last[tenant][key] = -1
		}
	}
	return b
}

// begin is the worker: what is done in a key's order begins in it.
func (b *outageBook) begin(_ context.Context, job *client.Job) error {
	n, _, err := decodeEvent(job.Data.Bytes())
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= len(b.times) {
		b.strange++
		return nil
	}
	last := &b.last[n%outageTenants][n/outageTenants%outageKeys]
	switch {
	case job.Attempt > 1:
		b.again++
	case n <= *last:
		b.disorder++
	}
	*last = max(*last, n)
	return nil
}

// ended is told of each job's end.
func (b *outageBook) ended(job *client.Job, err error) {
	n, _, decodeErr := decodeEvent(job.Data.Bytes())
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || decodeErr != nil || n >= len(b.times) {
		b.failed++
		return
	}
	if b.times[n]++; b.times[n] == 1 {
		b.done++
		b.order = append(b.order, outageDone{n % outageTenants, time.Now()})
	}
}

func (b *outageBook) complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done == len(b.times)
}

// rate is how many events were done each second, from one to another.
func (b *outageBook) rate(from, to int) float64 {
	return float64(to-from-1) / b.order[to-1].at.Sub(b.order[from].at).Seconds()
}

// part is the rate of one of outageParts.
func (b *outageBook) part(i int) float64 {
	size := len(b.order) / outageParts
	return b.rate(i*size, (i+1)*size)
}

// share is by how much the share of the tenant that is furthest from an even one differs
// from it, of what was done while every tenant had work.
func (b *outageBook) share() (differs float64, counted int) {
	var left, done [outageTenants]int
	for tenant := range left {
		left[tenant] = (len(b.times) - tenant + outageTenants - 1) / outageTenants
	}
	for _, one := range b.order {
		counted++
		done[one.tenant]++
		if done[one.tenant] == left[one.tenant] {
			break
		}
	}
	even := float64(counted) / outageTenants
	for _, count := range done {
		differs = max(differs, float64(count)/even-1, 1-float64(count)/even)
	}
	return differs, counted
}

// tell notes the promises about counts.
func (b *outageBook) tell(d *drill) {
	lost, twice := 0, 0
	for _, times := range b.times {
		switch {
		case times == 0:
			lost++
		case times > 1:
			twice++
		}
	}
	d.figure("jobs in a second attempt", float64(b.again), "")
	d.exactly("events lost", lost, 0)
	d.exactly("events done twice", twice, 0)
	d.exactly("events out of their key's order", b.disorder, 0)
	d.exactly("jobs that failed, or were none of ours", b.failed+b.strange, 0)
}
