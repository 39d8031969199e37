package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

const (
	groupEvents = 120
	groupKeys   = 24
)

// TestGroupsGetEverythingOnce: three groups of a channel, one that began with the
// channel, one that was made before the events and one from the earliest that was
// made among them. Workers fail, stop and come back on other nodes all the
// while. Each group completes each event exactly once, and the replicas agree.
func TestGroupsGetEverythingOnce(t *testing.T) {
	nodes := startThree(t)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	t.Cleanup(func() {
		stop()
		working.Wait()
	})
	hire := func(options client.WorkOptions, first int) <-chan struct{} {
		started := make(chan struct{}, 1)
		working.Go(func() { workInTurns(ctx, t, nodes, shift{first, options, started}) })
		return started
	}
	hire(client.WorkOptions{}, 0)
	hire(client.WorkOptions{}, 1)
	mail := hire(client.WorkOptions{Group: "mail"}, 2)
	hire(client.WorkOptions{Group: "mail", From: client.FromNew}, 0)
	publisher := dialNode(t, nodes[0])
	// With the first job it is certain that every partition has the group.
	waitFor(t, "the group mail has a job", func() error {
		order(t, publisher, "probe", 0)
		select {
		case <-mail:
			return nil
		default:
			return errors.New("it has none")
		}
	})
	for i := range groupEvents {
		if i == groupEvents/2 {
			hire(client.WorkOptions{Group: "audit", From: client.FromEarliest}, 1)
			hire(client.WorkOptions{Group: "audit", From: client.FromEarliest}, 2)
		}
		order(t, publisher, "batch", i)
	}
	waitFor(t, "all groups are through", func() error { return through(ctx, publisher) })
	stop()
	working.Wait()
	completedOnce(t, publisher)
	for group := range uint32(node.DefaultPartitions + 1) {
		waitFor(t, fmt.Sprintf("group %d agrees", group), func() error { return agree(nodes, group) })
	}
}

func order(t *testing.T, c *client.Client, correlation string, i int) {
	t.Helper()
	_, err := c.Publish(t.Context(), client.Event{
		Channel: "orders", Key: fmt.Sprint("key-", i%groupKeys), CorrelationID: correlation, Data: i,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// shift is where a worker begins, and what it does; started is told of each job.
type shift struct {
	turn    int
	options client.WorkOptions
	started chan<- struct{}
}

// workInTurns is a worker that lives for a few jobs at a time, on one node after
// another. It stops as workers do: it finishes what it has, or gives it back, or
// closes its connection over it.
func workInTurns(ctx context.Context, t *testing.T, nodes []*node.Node, s shift) {
	t.Helper()
	options := s.options
	for turn := s.turn; ctx.Err() == nil; turn++ {
		c, err := client.Dial(ctx, client.Options{Nodes: []string{nodes[turn%len(nodes)].ClientURL()}, Name: fmt.Sprint("turn-", turn)})
		if err != nil {
			continue
		}
		life, end := context.WithCancel(ctx)
		options.Channel, options.Credit, options.Lease = "orders", 4, time.Second
		options.Grace = []time.Duration{time.Minute, -1}[turn%2]
		var mu sync.Mutex
		left := 9
		err = c.Work(life, options, func(_ context.Context, job *client.Job) error {
			select {
			case s.started <- struct{}{}:
			default:
			}
			mu.Lock()
			left--
			last := left == 0
			mu.Unlock()
			if last && turn%3 == 0 {
				go func() { _ = c.Close() }() // It waits for this job.
			} else if last {
				end()
			}
			if job.Attempt == 1 && len(job.EventID) > 0 && job.EventID[len(job.EventID)-1]%4 == 0 {
				return &client.JobError{Code: "again", RetryAfter: time.Millisecond, Err: errors.New("not the first time")}
			}
			return nil
		})
		end()
		if err != nil && !errors.Is(err, client.ErrClosed) {
			t.Errorf("a worker of %q: %v", options.Group, err)
		}
		_ = c.Close()
	}
}

// through is nil once every event of the batch is completed in each group.
func through(ctx context.Context, c *client.Client) error {
	trace, err := c.Trace(ctx, "batch")
	if err != nil {
		return err
	}
	if len(trace.Events) != groupEvents {
		return fmt.Errorf("%d events of %d", len(trace.Events), groupEvents)
	}
	for i := range trace.Events {
		e := &trace.Events[i]
		for _, group := range []string{"default", "mail", "audit"} {
			if e.Groups[group] != "completed" {
				return fmt.Errorf("%s is %q in %s, %s in all", e.EventID, e.Groups[group], group, e.State)
			}
		}
		if e.State != "completed" {
			return fmt.Errorf("%s is completed everywhere, and %s", e.EventID, e.State)
		}
	}
	return nil
}

// completedOnce looks for the mark of each event in each group.
func completedOnce(t *testing.T, c *client.Client) {
	t.Helper()
	trace, err := c.Trace(t.Context(), "batch")
	if err != nil {
		t.Fatal(err)
	}
	completed, failed := make(map[string]int), make(map[string]int)
	for i := range trace.Marks {
		switch m := &trace.Marks[i]; m.Mark {
		case "completed":
			completed[m.Group+" "+m.EventID]++
		case "failed":
			failed[m.Group]++
		}
	}
	if len(completed) != 3*groupEvents {
		t.Errorf("%d of %d were completed", len(completed), 3*groupEvents)
	}
	for what, times := range completed {
		if group, id, _ := strings.Cut(what, " "); times != 1 {
			t.Errorf("%s completed %s %d times", group, id, times)
		}
	}
	if len(failed) != 3 {
		t.Errorf("failures were to be in all groups: %v", failed)
	}
}
