package story

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

const (
	prices     = "follow.prices"
	priceCount = 160
	priceKeys  = 4
	// stint is after how many events a follower or worker restarts.
	stint = 25
)

// "Every instance of the shop keeps the prices in memory and must hear of each
// change, and so must billing and the audit. One queue for all of them gives every
// change to one; one queue each is forgotten for the instance that we added; and
// who restarts never knows what it missed."
//
// Prices change all the while. Two instances follow the channel under names of
// their own, two services are groups with two workers each, and all of them
// restart, after some events each time and at another node; the node that leads
// most is killed. Each follower gets every change, those of one article in their
// order; each service does every change once.
func everybodyHearsEverything(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	f.Command(t, "channel", "set", prices, "--group", "billing=new", "--group", "audit=new")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	followers := []*follower{{name: "instance-1"}, {name: "instance-2"}}
	begun := make(chan string, len(followers))
	for i, w := range followers {
		running.Go(func() { fleet.Report(t, w.name, w.follow(ctx, f, i, begun)) })
	}
	services := []*service{{name: "billing"}, {name: "audit"}}
	for i, s := range services {
		for worker := range 2 {
			name := fmt.Sprintf("%s-%d", s.name, worker+1)
			running.Go(func() { fleet.Report(t, name, s.work(ctx, f, i+worker, name)) })
		}
	}
	for range followers {
		receive(t, "the followers begin", begun)
	}

	changes := changePrices(t, f)
	for _, w := range followers {
		fleet.WaitFor(t, w.name+" hears everything", func() error { return w.lacks(changes) })
		w.inOrder(t, changes)
	}
	for _, s := range services {
		fleet.WaitFor(t, s.name+" does everything", func() error { return s.lacks(changes) })
		for _, fault := range history.Check(s.history.Records()) {
			t.Errorf("%s: %s", s.name, fault)
		}
	}
	t.Logf("%d changes; followers began %d and %d times, %d workers began", len(changes), followers[0].begins, followers[1].begins,
		services[0].begins+services[1].begins)
}

// change is one event of the channel.
type change struct{ eventID, article string }

// changePrices publishes, and kills a node in the middle.
func changePrices(t *testing.T, f *fleet.Fleet) []change {
	t.Helper()
	nodes, _ := f.ByLeadership(t)
	c := fleet.Dial(t, client.Options{Nodes: f.URLs(0)})
	var all []change
	for i := range priceCount {
		if i == priceCount/2 {
			nodes[0].Process.Kill()
		}
		article := fmt.Sprintf("article-%d", i%priceKeys)
		receipt, err := c.Publish(t.Context(), client.Event{Channel: prices, Key: article, Data: i})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, change{receipt.EventID, article})
	}
	f.Start(t, nodes[0])
	f.AwaitReady(t)
	return all
}

// follower is an instance that follows under its name.
type follower struct {
	name   string
	begins int

	mu   sync.Mutex // guards what follows
	got  map[string]bool
	news []string // the events in the order in which each was first seen
}

// follow takes a stint of events at a time, each time at another node.
func (w *follower) follow(ctx context.Context, f *fleet.Fleet, at int, begun chan<- string) error {
	w.got = make(map[string]bool)
	options := client.FollowOptions{Channel: prices, Name: w.name, From: client.FromEarliest}
	var once sync.Once
	options.OnBegin = func(string) { once.Do(func() { begun <- w.name }) }
	for {
		w.begins++
		c, err := client.Dial(ctx, client.Options{Nodes: f.URLs((at + w.begins) % fleet.NodeCount), InOrder: true})
		if err != nil {
			return err
		}
		left := stint
		err = c.Follow(ctx, options, func(_ context.Context, e *client.FollowedEvent) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.got[e.EventID] {
				w.got[e.EventID], w.news = true, append(w.news, e.EventID)
			}
			if left--; left == 0 {
				return client.ErrStop
			}
			return nil
		})
		_ = c.Close()
		if err != nil {
			return err
		}
	}
}

func (w *follower) lacks(changes []change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, c := range changes {
		if !w.got[c.eventID] {
			return fmt.Errorf("%d of %d came, not change %d", len(w.news), len(changes), i+1)
		}
	}
	return nil
}

// inOrder wants the changes of one article as they were published.
func (w *follower) inOrder(t *testing.T, changes []change) {
	t.Helper()
	at := make(map[string]int)
	for i, id := range w.news {
		at[id] = i
	}
	last := make(map[string]int)
	for _, c := range changes {
		if before, known := last[c.article]; known && at[c.eventID] < before {
			t.Errorf("%s got changes of %s in another order", w.name, c.article)
			return
		}
		last[c.article] = at[c.eventID]
	}
}

// service is a group, and what its workers did.
type service struct {
	name    string
	history history.Log

	mu     sync.Mutex // guards what follows
	begins int
}

// work does a stint of jobs at a time, each time at another node.
func (s *service) work(ctx context.Context, f *fleet.Fleet, at int, name string) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		s.begins++
		s.mu.Unlock()
		at++
		c, err := client.Dial(ctx, client.Options{Nodes: f.URLs(at % fleet.NodeCount), InOrder: true, Name: name})
		if err != nil {
			return err
		}
		stretch, end := context.WithCancel(ctx)
		left := make(chan struct{}, stint-1)
		options := client.WorkOptions{Channel: prices, Group: s.name, Credit: 4, Lease: fleet.Lease, Report: fleet.Reporter(&s.history, name)}
		err = c.Work(stretch, options, func(_ context.Context, job *client.Job) error {
			s.history.Add(fleet.Granted(name, job))
			select {
			case left <- struct{}{}:
			default:
				end()
			}
			return nil
		})
		end()
		_ = c.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *service) lacks(changes []change) error {
	done := make(map[string]bool)
	for _, r := range s.history.Records() {
		if a, ok := r.(history.Answered); ok && a.Completed {
			done[a.EventID] = true
		}
	}
	for i, c := range changes {
		if !done[c.eventID] {
			return fmt.Errorf("%d of %d are done, not change %d", len(done), len(changes), i+1)
		}
	}
	return nil
}
