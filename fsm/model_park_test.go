package fsm

import (
	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// drawPark parks a job: its lease stays in force, and is over for its clock.
func (m *model) drawPark() *command.Park {
	l := m.drawLease()
	c := &command.Park{Lease: l.id, TimeoutMS: rapid.SampledFrom([]uint64{0, 400, 200_000}).Draw(m.t, "timeout")}
	e := m.inForce(l)
	switch {
	case e == nil:
		m.expectLease(false)
	case e.state == parked:
		m.expect = append(m.expect, func(r *command.Result) {
			m.must(r.Reason == command.Done && r.Duplicate, "parked before: %+v", r)
		})
	case e.canceling:
		m.expect = append(m.expect, func(r *command.Result) { m.must(r.Reason == command.BadRequest, "canceled: %+v", r) })
	default:
		m.accept()
		m.ended = append(m.ended, l.id.Fence)
		e.state, e.dueMS = parked, m.nowMS+int64(c.TimeoutMS)
		if c.TimeoutMS == 0 {
			e.dueMS = m.nowMS + DefaultParkMS
		}
	}
	return c
}
