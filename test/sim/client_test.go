package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/test/history"
)

const tenant = "t"

// client publishes, and listens to its stream.
type client struct {
	episode *episode
	name    string
	number  uint64
	random  *rand.Rand // of the goroutine that publishes

	mu struct {
		sync.Mutex

		published []publication
	}
}

// publication is an event that was answered.
type publication struct {
	event command.Event
	id    command.EventID
}

func newClient(e *episode, number int) *client {
	return &client{
		episode: e, name: fmt.Sprintf("client-%d", number), number: uint64(number),
		random: e.random(actorClients + uint64(number)),
	}
}

// publishAll publishes the client's events, some of them in bursts. It ends when
// each is answered.
func (c *client) publishAll() {
	for next := 0; next < c.episode.plan.events; {
		burst := 1
		if c.random.IntN(3) == 0 {
			burst = min(2+c.random.IntN(6), c.episode.plan.events-next)
		}
		events := make([]command.Event, burst)
		for i := range events {
			events[i] = c.event(next + i)
		}
		next += burst
		if !c.publish(events) {
			return
		}
		if !c.episode.calm.Load() {
			c.episode.hurry.wait(time.Duration(c.random.Int64N(int64(2*c.episode.plan.lull))), c.episode.ending)
		}
	}
}

// event is the client's n-th: by its own key, or by one that may be of another
// partition.
func (c *client) event(n int) command.Event {
	key := fmt.Sprintf("%s/%d", c.name, n)
	e := command.Event{
		Channel: channel(1), Tenant: tenant, ClientID: c.name, Key: c.name, IdempotencyKey: key,
		Payload: command.Payload{Bytes: []byte(key)},
	}
	if n%4 == 3 {
		e.Key = fmt.Sprintf("key-%d", c.random.IntN(8))
	}
	return e
}

// publish sends events until each is answered; false when the episode ended first.
func (c *client) publish(events []command.Event) bool {
	for left := events; len(left) > 0; {
		l := c.episode.connect(c.random)
		if l == nil {
			return false
		}
		again := c.send(l, left, len(left) == len(events))
		if len(again) == len(left) && !c.episode.pause(time.Duration(20+c.random.IntN(500))*time.Millisecond) {
			return false
		}
		left = again
	}
	return true
}

// send publishes events through one node, in order, and waits for the answers.
// What was not answered is returned.
//
//nolint:revive // Whether it is the first time is a fact: what was sent before may be there in any order.
func (c *client) send(l *life, events []command.Event, first bool) (unanswered []command.Event) {
	e := c.episode
	answers := newAnswers(l, len(events))
	for i := range events {
		submit(l, &events[i], answers, uint64(i))
	}
	// Longer than the cluster retries by itself, and sometimes not that long.
	patience := time.NewTimer(time.Duration(200+c.random.IntN(13_000)) * time.Millisecond)
	defer patience.Stop()
	select {
	case <-answers.all:
	case <-l.over:
	case <-patience.C:
	case <-e.ending:
	}
	last := make(map[string]uint64) // the last position of each key
	for i, result := range answers.close() {
		switch {
		case result == nil || result.Reason == command.NoLeader || result.Reason == command.OutcomeUnknown || result.Reason == command.Overloaded:
			unanswered = append(unanswered, events[i])
		case result.Reason != command.Done:
			e.faultf("%s: %s is refused: %v %s", c.name, events[i].IdempotencyKey, result.Reason, result.Message)
		default:
			c.answered(&events[i], result)
			key := events[i].Key
			if result.Event.Position <= last[key] && (first || !result.Duplicate) {
				e.faultf("%s: key %s is out of order: %s has position %d behind %d", c.name, key, events[i].IdempotencyKey, result.Event.Position, last[key])
			}
			last[key] = max(last[key], result.Event.Position)
		}
	}
	return unanswered
}

func (c *client) answered(event *command.Event, result *command.Result) {
	c.episode.history.Add(history.Published{
		Client: c.name, Key: event.IdempotencyKey, EventID: result.Event.String(), Duplicate: result.Duplicate,
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.published = append(c.mu.published, publication{event: *event, id: result.Event})
}

// submit gives an event to a node's edge.
func submit(l *life, event *command.Event, to *answers, slot uint64) {
	at := command.SlotOf(event.Tenant, event.Key)
	publish := command.Publish{Route: command.Route{Slot: at, SlotMap: command.SlotMapVersion}, Event: *event}
	l.cluster.Submit(command.PartitionOf(at, l.node.episode.plan.partitions), publish.Append(nil), to, slot)
}

func channel(step int) string { return fmt.Sprintf("step.%d", step) }
