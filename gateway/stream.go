package gateway

import (
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// streamSink writes a client's stream to its socket.
type streamSink struct {
	connection *connection
	attached   chan struct{} // closed when hello need wait no longer
	sent       deliveryLog
	handle     Stream // the reader's own
}

// Attached implements StreamSink.
func (s *streamSink) Attached(state StreamState) {
	c := s.connection
	if state.Reason != command.Done {
		c.noStream(state.Reason)
	} else {
		s.sent.start(state.Head)
		c.welcome(&state)
		c.phase.Store(int32(phaseOpen))
		c.watchCredential()
	}
	close(s.attached)
}

// Notification implements StreamSink.
func (s *streamSink) Notification(n *command.Notification, redelivered bool) {
	c := s.connection
	var text [command.EventIDLength]byte
	m := notifyOf(n, n.Event.Append(text[:0]), redelivered)
	buf, at := c.out.begin()
	if at < 0 {
		return
	}
	end := c.commit(wire.AppendNotify(buf, &m), at, wire.TypeNotify)
	s.sent.add(n.Seq, end, c.out.total())
}

func notifyOf(n *command.Notification, event []byte, redelivered bool) wire.Notify {
	return wire.Notify{
		Seq:           n.Seq,
		Name:          aliasBytes(n.Name),
		EventID:       event,
		CorrelationID: aliasBytes(n.CorrelationID),
		CausationID:   aliasBytes(n.CausationID),
		Time:          n.TimeMS,
		Redelivered:   redelivered,
		Payload:       wirePayload(n.Payload),
	}
}

func gapOf(from, to uint64, reason string) wire.Gap {
	m := wire.Gap{From: from, To: to, Reason: wire.GapTrimmed}
	if reason == wire.GapEpoch.String() {
		m.Reason = wire.GapEpoch
	}
	return m
}

// Gap implements StreamSink.
func (s *streamSink) Gap(from, to uint64, reason string) {
	c := s.connection
	m := gapOf(from, to, reason)
	s.sent.reach(to)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendGap(buf, &m), at, wire.TypeGap)
	}
}

// Synced implements StreamSink.
func (s *streamSink) Synced(seq uint64) {
	c := s.connection
	s.sent.reach(seq)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendSynced(buf, &wire.Synced{Seq: seq}), at, wire.TypeSynced)
	}
}

// deliveryLog remembers when notifications were written to the socket, until
// they are acknowledged: at most as many as the window lets out.
type deliveryLog struct {
	limit int

	mu      sync.Mutex // guards the rest
	out     []delivered
	stamped int    // how many of out have their time
	highest uint64 // the last seq the client knows of
}

// delivered is a notification on its way: written when the socket took end bytes.
type delivered struct {
	seq    uint64
	end    uint64
	timeMS int64
}

func (l *deliveryLog) start(head uint64) { l.reach(head) }

// reach notes that the client knows of seq.
func (l *deliveryLog) reach(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.highest = max(l.highest, seq)
}

// add notes a notification that was queued; total is what was written since.
func (l *deliveryLog) add(seq, end, total uint64) {
	l.mu.Lock()
	l.highest = max(l.highest, seq)
	if len(l.out) < l.limit {
		l.out = append(l.out, delivered{seq: seq, end: end})
	}
	l.mu.Unlock()
	l.wrote(total)
}

// wrote is told by the flusher how far the socket is.
func (l *deliveryLog) wrote(total uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stamped == len(l.out) {
		return
	}
	now := time.Now().UnixMilli()
	for l.stamped < len(l.out) && l.out[l.stamped].end <= total {
		l.out[l.stamped].timeMS = now
		l.stamped++
	}
}

// take removes what is acknowledged and appends its times; false when seq was
// never sent.
func (l *deliveryLog) take(seq uint64, times []command.Delivery) ([]command.Delivery, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq > l.highest {
		return times, false
	}
	n := 0
	for ; n < len(l.out) && l.out[n].seq <= seq; n++ {
		if n >= l.stamped {
			// The acknowledgement overtook the flusher's own note.
			l.out[n].timeMS = time.Now().UnixMilli()
		}
		if len(times) < command.MaxDeliveries {
			times = append(times, command.Delivery{Seq: l.out[n].seq, TimeMS: l.out[n].timeMS})
		}
	}
	l.out = append(l.out[:0], l.out[n:]...)
	l.stamped = max(l.stamped-n, 0)
	return times, true
}
