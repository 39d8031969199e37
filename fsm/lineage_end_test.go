package fsm

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestLineageEndsOnce: work that spreads over partitions, by relays that lose,
// repeat and delay, has its end told once, and never before all of it has ended; a
// cancel reaches all of it. At every moment what a partition awaits from another is
// on its way there, at work there, or the answer is on its way back.
func TestLineageEndsOnce(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		n := &lineageNet{relayNet: newRelayNet(t, store, group)}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n.act()
			n.checkBooks()
		}
		n.finish()
	})
}

// lineageNet is a few partitions, and the lineages that began in them.
type lineageNet struct {
	*relayNet

	lineages []*netLineage
	// cancels are those that a partition has still to hear of.
	cancels []netCancel
	timeMS  int64
}

type netLineage struct {
	id       string
	event    command.EventID
	client   string
	home     *relayEnd
	canceled bool
}

type netCancel struct {
	at      *relayEnd
	lineage *netLineage
}

func (n *lineageNet) act() {
	at := rapid.SampledFrom(n.partitions).Draw(n.t, "at")
	switch rapid.SampledFrom([]string{"publish", "work", "work", "work", "cancel", "hear", "hear", "time", "net", "net", "net", "net", "net"}).Draw(n.t, "act") {
	case "publish":
		n.publish(at)
	case "work":
		n.hands(at, 2)
	case "cancel":
		if len(n.lineages) > 0 {
			n.cancel(rapid.SampledFrom(n.lineages).Draw(n.t, "lineage"))
		}
	case "hear":
		n.hear()
	case "time":
		n.pass(rapid.SampledFrom([]int64{100, 6000}).Draw(n.t, "elapsed"))
	case "net":
		n.transport(at)
	}
}

// transport is a step of the net that makes no work.
func (n *lineageNet) transport(at *relayEnd) {
	to := rapid.SampledFrom(n.partitions).Draw(n.t, "to")
	switch rapid.SampledFrom([]string{"carry", "carry", "carry", "old", "trim", "leader", "reopen", "restore"}).Draw(n.t, "step") {
	case "carry":
		n.carry(at, to)
	case "old":
		if len(n.old) > 0 {
			n.arrive(rapid.SampledFrom(n.old).Draw(n.t, "batch"))
		}
	case "trim":
		n.trim(at, to)
	case "leader":
		at.start(uint32(len(n.partitions)))
	case "reopen":
		at.reopen()
	case "restore":
		at.reinstall()
	}
}

func (n *lineageNet) publish(at *relayEnd) {
	client := rapid.SampledFrom(n.partitions).Draw(n.t, "client").key
	p := &command.Publish{
		Route: command.Route{Slot: command.SlotOf("t", at.key)},
		Event: command.Event{Channel: "work", Tenant: "t", Key: at.key, ClientID: client, OnEnd: "end"},
	}
	if rapid.Bool().Draw(n.t, "named") {
		p.Event.CorrelationID = "story " + string(n.data().Bytes)
	}
	r := at.put(uint32(rapid.IntRange(0, 2).Draw(n.t, "credit")), p).Results[0]
	check(n.t, reasonIs(&r, command.Done))
	l := &netLineage{id: p.Event.CorrelationID, event: r.Event, client: client, home: at}
	if l.id == "" {
		l.id = r.Event.String()
	}
	n.lineages = append(n.lineages, l)
}

// hands ends leases: with at most so many emits each, or with a failure for good.
func (n *lineageNet) hands(at *relayEnd, most int) {
	leases := at.leases
	at.leases = nil
	for _, lease := range leases {
		switch rapid.SampledFrom([]string{"complete", "complete", "complete", "complete", "fail", "keep"}).Draw(n.t, "hand") {
		case "complete":
			c := &command.Complete{Lease: lease}
			for range rapid.IntRange(0, most).Draw(n.t, "emits") {
				c.Emits = append(c.Emits, command.Event{Channel: "next", Key: rapid.SampledFrom(n.partitions).Draw(n.t, "to").key, Payload: n.data()})
			}
			at.put(1, c)
		case "fail":
			at.put(1, &command.Fail{Lease: lease, Code: "no", Final: true})
		case "keep":
			at.leases = append(at.leases, lease)
		}
	}
	at.put(2)
}

// cancel has every partition hear of it, each in its own time.
func (n *lineageNet) cancel(l *netLineage) {
	l.canceled = true
	for _, at := range n.partitions {
		n.cancels = append(n.cancels, netCancel{at, l})
	}
}

func (n *lineageNet) hear() {
	if len(n.cancels) == 0 {
		return
	}
	i := rapid.IntRange(0, len(n.cancels)-1).Draw(n.t, "cancel")
	c := n.cancels[i]
	n.cancels = slices.Delete(n.cancels, i, i+1)
	r := c.at.put(0, &command.CancelLineage{Tenant: "t", ClientID: rapid.SampledFrom([]string{"", c.lineage.client}).Draw(n.t, "by"), CorrelationID: c.lineage.id, GraceMS: 5000}).Results[0]
	if c.at == c.lineage.home {
		check(n.t, reasonIs(&r, command.Done))
	}
}

func (n *lineageNet) pass(ms int64) {
	n.timeMS += ms
	for _, p := range n.partitions {
		p.timeMS = n.timeMS
		p.put(0)
	}
}

// finish lets everything arrive and work end, and wants every end told, and no row
// left of what was open.
func (n *lineageNet) finish() {
	for len(n.cancels) > 0 {
		n.hear()
	}
	n.settle()
	n.checkCanceled()
	for n.busy() {
		for _, p := range n.partitions {
			n.hands(p, 0)
		}
		n.settle()
		n.checkBooks()
	}
	for _, l := range n.lineages {
		if told := n.told(l); len(told) != 1 {
			n.t.Fatalf("the end of %s was told as %v", l.id, told)
		}
	}
	for _, p := range n.partitions {
		p.read(func(view *storage.View) {
			for _, kind := range []byte{kindOpen, kindUnfinished} {
				check(n.t, view.Scan([]byte{kind}, []byte{kind + 1}, func(key, value []byte) (bool, error) {
					n.t.Fatalf("all has ended, and partition %d has %q: %x", p.id, key, value)
					return false, nil
				}))
			}
		})
	}
}

// busy tells whether anything is open anywhere.
func (n *lineageNet) busy() bool {
	for _, p := range n.partitions {
		open := &counts{}
		p.read(func(view *storage.View) { open = recount(n.t, view) })
		if len(open.lineages) > 0 {
			return true
		}
	}
	return false
}

// settle carries until nothing is on its way.
func (n *lineageNet) settle() {
	for more := true; more; {
		more = false
		for _, from := range n.partitions {
			for _, to := range n.partitions {
				before := from.through[to.id]
				n.carryAll(from, to)
				more = more || from.through[to.id] > before
			}
		}
	}
}

// checkCanceled: when all have heard of a cancel and its grace is over, nothing of
// the lineage goes on anywhere, whatever credit there is.
func (n *lineageNet) checkCanceled() {
	n.pass(6000)
	n.settle()
	for _, l := range n.lineages {
		if !l.canceled {
			continue
		}
		for _, p := range n.partitions {
			if open := p.openOf(l); open != 0 {
				n.t.Fatalf("%s is canceled, and partition %d has %d open", l.id, p.id, open)
			}
		}
	}
}

// openOf is how much of a lineage has not ended in a partition, by the rows of its
// events.
func (p *relayEnd) openOf(l *netLineage) (open uint64) {
	p.read(func(view *storage.View) {
		open = recount(p.tb, view).lineages[lineageText("t", p.machine.counters.lineageID(0, l.id).of)]
	})
	return open
}

// told are the states in which the end of a lineage was told, in streams and on the
// way to them.
func (n *lineageNet) told(l *netLineage) (states []string) {
	note := func(event command.EventID, payload []byte) {
		if event == l.event {
			var news endNews
			check(n.t, json.Unmarshal(payload, &news))
			states = append(states, news.State)
		}
	}
	for _, p := range n.partitions {
		p.read(func(view *storage.View) {
			info, err := ReadStream(view, nil, "t", p.key, "")
			check(n.t, err)
			check(n.t, ReadNotifications(view, info.ID, 1, func(m *command.Notification) bool {
				note(m.Event, m.Payload.Bytes)
				return true
			}))
		})
		for _, to := range n.partitions {
			for _, row := range n.flying(p, to) {
				if row.Kind == command.RelayNotification {
					note(row.Parent, row.Event.Payload.Bytes)
				}
			}
		}
	}
	return states
}

// flying are the rows of a relay that its target has not applied.
func (n *lineageNet) flying(from, to *relayEnd) (rows []command.RelayRow) {
	last := uint64(0)
	to.read(func(view *storage.View) {
		value, found, err := view.Get(keyInbox(nil, from.id, 1))
		check(n.t, err)
		if found {
			r := openRow(value)
			last = r.Uint()
		}
	})
	from.read(func(view *storage.View) {
		for first := last + 1; ; {
			encoded, err := ReadRelay(view, to.id, first)
			check(n.t, err)
			if len(encoded) == 0 {
				return
			}
			for i := range encoded {
				r := command.NewReader(encoded[i])
				rows = append(rows, r.RelayRow())
			}
			first += uint64(len(encoded))
		}
	})
	return rows
}

// checkBooks holds what partitions say is open against what is, and each lineage's
// end against both.
func (n *lineageNet) checkBooks() {
	for _, p := range n.partitions {
		p.read(func(view *storage.View) { recount(n.t, view).check(n.t, view) })
	}
	for _, l := range n.lineages {
		onWay := n.checkTargets(l)
		told := n.told(l)
		if len(told) > 1 {
			n.t.Fatalf("the end of %s was told as %v", l.id, told)
		}
		if len(told) == 0 {
			continue
		}
		for _, p := range n.partitions {
			onWay += p.openOf(l)
		}
		if onWay > 0 {
			n.t.Fatalf("the end of %s was told, and %d are open", l.id, onWay)
		}
	}
}

// checkTargets compares what each partition awaits from each other one, and returns
// how many events are on their way.
func (n *lineageNet) checkTargets(l *netLineage) (onWay uint64) {
	for _, from := range n.partitions {
		row := from.rowOfLineage(l)
		for _, to := range n.partitions {
			sent := countRows(n.flying(from, to), command.RelayEvent, l.id)
			want := sent + countRows(n.flying(to, from), command.RelayEnded, l.id)
			if there := to.rowOfLineage(l); there.relayed && there.parent.partition == from.id {
				want++
			}
			have := uint64(0)
			if at, found := row.target(to.id); found {
				have = row.targets[at].open
			}
			if have != want {
				n.t.Fatalf("partition %d awaits %d of %s from %d, there are %d", from.id, have, l.id, to.id, want)
			}
			onWay += sent
		}
	}
	return onWay
}

func countRows(rows []command.RelayRow, kind command.RelayKind, correlation string) (count uint64) {
	for i := range rows {
		if rows[i].Kind == kind && rows[i].Event.CorrelationID == correlation {
			count++
		}
	}
	return count
}

func (p *relayEnd) rowOfLineage(l *netLineage) (row lineageRow) {
	p.read(func(view *storage.View) {
		tenant, err := lookUpTenant(view, "t")
		check(p.tb, err)
		value, found, err := view.Get(keyOpen(nil, p.machine.counters.lineageID(tenant, l.id)))
		check(p.tb, err)
		if found {
			row.read(value)
		}
	})
	return row
}
