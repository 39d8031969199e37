package fsm

import (
	"cmp"
	"slices"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// modelGroup is a group of a channel beside default, and the events that it has.
type modelGroup struct {
	name, channel string
	from          command.GroupFrom
	events        []*modelEvent
}

// arrive is a stored event as it begins in a group.
func (m *model) arrive(e *modelStored, group string) *modelEvent {
	begun := &modelEvent{modelStored: e, group: group, state: waiting}
	if e.fields.Channel == fanOut && group == DefaultGroup {
		begun.state = absent
		return begun
	}
	if e.deliverMS > m.nowMS {
		begun.state, begun.dueMS = delayed, e.deliverMS
	}
	return begun
}

// drawGroup makes a group, or one that exists once more.
func (m *model) drawGroup() *command.CreateGroup {
	c := &command.CreateGroup{
		Channel: rapid.SampledFrom([]string{"a", "b", "c", fanOut}).Draw(m.t, "channel"),
		Group:   rapid.SampledFrom([]string{"g", "h", DefaultGroup}).Draw(m.t, "group"),
		From:    rapid.SampledFrom([]command.GroupFrom{command.FromNew, command.FromEarliest}).Draw(m.t, "from"),
	}
	if c.Group == DefaultGroup {
		m.expect = append(m.expect, func(r *command.Result) { m.must(r.Reason == command.BadRequest, "default: %+v", r) })
		return c
	}
	for _, g := range m.groups {
		if g.name == c.Group && g.channel == c.Channel {
			m.expectGroup(true, g.from)
			return c
		}
	}
	m.expectGroup(false, c.From)
	g := &modelGroup{name: c.Group, channel: c.Channel, from: c.From}
	m.groups = append(m.groups, g)
	for _, e := range m.events {
		if e.fields.Channel == g.channel && g.from == command.FromEarliest {
			begun := m.arrive(e.modelStored, g.name)
			begun.old = true
			g.events = append(g.events, begun)
		}
	}
	return c
}

func (m *model) expectGroup(exists bool, from command.GroupFrom) {
	m.expect = append(m.expect, func(r *command.Result) {
		m.must(r.Reason == command.Done && r.Duplicate == exists && r.Offset == uint64(from), "group, there %v from %d: %+v", exists, from, r)
	})
}

// inheritCancels stops what the group default has canceled in those groups that
// are younger than the event and have not come to it.
func (m *model) inheritCancels() {
	for _, g := range m.groups {
		for _, e := range g.events {
			first := m.events[e.id.Position-1]
			if e.old && !e.granted && (e.state == waiting || e.state == delayed || e.state == lapsed) &&
				first.state == canceled && !e.over(first.stoppedMS) {
				e.state = canceled
			}
		}
	}
}

// stop cancels an event for good.
func (m *model) stop(e *modelEvent) { e.state, e.stoppedMS = canceled, m.nowMS }

// drawGroupOf names the group of an event, or all where it is in one only.
func (m *model) drawGroupOf(e *modelEvent) string {
	if len(m.inGroups(e)) == 1 && rapid.Bool().Draw(m.t, "all groups") {
		return ""
	}
	return e.group
}

// byPosition are all events in all groups in the order of their positions, then
// of the groups' ids: they are counted from the group default on.
func (m *model) byPosition() []*modelEvent {
	all := m.everywhere()
	ids := map[string]int{DefaultGroup: 0}
	for _, g := range m.groups {
		if _, known := ids[g.name]; !known {
			ids[g.name] = len(ids)
		}
	}
	slices.SortStableFunc(all, func(a, b *modelEvent) int {
		return cmp.Or(cmp.Compare(a.id.Position, b.id.Position), cmp.Compare(ids[a.group], ids[b.group]))
	})
	return all
}

// everywhere are all events in all groups.
func (m *model) everywhere() []*modelEvent {
	var all []*modelEvent
	for _, e := range m.events {
		if e.state != absent {
			all = append(all, e)
		}
	}
	for _, g := range m.groups {
		all = append(all, g.events...)
	}
	return all
}

// inGroups is an event in each group that has it.
func (m *model) inGroups(of *modelEvent) (in []*modelEvent) {
	for _, e := range m.everywhere() {
		if e.id == of.id {
			in = append(in, e)
		}
	}
	return in
}

// inGroup is an event in one group, or nil where that does not have it.
func (m *model) inGroup(of *modelEvent, group string) *modelEvent {
	for _, e := range m.inGroups(of) {
		if e.group == group {
			return e
		}
	}
	return nil
}

// before are the events of the same group and channel that were stored earlier.
func (m *model) before(e *modelEvent) (earlier []*modelEvent) {
	for _, other := range m.everywhere() {
		if other.group == e.group && other.id.Position < e.id.Position {
			earlier = append(earlier, other)
		}
	}
	return earlier
}

// statesOf are the states that a reader sees an event in, by group.
func (m *model) statesOf(view *storage.View, e *modelEvent) map[string]string {
	l := &lineageReader{
		view: view, names: newNameReader(view), queues: make(map[uint32]queueRow),
		groups: make(map[uint32][]uint32), out: &Lineage{}, counters: counters{timeMS: m.nowMS},
	}
	_, err := l.queue(e.id.Queue)
	check(m.t, err)
	at := &event{id: e.id, deliverMS: e.deliverMS, storedMS: m.stored[e]}
	at.TTLMS = e.fields.TTLMS
	_, err = l.attempts(at)
	check(m.t, err)
	states, err := l.states(at)
	check(m.t, err)
	return states
}
