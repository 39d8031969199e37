package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// checkStates finds every event in the state that the model says, and every
// stream without holes.
func (m *model) checkStates(view *storage.View) {
	for _, e := range m.events {
		found, err := hasEvent(view, e.fields.Tenant, e.id)
		check(m.t, err)
		m.must(found, "%v is lost", e.id)
		states, groups := m.statesOf(view, e), m.inGroups(e)
		m.must(len(states) == len(groups), "%v is in groups %v, not in %d", e.id, states, len(groups))
		for _, e := range groups {
			m.must(states[e.group] == string(e.state), "%v in %s is %s, not %s", e.id, e.group, states[e.group], e.state)
		}
	}
	m.checkLetters(view)
	for of, head := range m.heads {
		info, err := ReadStream(view, nil, of.tenant, of.id, "")
		check(m.t, err)
		m.must(info.Head == head && info.Acked == m.acked[of], "stream of %s: %+v, not %d", of, info, head)
		seq := info.Oldest
		check(m.t, ReadNotifications(view, info.ID, 1, func(n *command.Notification) bool {
			m.must(n.Seq == seq, "seq %d where %d is next", n.Seq, seq)
			seq++
			return true
		}))
		m.must(seq == head+1, "the stream of %s ends at %d, not %d", of, seq-1, head)
	}
}
