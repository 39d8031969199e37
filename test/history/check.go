package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Rule is a promise that can be broken.
type Rule string

// The rules. Each is a sentence of docs/guarantees.md, seen from outside.
const (
	// Lost: an acknowledged event did not end in a notification to its client.
	Lost Rule = "lost"
	// StoredTwice: one idempotency key is more than one event.
	StoredTwice Rule = "stored twice"
	// NotifiedTwice: one event came under more than one number.
	NotifiedTwice Rule = "notified twice"
	// Stray: a notification that nobody published for, or another client did.
	Stray Rule = "stray"
	// Renumbered: one number is more than one notification.
	Renumbered Rule = "renumbered"
	// Hole: a number was left out and never declared a gap.
	Hole Rule = "hole"
	// Reordered: a number came behind a higher one, and not because it was sent
	// again.
	Reordered Rule = "reordered"
	// Gap: a hole was declared over what the client never had, and nothing here
	// gives a reason for one. What it had before, and acknowledged, may be gone.
	Gap Rule = "gap"
	// CompletedTwice: two completes of one event had an effect.
	CompletedTwice Rule = "completed twice"
	// SharedLease: two workers held a lease of the same fence.
	SharedLease Rule = "shared lease"
	// LateComplete: a complete took effect although the job was granted anew.
	LateComplete Rule = "late complete"
	// Attempts: a later lease of an event counts a lower attempt.
	Attempts Rule = "attempts"
)

// Fault is a broken promise.
type Fault struct {
	Rule Rule
	Text string
}

// String is the fault for a test's output.
func (f Fault) String() string { return fmt.Sprintf("%s: %s", f.Rule, f.Text) }

// Check returns every fault of a complete history, none for a good one.
func Check(records []Record) []Fault {
	c := checker{
		published: make(map[published]*publish), numbers: make(map[published]uint64),
		streams: make(map[string]*stream), events: make(map[string]*event),
	}
	for _, r := range records {
		switch r := r.(type) {
		case Published:
			c.publish(&r)
		case Granted:
			c.grant(&r)
		case Answered:
			c.answer(&r)
		case Attached:
			c.stream(r.Client).reached = 0
		case Notified:
			c.notify(&r)
		case Gapped:
			c.gap(&r)
		}
	}
	c.settle()
	return c.faults
}

// checker is where Check stands.
type checker struct {
	published map[published]*publish
	numbers   map[published]uint64 // under which each was notified first
	streams   map[string]*stream
	events    map[string]*event // that were leased
	faults    []Fault
}

// published names what a client published.
type published struct{ client, key string }

// publish is what is known of it: an empty event id means no receipt.
type publish struct {
	eventID string
	fresh   int // receipts that do not say duplicate
}

// stream is a client's: all numbers it had, and how far the current connection
// got, 0 when it has not begun.
type stream struct {
	had              map[uint64]Notified
	highest, reached uint64
}

func (c *checker) fault(rule Rule, format string, args ...any) {
	c.faults = append(c.faults, Fault{rule, fmt.Sprintf(format, args...)})
}

func (c *checker) stream(client string) *stream {
	s := c.streams[client]
	if s == nil {
		s = &stream{had: make(map[uint64]Notified)}
		c.streams[client] = s
	}
	return s
}

func (c *checker) publish(r *Published) {
	name := published{r.Client, r.Key}
	p := c.published[name]
	if p == nil {
		p = &publish{}
		c.published[name] = p
	}
	if r.EventID == "" {
		return
	}
	if p.eventID != "" && p.eventID != r.EventID {
		c.fault(StoredTwice, "key %s of %s is event %s and event %s", r.Key, r.Client, p.eventID, r.EventID)
	}
	p.eventID = cmp.Or(p.eventID, r.EventID)
	if !r.Duplicate {
		p.fresh++
	}
	if p.fresh == 2 && !r.Duplicate {
		c.fault(StoredTwice, "key %s of %s was stored anew twice, as event %s", r.Key, r.Client, r.EventID)
	}
}

func (c *checker) notify(r *Notified) {
	s := c.stream(r.Client)
	before, again := s.had[r.Seq]
	switch {
	case again && (before.Key != r.Key || before.EventID != r.EventID || before.CorrelationID != r.CorrelationID || before.Name != r.Name):
		c.fault(Renumbered, "number %d of %s is %s of event %s, and was %s of event %s", r.Seq, r.Client, r.Key, r.EventID, before.Key, before.EventID)
	case s.reached == 0 && r.Seq <= s.highest+1: // The first of a connection may be any that is due.
	case s.reached == 0 || r.Seq > s.reached+1:
		c.fault(Hole, "%s got number %d after %d", r.Client, r.Seq, cmp.Or(s.reached, s.highest))
	case r.Seq <= s.reached && (!again || !r.Redelivered):
		c.fault(Reordered, "%s got number %d after %d", r.Client, r.Seq, s.reached)
	}
	s.had[r.Seq] = *r
	s.reached, s.highest = max(s.reached, r.Seq), max(s.highest, r.Seq)
	name := published{r.Client, r.Key}
	if first, known := c.numbers[name]; known && first != r.Seq {
		c.fault(NotifiedTwice, "%s got %s under number %d and number %d", r.Client, r.Key, first, r.Seq)
		return
	}
	c.numbers[name] = r.Seq
}

func (c *checker) gap(r *Gapped) {
	s := c.stream(r.Client)
	for number := r.From; number <= r.To; number++ {
		if _, had := s.had[number]; !had {
			c.fault(Gap, "%s has a gap from %d to %d (%s), and never had %d", r.Client, r.From, r.To, r.Reason, number)
			break
		}
	}
	s.reached, s.highest = max(s.reached, r.To), max(s.highest, r.To)
}

// settle compares what was published with what came back.
func (c *checker) settle() {
	for _, name := range slices.SortedFunc(maps.Keys(c.published), byName) {
		p, number := c.published[name], c.numbers[name]
		if p.eventID == "" {
			continue // It may have happened or not.
		}
		came := c.streams[name.client].at(number)
		switch {
		case number == 0:
			c.fault(Lost, "%s was never told of %s, event %s", name.client, name.key, p.eventID)
		case came.CorrelationID != p.eventID:
			c.fault(Stray, "%s got %s for event %s, and published event %s", name.client, name.key, came.CorrelationID, p.eventID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.events)) {
		c.settleEvent(id, c.events[id])
	}
	for _, name := range slices.SortedFunc(maps.Keys(c.numbers), byName) {
		if c.published[name] == nil {
			c.fault(Stray, "%s got %s, which it did not publish", name.client, name.key)
		}
	}
}

func (s *stream) at(number uint64) Notified {
	if s == nil {
		return Notified{}
	}
	return s.had[number]
}

func byName(a, b published) int {
	return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.key, b.key))
}
