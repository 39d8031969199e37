package duty

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// courier is a socket as its gateway knows it: it attaches again after a leader
// change or a lost link, from where it is.
type courier struct {
	wish     Attachment
	attached bool
	synced   bool
	acked    uint64
	// next is the seq that has to come next, once known.
	next  uint64
	known bool
	// begun means that it was told something of the stream.
	begun bool
}

// streamModel drives the sockets of one client at random.
type streamModel struct {
	*world

	t        *rapid.T
	couriers map[attachmentKey]*courier
	head     uint64
	pushed   map[string]uint64
	// cursors are what the devices have acknowledged.
	cursors map[string]uint64
}

func (m *streamModel) attach(t *rapid.T) {
	key := m.draw(t)
	wish := Attachment{
		Node: key.node, Stream: key.stream, Tenant: "t", ClientID: "ann",
		DeviceID: rapid.SampledFrom([]string{"phone", "tablet"}).Draw(t, "device"),
		Window:   uint32(rapid.IntRange(1, 4).Draw(t, "window")), Hold: rapid.Bool().Draw(t, "hold"),
		From: rapid.SampledFrom([]From{FromCursor, FromSeq, FromLive}).Draw(t, "from"),
	}
	c := &courier{wish: wish}
	if wish.From == FromSeq {
		c.wish.Epoch = rapid.SampledFrom([]string{"e1", "e1", "e0"}).Draw(t, "epoch")
		c.wish.Seq = rapid.Uint64Range(0, m.head+1).Draw(t, "seq")
		c.wish.Acked = c.wish.Seq
	}
	m.couriers[key] = c
	m.again(key)
}

func (m *streamModel) draw(t *rapid.T) attachmentKey {
	return attachmentKey{
		rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node"), rapid.Uint64Range(1, 2).Draw(t, "stream"),
	}
}

// again attaches a socket, anew where it was attached before: after a lost link
// or a leader change.
func (m *streamModel) again(key attachmentKey) {
	c := m.couriers[key]
	wish := c.wish
	if c.attached {
		wish.Again, wish.Synced, wish.From, wish.Epoch = true, c.synced, FromSeq, ""
		wish.Seq, wish.Acked = c.next-1, c.acked
	} else if wish.From == FromSeq {
		c.known, c.next = wish.Epoch == "e1" && wish.Seq <= m.head, wish.Seq+1
	}
	m.duty.Attach(&wish)
}

// hearing checks what a socket is told against what it was told before.
func (m *streamModel) hearing(key attachmentKey, said message) {
	c := m.couriers[key]
	if c == nil || c.attached == (said.kind == "attached") {
		m.t.Fatalf("%v is told %v", key, said)
	}
	if said.kind != "attached" {
		c.beginAt(m.cursors[c.wish.DeviceID]+1, said)
	}
	right := true
	switch said.kind {
	case "attached":
		c.hearAttached(said)
	case "gap":
		right = c.hearGap(said)
	case "notify":
		highest := m.pushed[c.wish.DeviceID]
		right = c.hearNotify(said) && said.redelivered == (said.from <= highest)
		m.pushed[c.wish.DeviceID] = max(highest, said.from)
	case "synced":
		right = !c.synced && c.next == said.from+1
		c.synced = true
	}
	if !right {
		m.t.Fatalf("%v is %+v, and is told %+v; its device was told up to %d", key, *c, said, m.pushed[c.wish.DeviceID])
	}
}

// beginAt has a socket that began at its device's cursor begin where that is now.
func (c *courier) beginAt(cursor uint64, said message) {
	first := said.from
	if said.kind == "synced" {
		first++
	}
	if c.wish.From == FromCursor && !c.begun && c.known {
		if moved := min(cursor, first); moved > c.next {
			c.next, c.acked = moved, max(c.acked, moved-1)
		}
	}
	c.begun = c.begun || said.kind != "synced"
}

func (c *courier) hearAttached(said message) {
	c.attached, c.acked = true, said.from-1
	if !c.known && c.wish.From != FromSeq {
		c.known, c.next = true, said.from
	}
}

// hearGap: a gap begins where the socket is, or at 1 where its numbers mean
// nothing.
func (c *courier) hearGap(said message) bool {
	right := !c.known && said.from == 1 || c.known && said.from == c.next && said.to >= said.from
	c.known, c.next, c.acked = true, said.to+1, max(c.acked, said.to)
	return right
}

func (c *courier) hearNotify(said message) bool {
	right := c.known && said.from == c.next && !c.wish.Hold
	c.next++
	return right && c.next-1-c.acked <= uint64(c.wish.Window)
}

// acknowledgeSome moves a socket's window, and its device's cursor with it.
func (m *streamModel) acknowledgeSome(t *rapid.T) {
	key := m.draw(t)
	if c := m.couriers[key]; c != nil && c.attached && c.known && c.next > c.acked+1 {
		m.ack(key, rapid.Uint64Range(c.acked+1, c.next-1).Draw(t, "seq"))
	}
}

func (m *streamModel) ack(key attachmentKey, seq uint64) {
	c := m.couriers[key]
	c.acked = seq
	m.duty.Acked(key.node, key.stream, seq)
	m.acknowledge(c.wish.DeviceID, seq)
	m.cursors[c.wish.DeviceID] = max(m.cursors[c.wish.DeviceID], seq)
}

func (m *streamModel) ready(t *rapid.T) {
	key := m.draw(t)
	if c := m.couriers[key]; c != nil {
		c.wish.Hold = false
		m.duty.Ready(key.node, key.stream)
	}
}

func (m *streamModel) detach(t *rapid.T) {
	key := m.draw(t)
	delete(m.couriers, key)
	m.duty.Detach(key.node, key.stream)
}

// relink drops a node's link and makes it anew.
func (m *streamModel) relink(t *rapid.T) {
	node := m.draw(t).node
	m.duty.Forget(node)
	delete(m.deaf, node)
	for _, key := range m.keys() {
		if key.node == node {
			m.again(key)
		}
	}
}

func (m *streamModel) changeLeader(*rapid.T) {
	m.duty.Resign()
	clear(m.pushed)
	m.lead()
	for _, key := range m.keys() {
		m.again(key)
	}
}

// catchUp has every socket acknowledge what it has until nothing more comes. One
// that was behind while others acknowledged hears of the last gap with the next
// notification, so there is one more; then it has everything.
func (m *streamModel) catchUp(t *rapid.T) {
	clear(m.deaf)
	for _, key := range m.keys() {
		m.couriers[key].wish.Hold = false
		m.duty.Ready(key.node, key.stream)
	}
	for range 2 {
		for range m.head + 2 {
			m.duty.Tick(m.now)
			for _, key := range m.keys() {
				if c := m.couriers[key]; c.attached && c.next > c.acked+1 {
					m.ack(key, c.next-1)
				}
			}
		}
		m.notify(1)
		m.head++
	}
	for _, key := range m.keys() {
		if c := m.couriers[key]; !c.attached || c.next != m.head+1 || !c.synced {
			t.Fatalf("%v is at %d of %d, synced: %t", key, c.next-1, m.head, c.synced)
		}
	}
}

// keys are the sockets in an order that does not change from run to run.
func (m *streamModel) keys() []attachmentKey {
	return slices.SortedFunc(maps.Keys(m.couriers), func(a, b attachmentKey) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.stream, b.stream))
	})
}

// TestStreamHasNoHoles: whatever becomes of links and leaders, a socket gets the
// stream in order, each number once, or is told of the gap; never more than its
// window; synced once; and when it acknowledges what it has, it gets the rest.
func TestStreamHasNoHoles(t *testing.T) {
	store, group := openStore(t), uint32(0)
	rapid.Check(t, func(t *rapid.T) {
		group++
		m := &streamModel{
			world: openWorld(t, store, group), t: t,
			couriers: make(map[attachmentKey]*courier), pushed: make(map[string]uint64), cursors: make(map[string]uint64),
		}
		m.said = m.hearing
		m.lead()
		t.Repeat(map[string]func(*rapid.T){
			"attach": m.attach, "acknowledge": m.acknowledgeSome, "acknowledge more": m.acknowledgeSome,
			"ready": m.ready, "detach": m.detach, "relink": m.relink, "change leader": m.changeLeader,
			"notify": func(t *rapid.T) {
				count := rapid.IntRange(1, 4).Draw(t, "count")
				m.head += uint64(count)
				m.notify(count)
			},
			"deafen": func(t *rapid.T) { m.deaf[m.draw(t).node] = true },
			"hear":   func(*rapid.T) { clear(m.deaf) },
			"tick":   func(*rapid.T) { m.duty.Tick(m.now) },
			"":       func(*rapid.T) {},
		})
		m.catchUp(t)
	})
}
