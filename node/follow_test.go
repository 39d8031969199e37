package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

const (
	followRounds = 3
	followEvents = 90
	followKeys   = 24
)

// reader is what one follower got.
type reader struct {
	name string

	mu     sync.Mutex
	events []string
	// last is the number of each key's last event.
	last  map[string]int
	wrong []string
}

// take notes an event. In the life of one Follow each comes once, and a key's in
// their order.
func (r *reader) take(e *client.FollowedEvent) {
	var number int
	err := e.Data.Decode(&number)
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, known := r.last[e.Tenant+"/"+e.Key]; err != nil || known && number <= last {
		r.wrong = append(r.wrong, fmt.Sprintf("%s of %s/%s comes after %d: %v", e.Data, e.Tenant, e.Key, last, err))
	}
	r.last[e.Tenant+"/"+e.Key] = number
	r.events = append(r.events, e.EventID)
}

// begin begins another life, in which what was not committed may come again.
func (r *reader) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = make(map[string]int)
}

// missing is nil when every event was got.
func (r *reader) missing(published map[string]string, tenant string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := make(map[string]int)
	for _, id := range r.events {
		got[id]++
	}
	for id, of := range published {
		if tenant != "" && of != tenant && got[id] > 0 {
			return fmt.Errorf("%s got %s, which is of %s", r.name, id, of)
		}
		if (tenant == "" || of == tenant) && got[id] == 0 {
			return fmt.Errorf("%s lacks %s; it has %d of %d", r.name, id, len(got), len(published))
		}
	}
	return nil
}

// once fails where an event came twice.
func (r *reader) once(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := make(map[string]bool)
	for _, id := range r.events {
		if got[id] {
			t.Errorf("%s got %s twice", r.name, id)
		}
		got[id] = true
	}
}

// orderly fails where a key's events came in another order.
func (r *reader) orderly(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, wrong := range r.wrong {
		t.Errorf("%s: %s", r.name, wrong)
	}
}

// follows are the followers that run until the test ends.
type follows struct {
	ctx     context.Context //nolint:containedctx // It is the life of what runs.
	running sync.WaitGroup
}

// follow follows in one Follow until the test ends; it returns when it has begun.
func (f *follows) follow(t *testing.T, c *client.Client, name string, from client.From) *reader {
	t.Helper()
	r := &reader{name: name}
	r.begin()
	begun := make(chan struct{})
	f.running.Go(func() {
		err := c.Follow(f.ctx, client.FollowOptions{
			Channel: "news", From: from, OnBegin: func(string) { close(begun) },
			OnGap: func() { t.Errorf("%s: a gap where nothing was deleted", name) },
		}, func(_ context.Context, e *client.FollowedEvent) error {
			r.take(e)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	})
	<-begun
	return r
}

// inTurns is a named follower that lives for some events at a time, on one node after
// another. It stops as followers do: with a last commit, without one, or with its
// connection.
func (r *reader) inTurns(ctx context.Context, t *testing.T, urls []string) {
	t.Helper()
	for turn := 0; ctx.Err() == nil; turn++ {
		c, err := client.Dial(ctx, client.Options{Nodes: []string{urls[turn%len(urls)]}, ConnectAttempts: 1})
		if err != nil {
			continue
		}
		r.begin()
		left := 7 + turn%11
		broken := errors.New("broken")
		err = c.Follow(ctx, client.FollowOptions{Channel: "news", Name: r.name, From: client.FromEarliest, Window: 16},
			func(_ context.Context, e *client.FollowedEvent) error {
				r.take(e)
				if left--; left > 0 {
					return nil
				}
				return []error{client.ErrStop, broken, nil}[turn%3]
			})
		if left > 0 && err == nil {
			t.Errorf("%s: Follow ended by itself", r.name)
		}
		if err != nil && !errors.Is(err, broken) && ctx.Err() == nil {
			t.Errorf("%s: %v", r.name, err)
		}
		_ = c.Close()
	}
}

// TestFollowersGetEverything: followers of a channel in three nodes, while events are
// published and one node after the other stops, with all that it leads, and comes
// back. Who follows from the beginning to the end, from the earliest event, or as one
// tenant, gets each event once; who follows under a name, for some events at a time,
// gets each and goes on behind its commits. A key's events come in their order.
func TestFollowersGetEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c := followed{dirs: []string{t.TempDir(), t.TempDir(), t.TempDir()}}
	var urls []string
	for i, dir := range c.dirs {
		var join []string
		if i > 0 {
			join = append(join, c.nodes[0].GossipAddress())
		}
		c.nodes = append(c.nodes, shortLogs(t, fmt.Sprintf("n%d", i+1), dir, nil, join...))
	}
	for _, n := range c.nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
		urls = append(urls, n.ClientURL())
	}
	ctx, end := context.WithCancel(t.Context())
	f := follows{ctx: ctx}
	t.Cleanup(func() {
		end()
		f.running.Wait()
	})

	whole := f.follow(t, dial(t, c.nodes, ""), "new", client.FromNew)
	mine := f.follow(t, dialTenant(t, c.nodes, "acme"), "acme", client.FromNew)
	named := []*reader{{name: "audit"}, {name: "mirror"}}
	for _, r := range named {
		f.running.Go(func() { r.inTurns(ctx, t, urls) })
	}
	published := make(map[string]string)
	c.tenants = map[string]*client.Client{"acme": dialTenant(t, c.nodes, "acme"), "default": dial(t, c.nodes, "")}
	var late *reader
	for round := range followRounds {
		for i := range followEvents {
			if i == followEvents/3 {
				stop(t, c.nodes[round])
			}
			number := round*followEvents + i
			tenant := []string{"acme", "default"}[number%2]
			receipt, err := c.tenants[tenant].Publish(ctx, client.Event{Channel: "news", Key: fmt.Sprint("key-", number%followKeys), Data: number})
			if err != nil {
				t.Fatal(err)
			}
			published[receipt.EventID] = tenant
		}
		if round == 0 {
			late = f.follow(t, dial(t, c.nodes, ""), "earliest", client.FromEarliest)
		}
		c.comeBack(t, round)
	}
	for _, r := range append(named, whole, late) {
		waitFor(t, "everything comes", func() error { return r.missing(published, "") })
	}
	waitFor(t, "everything comes", func() error { return mine.missing(published, "acme") })
	end()
	f.running.Wait()
	for _, r := range []*reader{whole, late, mine} {
		r.once(t)
	}
	for _, r := range append(named, whole, late, mine) {
		r.orderly(t)
	}
	c.commitsSurvive(t, named[0].name)
	agreeAll(t, c.nodes...)
}

// commitsSurvive has a named follower come to the end, and then one node after the
// other restart: what it gets there is what is new, and nothing else.
func (c *followed) commitsSurvive(t *testing.T, name string) {
	t.Helper()
	until := func(i int, marks map[string]bool) (events int) {
		left := len(marks)
		err := dialNode(t, c.nodes[i]).Follow(t.Context(), client.FollowOptions{Channel: "news", Name: name},
			func(_ context.Context, e *client.FollowedEvent) error {
				events++
				if marks[e.EventID] {
					left--
				}
				if left == 0 {
					return client.ErrStop
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	until(0, c.marks(t, 0))
	for i := range c.nodes {
		c.restart(t, i)
		marks := c.marks(t, i+1)
		if events := until(i, marks); events != len(marks) {
			t.Errorf("behind its commits %s gets %d events where %d are new", name, events, len(marks))
		}
	}
}

// marks publishes an event of each key and tenant, so that every partition which has
// events has one more: behind it nothing is left there.
func (c *followed) marks(t *testing.T, round int) map[string]bool {
	t.Helper()
	marks := make(map[string]bool)
	for _, of := range c.tenants {
		for i := range followKeys {
			receipt, err := of.Publish(t.Context(), client.Event{
				Channel: "news", Key: fmt.Sprint("key-", i), Data: followRounds*followEvents + round,
			})
			if err != nil {
				t.Fatal(err)
			}
			marks[receipt.EventID] = true
		}
	}
	return marks
}

// followed is the cluster of the test, with a publisher of each tenant.
type followed struct {
	nodes   []*node.Node
	dirs    []string
	tenants map[string]*client.Client
}

// restart stops a node and brings it back.
func (c *followed) restart(t *testing.T, i int) {
	t.Helper()
	stop(t, c.nodes[i])
	c.comeBack(t, i)
}

func (c *followed) comeBack(t *testing.T, i int) {
	t.Helper()
	c.nodes[i] = shortLogsAt(t, node.Config{
		Name: fmt.Sprintf("n%d", i+1), DataDir: c.dirs[i], Listen: addressOf(t, c.nodes[i]),
		Join: []string{c.nodes[(i+1)%len(c.nodes)].GossipAddress()},
	})
	for _, n := range c.nodes {
		waitFor(t, "the node is back", func() error { return n.Ready(t.Context()) })
	}
}

// dialTenant is the client ann of one tenant.
func dialTenant(t *testing.T, nodes []*node.Node, tenant string) *client.Client {
	t.Helper()
	options := client.Options{Tenant: tenant, ClientID: "ann"}
	for _, n := range nodes {
		options.Nodes = append(options.Nodes, n.ClientURL())
	}
	c, err := client.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
