package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

// The load: clientCount clients that publish every publishEvery each, which is
// 128 events a second, through steps with a worker connected to each node.
const (
	clientCount  = 16
	publishEvery = 125 * time.Millisecond
	lastStep     = 2
)

// load is clients and workers that go on all through a test, and what they saw.
type load struct {
	history history.Log

	sources []*source
	quiet   chan struct{} // closed when no more is to be published
	hush    sync.Once
	publish sync.WaitGroup // the goroutines that do
	sent    atomic.Int64
}

// source is a client that publishes and listens.
type source struct {
	name   string
	client *client.Client

	mu struct {
		sync.Mutex

		acks []ack
	}
}

// ack is an acknowledgement: when it came, and when it was asked for.
type ack struct{ asked, came time.Time }

// startLoad connects clients and workers, spread over the nodes.
func startLoad(t *testing.T, f *fleet.Fleet) *load {
	t.Helper()
	l := &load{quiet: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.stop()
		cancel()
		running.Wait()
	})
	for step := range lastStep {
		for i := range fleet.NodeCount {
			name := fmt.Sprintf("worker-%d-%d", step+1, i+1)
			w := fleet.Dial(t, client.Options{Nodes: f.URLs(i), InOrder: true, Name: name})
			running.Go(func() { fleet.Report(t, name, l.work(ctx, w, name, step+1)) })
		}
	}
	for i := range clientCount {
		name := fmt.Sprintf("client-%d", i+1)
		s := &source{name: name, client: fleet.Dial(t, client.Options{Nodes: f.URLs(i), InOrder: true, ClientID: name})}
		l.sources = append(l.sources, s)
		l.history.Add(history.Attached{Client: name})
		running.Go(func() { fleet.Report(t, name, fleet.Listen(ctx, &l.history, name, s.client)) })
		l.publish.Go(func() { l.publishAll(ctx, t, s) })
	}
	return l
}

func channel(step int) string { return fmt.Sprintf("step.%d", step) }

// work does the jobs of one step: the last one notifies, the others hand on.
func (l *load) work(ctx context.Context, c *client.Client, name string, step int) error {
	options := client.WorkOptions{Channel: channel(step), Credit: 8, Lease: fleet.Lease, Report: fleet.Reporter(&l.history, name)}
	return c.Work(ctx, options, func(_ context.Context, job *client.Job) error {
		l.history.Add(fleet.Granted(name, job))
		if step == lastStep {
			job.Notify("done", job.Data)
		} else {
			job.Emit(channel(step+1), job.Data)
		}
		return nil
	})
}

// publishAll publishes at its pace, whatever becomes of the answers.
func (l *load) publishAll(ctx context.Context, t *testing.T, s *source) {
	t.Helper()
	pace := time.NewTicker(publishEvery)
	defer pace.Stop()
	for i := 1; ; i++ {
		select {
		case <-l.quiet:
			return
		case <-pace.C:
		}
		if err := l.publishOne(ctx, s, fmt.Sprintf("%s-%d", s.name, i)); err != nil {
			fleet.Report(t, s.name, err)
			return
		}
	}
}

func (l *load) publishOne(ctx context.Context, s *source, key string) error {
	l.sent.Add(1)
	asked := time.Now()
	event := client.Event{Channel: channel(1), IdempotencyKey: key, Data: key}
	return s.client.PublishAsync(ctx, event, func(receipt client.Receipt, err error) {
		l.history.Add(history.Published{Client: s.name, Key: key, EventID: receipt.EventID, Duplicate: receipt.Duplicate})
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mu.acks = append(s.mu.acks, ack{asked, time.Now()})
		}
	})
}

// stop ends the publishing.
func (l *load) stop() {
	l.hush.Do(func() { close(l.quiet) })
	l.publish.Wait()
}

// awaitResumed waits until each client has an acknowledgement for what it
// published after a moment.
func (l *load) awaitResumed(t *testing.T, since time.Time) {
	t.Helper()
	for _, s := range l.sources {
		fleet.WaitFor(t, s.name+" publishes again", func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.mu.acks) == 0 || !slices.ContainsFunc(s.mu.acks, func(a ack) bool { return a.asked.After(since) }) {
				return errors.New("nothing that was published since is acknowledged")
			}
			return nil
		})
	}
}

// awaitNotified waits until so many notifications have come since the start.
func (l *load) awaitNotified(t *testing.T, wanted int) {
	t.Helper()
	fleet.WaitFor(t, "the load is under way", func() error {
		if n := fleet.Count[history.Notified](l.history.Records()); n < wanted {
			return fmt.Errorf("%d notifications of %d came", n, wanted)
		}
		return nil
	})
}

// silence is the longest time from begin on in which no publish was acknowledged:
// to anybody, and to the client that had to wait longest.
func (l *load) silence(begin, end time.Time) (anybody, worst time.Duration) {
	var all []time.Time
	for _, s := range l.sources {
		var own []time.Time
		s.mu.Lock()
		for _, a := range s.mu.acks {
			if a.came.After(begin) && a.came.Before(end) {
				own = append(own, a.came)
			}
		}
		s.mu.Unlock()
		worst = max(worst, longest(begin, own))
		all = append(all, own...)
	}
	return longest(begin, all), worst
}

func longest(begin time.Time, moments []time.Time) time.Duration {
	slices.SortFunc(moments, time.Time.Compare)
	var most time.Duration
	for _, m := range moments {
		most, begin = max(most, m.Sub(begin)), m
	}
	return most
}

// finish stops the load, waits until all of it came to its end, and checks what
// was seen.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.stop()
	fleet.WaitFor(t, "every publish is answered", func() error {
		answered := fleet.Count[history.Published](l.history.Records())
		if sent := int(l.sent.Load()); answered < sent {
			return fmt.Errorf("%d of %d are", answered, sent)
		}
		return nil
	})
	fleet.AwaitNothingLost(t, &l.history)
	fleet.Check(t, &l.history)
}

// receipts are the acknowledged publishes, by client and key.
func (l *load) receipts() []history.Published {
	var list []history.Published
	for _, r := range l.history.Records() {
		if p, ok := r.(history.Published); ok && p.EventID != "" {
			list = append(list, p)
		}
	}
	return list
}
