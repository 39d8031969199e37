package story

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// "Our services tell each other what happened through Redis pub/sub. When one
// of them restarts, and a deploy is enough, what was published meanwhile is gone:
// nobody kept it. We hear of it from our customers."
//
// The same publisher, the same two services and the same restarts, over a real
// redis-server and over Baton, where each service is a group of the channel.
func restartLosesNothing(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	t.Run("over Redis", func(t *testing.T) {
		told := tellServices(t, startRedis(t))
		lost := told.missing()
		t.Logf("Redis lost %d of %d messages to two services", len(lost), told.count())
		if len(lost) == 0 {
			t.Error("Redis lost nothing: then the services were not away, and the other half proves nothing")
		}
	})
	t.Run("over Baton", func(t *testing.T) {
		told := tellServices(t, &batonBus{fleet: f, publisher: fleet.Dial(t, client.Options{Nodes: f.URLs(0), InOrder: true})})
		fleet.WaitFor(t, "every message comes", func() error {
			if lost := told.missing(); len(lost) > 0 {
				return fmt.Errorf("%d of %d are lost: %v", len(lost), told.count(), lost)
			}
			return nil
		})
		if again := told.repeated(); len(again) > 0 {
			t.Errorf("came more than once: %v", again)
		}
		t.Logf("Baton lost none of %d messages to two services", told.count())
	})
}

// bus is what services tell each other things over.
type bus interface {
	publish(t *testing.T, message int)
	// subscribe has a service hear what is published from when it returns on,
	// until it is stopped.
	subscribe(t *testing.T, service string, hear func(message int)) (stop func())
}

const (
	restarts = 3
	batch    = 10 // messages at a time
)

// tellServices publishes while two services are there, and while each restarts.
func tellServices(t *testing.T, b bus) *told {
	t.Helper()
	services := []string{"billing", "audit"}
	all := &told{services: services}
	all.mu.heard = make(map[hearing]int)
	publish := func() {
		for range batch {
			b.publish(t, all.next())
		}
	}
	running := make(map[string]func())
	start := func(service string) {
		running[service] = b.subscribe(t, service, func(message int) { all.hear(service, message) })
	}
	for _, service := range services {
		start(service)
	}
	for range restarts {
		for _, service := range services {
			publish()
			all.await(t)
			running[service]()
			publish()
			start(service)
		}
	}
	publish()
	all.await(t)
	for _, stop := range running {
		stop()
	}
	return all
}

// told is which messages there were, and which service heard them how often.
type told struct {
	services []string
	mu       struct {
		sync.Mutex

		last  int
		heard map[hearing]int
	}
}

type hearing struct {
	service string
	message int
}

func (a *told) next() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.last++
	return a.mu.last
}

func (a *told) hear(service string, message int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.heard[hearing{service, message}]++
}

// count is how many messages should have been heard, by all services.
func (a *told) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.last * len(a.services)
}

// missing is what was not heard.
func (a *told) missing() []hearing { return a.heard(func(times int) bool { return times == 0 }) }

// repeated is what was heard more than once.
func (a *told) repeated() []hearing { return a.heard(func(times int) bool { return times > 1 }) }

func (a *told) heard(times func(int) bool) []hearing {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []hearing
	for _, service := range a.services {
		for message := 1; message <= a.mu.last; message++ {
			if h := (hearing{service, message}); times(a.mu.heard[h]) {
				found = append(found, h)
			}
		}
	}
	return found
}

// await waits until every service heard the latest batch, which was published
// while they were there.
func (a *told) await(t *testing.T) {
	t.Helper()
	fleet.WaitFor(t, "the services hear the latest messages", func() error {
		for _, h := range a.missing() {
			if h.message > a.count()/len(a.services)-batch {
				return fmt.Errorf("%s did not hear message %d", h.service, h.message)
			}
		}
		return nil
	})
}

// batonBus tells things over a channel in which each service is a group.
type batonBus struct {
	fleet     *fleet.Fleet
	publisher *client.Client
	started   int
}

const orders = "restart.orders"

func (b *batonBus) publish(t *testing.T, message int) {
	t.Helper()
	if _, err := b.publisher.Publish(t.Context(), client.Event{Channel: orders, Data: message}); err != nil {
		t.Fatal(err)
	}
}

// subscribe makes sure of the group before it starts the worker. That is needed
// once: a group keeps its place while its service is away.
func (b *batonBus) subscribe(t *testing.T, service string, hear func(int)) func() {
	t.Helper()
	b.fleet.Command(t, "channel", "set", orders, "--group", service+"=new")
	b.started++
	options := client.WorkOptions{Channel: orders, Group: service}
	return b.fleet.Work(t, b.started, service, options, func(_ context.Context, job *client.Job) error {
		var message int
		if err := job.Data.Decode(&message); err != nil {
			return client.Permanent(err)
		}
		hear(message)
		return nil
	})
}
