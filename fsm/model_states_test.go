package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// checkStates finds every event in the state that the model says, and every
// stream without holes.
func (m *model) checkStates(view *storage.View) {
	for _, e := range m.events {
		found, err := HasEvent(view, e.fields.Tenant, e.id)
		check(m.t, err)
		m.must(found, "%v is lost", e.id)
		m.must(m.stateOf(view, e) == e.state, "%v is %s, not %s", e.id, m.stateOf(view, e), e.state)
	}
	m.checkLetters(view)
	for tenant, head := range m.heads {
		info, err := ReadStream(view, tenant, "c", "")
		check(m.t, err)
		m.must(info.Head == head && info.Acked == m.acked[tenant], "stream of %s: %+v, not %d", tenant, info, head)
		seq := info.Oldest
		check(m.t, ReadNotifications(view, info.ID, 1, func(n *command.Notification) bool {
			m.must(n.Seq == seq, "seq %d where %d is next", n.Seq, seq)
			seq++
			return true
		}))
		m.must(seq == head+1, "the stream of %s ends at %d, not %d", tenant, seq-1, head)
	}
}

func (m *model) stateOf(view *storage.View, e *modelEvent) modelState {
	l := &lineageReader{
		view: view, names: newNameReader(view), queues: make(map[uint32]queueRow),
		groups: make(map[uint32][]uint32), out: &Lineage{}, counters: counters{timeMS: m.nowMS},
	}
	_, err := l.queue(e.id.Queue)
	check(m.t, err)
	at := &event{id: e.id, deliverMS: e.dueMS, storedMS: m.stored[e]}
	at.TTLMS = e.fields.TTLMS
	_, err = l.attempts(at)
	check(m.t, err)
	state, err := l.state(at)
	check(m.t, err)
	return modelState(state)
}
