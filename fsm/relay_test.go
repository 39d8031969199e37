package fsm

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestRelayedOnce: what jobs send to other partitions takes effect there once
// and in order, whatever batches arrive, late, twice, cut short or from a former
// leader, and wherever the relay is trimmed, restarted or restored in between.
// Each partition's log, replayed otherwise, gives the same rows and chain.
func TestRelayedOnce(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		n := newRelayNet(t, store, group)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n.step()
		}
		n.drain()
		n.checkTargets()
		for _, p := range n.partitions {
			replayOtherwise(t, newWorld(t, store, group), p.world, p.entries)
		}
	})
}

// relayNet is a few partitions that send to each other.
type relayNet struct {
	t          *rapid.T
	partitions []*relayEnd
	sent       int
	// old are batches that were made once, by target.
	old []addressed
}

type addressed struct {
	target uint32
	relay  *command.Relay
}

// relayEnd is one partition, its log, and what must have arrived there.
type relayEnd struct {
	*world

	id      uint32
	entries [][]byte
	leases  []command.LeaseID
	timeMS  int64
	// key is one that lives here, the name of a client too.
	key string
	// events and notifications are what was sent here, by source, in order.
	events, notifications map[uint32][]string
	// through is what each target has said to have applied.
	through map[uint32]uint64
	trimmed map[uint32]uint64
}

func newRelayNet(t *rapid.T, store *storage.Store, group *uint32) *relayNet {
	n := &relayNet{t: t}
	many := uint32(rapid.IntRange(2, 3).Draw(t, "partitions"))
	for id := range many {
		p := newRelayEnd(newWorld(t, store, group), id)
		for i := 0; p.key == ""; i++ {
			if key := fmt.Sprint("k", i); command.PartitionOf(command.SlotOf("t", key), many) == id {
				p.key = key
			}
		}
		p.start(many)
		n.partitions = append(n.partitions, p)
	}
	return n
}

// GoString keeps what rapid tells of a failure short.
func (p *relayEnd) GoString() string { return p.key }

func newRelayEnd(w *world, id uint32) *relayEnd {
	return &relayEnd{
		world: w, id: id, events: make(map[uint32][]string), notifications: make(map[uint32][]string),
		through: make(map[uint32]uint64), trimmed: make(map[uint32]uint64),
	}
}

func (p *relayEnd) start(many uint32) {
	p.put(0, &command.LeaderStart{Node: "n1", Partition: p.id, Partitions: many, Epoch: 1})
}

// put applies one entry with some credit, and returns its outcome.
func (p *relayEnd) put(credit uint32, commands ...interface{ Append([]byte) []byte }) *Outcome {
	p.tb.Helper()
	header := command.Header{Generation: p.machine.Generation(), TimeMS: p.timeMS}
	header.Offers = append(header.Offers, offerOf("work", credit), offerOf("next", credit))
	entry := entryOf(header, commands...)
	p.entries = append(p.entries, entry)
	out := p.apply(true, entry)[0]
	for i := range out.Grants {
		p.leases = append(p.leases, out.Grants[i].Job.Lease)
	}
	return out
}

func (n *relayNet) step() {
	at := rapid.SampledFrom(n.partitions).Draw(n.t, "at")
	switch rapid.SampledFrom([]string{"work", "work", "carry", "carry", "old", "trim", "leader", "reopen", "restore"}).Draw(n.t, "step") {
	case "work":
		n.work(at)
	case "carry":
		n.carry(at, rapid.SampledFrom(n.partitions).Draw(n.t, "to"))
	case "old":
		if len(n.old) > 0 {
			batch := rapid.SampledFrom(n.old).Draw(n.t, "batch")
			n.arrive(batch)
		}
	case "trim":
		n.trim(at, rapid.SampledFrom(n.partitions).Draw(n.t, "to"))
	case "leader":
		at.start(uint32(len(n.partitions)))
	case "reopen":
		at.reopen()
	case "restore":
		at.reinstall()
	}
}

// work publishes an event, and completes those that are leased: each job sends
// to partitions at random, its own among them.
func (n *relayNet) work(at *relayEnd) {
	for _, lease := range at.leases {
		c := &command.Complete{Lease: lease}
		for range rapid.IntRange(0, 3).Draw(n.t, "emits") {
			to, data := rapid.SampledFrom(n.partitions).Draw(n.t, "to"), n.data()
			c.Emits = append(c.Emits, command.Event{Channel: "next", Key: to.key, Payload: data})
			to.events[at.id] = append(to.events[at.id], string(data.Bytes))
		}
		for range rapid.IntRange(0, 3).Draw(n.t, "notifies") {
			to, data := rapid.SampledFrom(n.partitions).Draw(n.t, "to"), n.data()
			c.Notifies = append(c.Notifies, command.Notify{Name: "n", ClientID: to.key, Payload: data})
			to.notifications[at.id] = append(to.notifications[at.id], string(data.Bytes))
		}
		r := at.put(0, c).Results[0]
		for i, id := range r.Events {
			if foreign := c.Emits[i].Key != at.key; foreign != id.IsZero() {
				n.t.Fatalf("an emit to another partition %v has the id %q", foreign, id)
			}
		}
	}
	at.leases = nil
	at.put(uint32(rapid.IntRange(1, 4).Draw(n.t, "credit")), &command.Publish{
		Route: command.Route{Slot: command.SlotOf("t", at.key)},
		Event: command.Event{Channel: "work", Tenant: "t", Key: at.key, ClientID: "c"},
	})
}

func (n *relayNet) data() command.Payload {
	n.sent++
	return command.Payload{Codec: command.CodecJSON, Bytes: []byte(fmt.Sprint(n.sent))}
}

// carry brings what waits, or the beginning of it.
func (n *relayNet) carry(from, to *relayEnd) {
	c := &command.Relay{Source: from.id, SourceEpoch: 1, First: from.through[to.id] + 1}
	from.read(func(view *storage.View) {
		var err error
		c.Rows, err = ReadRelay(view, to.id, c.First)
		check(n.t, err)
	})
	if len(c.Rows) == 0 {
		return
	}
	c.Rows = c.Rows[:rapid.IntRange(1, len(c.Rows)).Draw(n.t, "rows")]
	batch := addressed{to.id, c}
	n.old = append(n.old, batch)
	if rapid.IntRange(0, 3).Draw(n.t, "lost") == 0 {
		return // It may arrive yet: as an old one.
	}
	through := n.arrive(batch)
	if rapid.IntRange(0, 3).Draw(n.t, "unanswered") > 0 {
		from.through[to.id] = max(from.through[to.id], through)
	}
}

func (n *relayNet) arrive(batch addressed) (through uint64) {
	r := n.partitions[batch.target].put(0, batch.relay).Results[0]
	if r.Reason != command.Done {
		n.t.Fatalf("%+v was refused: %s", batch, r.Message)
	}
	return r.Offset
}

func (n *relayNet) trim(from, to *relayEnd) {
	c := &command.RelayTrim{Generation: from.machine.Generation(), Target: to.id, Through: from.through[to.id]}
	former := rapid.IntRange(0, 4).Draw(n.t, "former") == 0
	if former {
		c.Generation--
	}
	if r := from.put(0, c).Results[0]; !former && c.Through > 0 {
		if r.Reason != command.Done {
			n.t.Fatalf("%+v was refused: %s", c, r.Message)
		}
		from.trimmed[to.id] = max(from.trimmed[to.id], c.Through)
	}
	from.read(func(view *storage.View) {
		rows, err := ReadRelay(view, to.id, 0)
		check(n.t, err)
		first, err := ReadRelay(view, to.id, from.trimmed[to.id]+1)
		check(n.t, err)
		if len(rows) != len(first) {
			n.t.Fatalf("%d rows are kept, %d are behind the trimmed", len(rows), len(first))
		}
		size := uint64(0)
		for _, row := range rows {
			size += uint64(len(row))
		}
		if o := from.machine.outboxes[to.id]; o != nil && o.state().Bytes != size {
			n.t.Fatalf("%d bytes are kept, %d are counted", size, o.state().Bytes)
		}
	})
}

// drain lets everything arrive, and trims it.
func (n *relayNet) drain() {
	for _, from := range n.partitions {
		for _, to := range n.partitions {
			for more := true; more; {
				before := from.through[to.id]
				n.carryAll(from, to)
				more = from.through[to.id] > before
			}
			if from.through[to.id] > 0 {
				from.put(0, &command.RelayTrim{Generation: from.machine.Generation(), Target: to.id, Through: from.through[to.id]})
			}
			if o := from.machine.outboxes[to.id]; o != nil && (o.first != o.next || o.written != o.trimmed) {
				n.t.Fatalf("the relay from %d to %d does not come to its end: %+v", from.id, to.id, o.outboxRow)
			}
		}
	}
}

func (n *relayNet) carryAll(from, to *relayEnd) {
	c := &command.Relay{Source: from.id, SourceEpoch: 1, First: from.through[to.id] + 1}
	from.read(func(view *storage.View) {
		var err error
		c.Rows, err = ReadRelay(view, to.id, c.First)
		check(n.t, err)
	})
	if len(c.Rows) > 0 {
		from.through[to.id] = n.arrive(addressed{to.id, c})
	}
}

// checkTargets wants every partition to hold what was sent to it, once, in the
// order of each source.
func (n *relayNet) checkTargets() {
	for _, to := range n.partitions {
		var events, notifications []string
		to.read(func(view *storage.View) {
			check(n.t, view.Scan([]byte{kindEvent}, after([]byte{kindEvent}), func(_, value []byte) (bool, error) {
				if e := readEvent(value, command.EventID{}, "", ""); len(e.Payload.Bytes) > 0 {
					events = append(events, string(e.Payload.Bytes))
				}
				return true, nil
			}))
			info, err := ReadStream(view, nil, "t", to.key, "")
			check(n.t, err)
			check(n.t, ReadNotifications(view, info.ID, 1, func(m *command.Notification) bool {
				notifications = append(notifications, string(m.Payload.Bytes))
				return true
			}))
		})
		n.compare(to.id, "events", events, to.events)
		n.compare(to.id, "notifications", notifications, to.notifications)
	}
}

func (n *relayNet) compare(partition uint32, what string, have []string, sent map[uint32][]string) {
	total := 0
	for source, want := range sent {
		total += len(want)
		got := slices.DeleteFunc(slices.Clone(have), func(data string) bool { return !slices.Contains(want, data) })
		if !slices.Equal(got, want) {
			n.t.Fatalf("partition %d got the %s %v of partition %d, sent were %v", partition, what, got, source, want)
		}
	}
	if total != len(have) {
		n.t.Fatalf("partition %d has %d %s, %d were sent", partition, len(have), what, total)
	}
}

// TestRelayIsBounded: when too much waits for a partition, a complete that adds
// to it is refused and changes nothing; what stays here goes on, and so does the
// rest when there is room.
func TestRelayIsBounded(t *testing.T) {
	for name, emits := range map[string][]command.Event{
		"rows":  slices.Repeat([]command.Event{{Channel: "next"}}, command.MaxEmits),
		"bytes": {{Channel: "next", Payload: command.Payload{Bytes: make([]byte, MaxRelayRowBytes-100)}}},
	} {
		t.Run(name, func(t *testing.T) {
			n := &relayEnd{world: newWorld(t, openStore(t), new(uint32))}
			n.start(2)
			here, there := keyIn(0), keyIn(1)
			for i := range emits {
				emits[i].Key = there
			}
			for filled, done := false, 0; ; done++ {
				lease := n.job(here)
				r := n.put(0, &command.Complete{Lease: lease, Emits: emits}).Results[0]
				o := n.machine.outboxes[1].outboxRow
				if o.next-o.first < MaxRelayRows && o.written-o.trimmed < MaxRelayBytes {
					check(t, reasonIs(&r, command.Done))
					continue
				}
				if !filled {
					check(t, reasonIs(&r, command.Done))
					filled = true
					continue
				}
				check(t, reasonIs(&r, command.Overloaded))
				if r.RetryAfterMS == 0 || done < 2 {
					t.Fatalf("after %d: %+v", done, r)
				}
				n.goesOn(t, lease, here, emits)
				return
			}
		})
	}
	n := &relayEnd{world: newWorld(t, openStore(t), new(uint32))}
	n.start(2)
	large := command.Event{Channel: "next", Key: keyIn(1), Payload: command.Payload{Bytes: make([]byte, MaxRelayRowBytes+1)}}
	r := n.put(0, &command.Complete{Lease: n.job(keyIn(0)), Emits: []command.Event{large}}).Results[0]
	check(t, reasonIs(&r, command.TooLarge))
}

// goesOn: a full relay holds up what is for it, and only until there is room.
func (p *relayEnd) goesOn(t *testing.T, lease command.LeaseID, here string, emits []command.Event) {
	t.Helper()
	r := p.put(0, &command.Complete{Lease: p.job(here), Emits: []command.Event{{Channel: "next"}}}).Results[0]
	check(t, reasonIs(&r, command.Done))
	p.reopen()
	r = p.put(0, &command.Complete{Lease: lease, Emits: emits}).Results[0]
	check(t, reasonIs(&r, command.Overloaded))
	trim := &command.RelayTrim{Generation: 1, Target: 1, Through: p.machine.outboxes[1].first}
	if len(emits) > 1 {
		trim.Through += maxMarksPerAck
	}
	r = p.put(0, trim).Results[0]
	check(t, reasonIs(&r, command.Done))
	p.read(func(view *storage.View) {
		if rows, err := ReadRelay(view, 1, 0); err != nil || len(rows) == 0 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	})
	r = p.put(0, &command.Complete{Lease: lease, Emits: emits}).Results[0]
	check(t, reasonIs(&r, command.Done))
}

// job is the lease of a new event.
func (p *relayEnd) job(key string) command.LeaseID {
	p.tb.Helper()
	out := p.put(1, &command.Publish{
		Route: command.Route{Slot: command.SlotOf("t", key)},
		Event: command.Event{Channel: "work", Tenant: "t", Key: key, ClientID: key},
	})
	return out.Grants[0].Job.Lease
}

// keyIn is a key that lives in one of two partitions.
func keyIn(partition uint32) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("k", i); command.PartitionOf(command.SlotOf("t", key), 2) == partition {
			return key
		}
	}
}

func reasonIs(r *command.Result, want command.Reason) error {
	if r.Reason != want {
		return fmt.Errorf("%v: %s, want %v", r.Reason, r.Message, want)
	}
	return nil
}

// TestRowsAreCheckedWhole: a batch with a row that cannot be applied changes
// nothing, not even the rows before it.
func TestRowsAreCheckedWhole(t *testing.T) {
	good := command.RelayRow{Kind: command.RelayEvent, Event: command.Event{Channel: "next", Tenant: "t", Key: keyIn(1)}}
	encode := func(change func(row *command.RelayRow)) []byte {
		row := good
		change(&row)
		return command.AppendRelayRow(nil, &row)
	}
	for name, bad := range map[string][]byte{
		"nothing":   nil,
		"cut short": encode(func(*command.RelayRow) {})[:5],
		"a kind":    encode(func(r *command.RelayRow) { r.Kind = 99 }),
		"an end of nothing": encode(func(r *command.RelayRow) {
			r.Kind, r.Event = command.RelayEnded, command.Event{Tenant: "t"}
		}),
		"a cancel of nobody": encode(func(r *command.RelayRow) {
			r.Kind, r.Event = command.RelayCancel, command.Event{CorrelationID: "c"}
		}),
		"no channel":  encode(func(r *command.RelayRow) { r.Event.Channel = "" }),
		"no client":   encode(func(r *command.RelayRow) { r.Kind = command.RelayNotification }),
		"another key": encode(func(r *command.RelayRow) { r.Event.Key = keyIn(0) }),
		"a long tenant": encode(func(r *command.RelayRow) {
			r.Event.Tenant = string(make([]byte, MaxNameBytes+1))
		}),
		"a long channel": encode(func(r *command.RelayRow) {
			r.Event.Channel = string(make([]byte, MaxNameBytes+1))
		}),
		"a long client": encode(func(r *command.RelayRow) {
			r.Kind, r.Event.ClientID = command.RelayNotification, string(make([]byte, MaxNameBytes+1))
		}),
	} {
		n := &relayEnd{world: newWorld(t, openStore(t), new(uint32)), id: 1}
		n.start(2)
		before, _ := n.digest()
		r := n.put(0, &command.Relay{SourceEpoch: 1, First: 1, Rows: [][]byte{encode(func(*command.RelayRow) {}), bad}}).Results[0]
		if after, _ := n.digest(); r.Reason != command.BadRequest || r.Offset != 0 || after != before {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
