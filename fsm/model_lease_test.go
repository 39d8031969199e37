package fsm

import (
	"cmp"
	"slices"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// drawEnd is a command about a lease: it ends it, or not.
func (m *model) drawEnd(kind string) interface{ Append([]byte) []byte } {
	switch kind {
	case "complete":
		return m.drawComplete()
	case "fail":
		return m.drawFail()
	case "release":
		return m.drawRelease()
	case "expire":
		return m.drawExpire()
	case "park":
		return m.drawPark()
	default:
		l := m.drawLease()
		tenant := rapid.SampledFrom([]string{"", l.event.fields.Tenant, "nobody"}).Draw(m.t, "whose")
		m.expectLease(m.holds(l) != nil && tenant != "nobody")
		return &command.Checkpoint{Lease: l.id, Data: []byte(`{"at":1}`), Tenant: tenant}
	}
}

// drawRelease hands a job back, or loses it with its worker's socket.
func (m *model) drawRelease() *command.Release {
	l, how := m.drawLease(), endReleased
	lost := rapid.IntRange(0, 2).Draw(m.t, "lost") == 0
	if lost {
		how = endExpired
	}
	m.giveBack(l, how)
	m.accept()
	return &command.Release{Leases: []command.LeaseID{l.id}, Lost: lost}
}

func (m *model) drawLease() *modelLease {
	return m.leases[rapid.IntRange(max(0, len(m.leases)-6), len(m.leases)-1).Draw(m.t, "lease")]
}

// holds is the event of a lease that is in force, or nil.
func (m *model) holds(l *modelLease) *modelEvent {
	if e := l.event; e.state == leased && e.fence == l.id.Fence {
		return e
	}
	return nil
}

// inForce is the event of a lease that may be ended, or nil.
func (m *model) inForce(l *modelLease) *modelEvent {
	if e := l.event; e.state == parked && e.fence == l.id.Fence {
		return e
	}
	return m.holds(l)
}

// end is called before the event's state changes: of one that was parked, the
// lease's clock was told then.
func (m *model) end(l *modelLease, how ending) {
	l.how = how
	if l.event.state == leased {
		m.ended = append(m.ended, l.id.Fence)
	}
}

func (m *model) drawComplete() *command.Complete {
	l := m.drawLease()
	c := &command.Complete{Lease: l.id}
	e := m.inForce(l)
	var emitted []*modelEvent
	for range rapid.IntRange(0, 2).Draw(m.t, "emits") {
		emit := command.Event{
			Channel: rapid.SampledFrom([]string{"a", "b", fanOut}).Draw(m.t, "channel"),
			DelayMS: rapid.SampledFrom([]uint64{0, 500}).Draw(m.t, "delay"),
			TTLMS:   rapid.SampledFrom([]uint64{0, 0, 600}).Draw(m.t, "ttl"),
		}
		emit.Priority = rapid.SampledFrom([]uint32{0, 0, 3}).Draw(m.t, "priority")
		c.Emits = append(c.Emits, emit)
		if e != nil {
			emit.Tenant, emit.Key = e.fields.Tenant, e.fields.Key
			emit.ClientID, emit.CorrelationID = e.fields.ClientID, e.correlation()
			emitted = append(emitted, m.store(&emit))
		}
	}
	for range rapid.IntRange(0, 2).Draw(m.t, "notifies") {
		c.Notifies = append(c.Notifies, command.Notify{Name: "n"})
	}
	if e == nil {
		m.expectEnded(l, endCompleted)
		return c
	}
	m.end(l, endCompleted)
	e.state = completed
	m.heads[e.client()] += uint64(len(c.Notifies))
	m.expect = append(m.expect, func(r *command.Result) {
		m.must(r.Reason == command.Done && !r.Duplicate && len(r.Events) == len(emitted), "completed: %+v", r)
		for i, id := range r.Events {
			m.must(id.Position == emitted[i].id.Position, "emitted at %d: %v", emitted[i].id.Position, id)
			emitted[i].id = id
		}
		l.emits = r.Events
	})
	return c
}

// expectEnded expects the answer of a lease that is over: that of an equal end,
// or lease_lost.
func (m *model) expectEnded(l *modelLease, how ending) {
	before := l.how
	m.expect = append(m.expect, func(r *command.Result) {
		if before == how {
			m.must(r.Reason == command.Done && r.Duplicate && slices.Equal(r.Events, l.emits), "ended as before: %+v", r)
		} else {
			m.must(r.Reason == command.LeaseLost, "the lease ended otherwise: %+v", r)
		}
	})
}

func (m *model) drawFail() *command.Fail {
	l := m.drawLease()
	c := &command.Fail{
		Lease: l.id, Code: "E", Final: rapid.IntRange(0, 4).Draw(m.t, "final") == 0,
		Throttled:    rapid.IntRange(0, 4).Draw(m.t, "throttled") == 0,
		RetryAfterMS: rapid.SampledFrom([]uint64{0, 0, 400}).Draw(m.t, "retry"),
	}
	how := endFailed
	if c.Throttled {
		how = endThrottled
	}
	e := m.inForce(l)
	if e == nil {
		m.expectEnded(l, how)
		return c
	}
	m.accept()
	m.end(l, how)
	switch {
	case e.canceling:
		m.stop(e)
	case c.Throttled && len(e.fields.Uses) > 0:
		e.state = waiting
	case c.Throttled:
		e.state, e.dueMS = delayed, m.nowMS+int64(cmp.Or(c.RetryAfterMS, 1000))
	case c.Final || e.failures+1 == DefaultMaxAttempts:
		e.state = dead
	default:
		e.failures++
		wait := int64(c.RetryAfterMS)
		if wait == 0 {
			wait = backoff(&jobPolicy{firstMS: DefaultBackoff.Milliseconds(), maxMS: DefaultMaxBackoff.Milliseconds(), factor: 200}, &job{key: jobKey{position: e.id.Position}, jobRow: jobRow{failures: e.failures, fence: e.fence}})
		}
		e.state, e.dueMS = delayed, m.nowMS+wait
	}
	return c
}

// giveBack makes a leased event wait again.
func (m *model) giveBack(l *modelLease, how ending) {
	e := m.inForce(l)
	if e == nil || how == endExpired && e.state == parked {
		return
	}
	m.end(l, how)
	e.state = waiting
	if e.canceling {
		m.stop(e)
	}
}

func (m *model) drawExpire() *command.Expire {
	l := m.drawLease()
	c := &command.Expire{Generation: m.generation, Leases: []command.LeaseID{l.id}}
	if rapid.IntRange(0, 3).Draw(m.t, "former") == 0 {
		c.Generation--
		m.expectLease(false)
		return c
	}
	m.giveBack(l, endExpired)
	m.accept()
	return c
}
