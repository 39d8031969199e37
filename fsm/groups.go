package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// MaxGroups is how many groups a channel has at most, the group default among
// them: each costs a cursor's row in every entry that stores an event.
const MaxGroups = 64

// noSuchGroup is said to who may work in a group and not make one: a group's
// events are those of all tenants, and so is what its not being worked on holds up.
const noSuchGroup = "there is no such group, and a token of one tenant cannot make it: " +
	"an administrator of all tenants makes it with baton channel set CHANNEL --group NAME=new"

// groupRow is how a group of a channel began. The group default has none of it:
// it is as old as its channel.
type groupRow struct {
	// born is the first position that could be stored after the group was made.
	born uint64
	// from tells whether the events before born are the group's.
	from command.GroupFrom
}

func (g *groupRow) append(dst []byte) []byte {
	return append(command.AppendUint(append(dst, rowVersion), g.born), byte(g.from))
}

func (g *groupRow) read(value []byte) {
	r := openRow(value)
	g.born, g.from = r.Uint(), command.GroupFrom(r.Byte())
	closeRow(&r)
}

// skips tells whether an event is none of the group's, having been stored before it.
func (g *groupRow) skips(position uint64) bool {
	return position < g.born && g.from == command.FromNew
}

// createGroup makes a group of a channel, and the channel if it has to. A group
// that exists stays as it is, and one that has to exist is not made.
func (m *Machine) createGroup(c *command.CreateGroup) command.Result {
	if wrong := wrongGroup(c); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	if t := m.turnsOf(c.Channel, c.Group); t != nil {
		return command.Result{Duplicate: true, Offset: uint64(t.from)}
	}
	if c.Existing {
		return refuse(command.Forbidden, noSuchGroup)
	}
	if ch := m.channels[m.names.find(nameChannel, c.Channel)]; ch != nil && len(ch.turns) >= MaxGroups {
		return refuse(command.BadRequest, fmt.Sprintf("the channel has %d groups, no more are made", MaxGroups))
	}
	ch := m.channelOf(m.intern(nameChannel, c.Channel, &m.counters.nextChannel))
	t := newTurns(ch.id, m.intern(nameGroup, c.Group, &m.counters.nextGroup))
	t.groupRow = groupRow{born: m.counters.nextPosition, from: c.From}
	ch.add(t)
	m.set(keyGroup(m.scratch.key[:0], t.channel, t.group), t.append(m.scratch.value[:0]))
	for _, q := range m.queuesOf(ch.id) {
		m.begin(t, q)
	}
	return command.Result{Offset: uint64(c.From)}
}

// wrongGroup says what is wrong with a new group, empty when nothing is.
func wrongGroup(c *command.CreateGroup) string {
	switch {
	case c.Channel == "" || c.Group == "":
		return "the group lacks a name or a channel"
	case len(c.Channel) > MaxNameBytes:
		return tooLong("channel", c.Channel)
	case len(c.Group) > MaxNameBytes:
		return tooLong("group", c.Group)
	case c.Group == DefaultGroup:
		return "every channel has the group default"
	case c.From != command.FromNew && c.From != command.FromEarliest:
		return fmt.Sprintf("a group cannot begin at %d", c.From)
	default:
		return ""
	}
}

// begin gives a new group its cursor in a sub-queue that was there before.
func (m *Machine) begin(t *turns, q *queue) {
	c := &cursor{turns: t, queue: q}
	t.join(c)
	m.joinTenant(c)
	if t.from == command.FromNew {
		c.frontier, c.consumed = t.born, q.enqueued
	} else {
		c.frontier, c.consumed = q.retained.first, q.retained.events
	}
	c.complete = q.enqueued == c.consumed
	at, _ := slices.BinarySearchFunc(q.cursors, t.group, func(c *cursor, group uint32) int {
		return cmp.Compare(c.turns.group, group)
	})
	q.cursors = slices.Insert(q.cursors, at, c)
	m.touch(c)
}

// add adds a group to a channel. Invariant: a channel's groups, and a
// sub-queue's cursors, stand in the order of the groups' ids, as they are read
// back: rows are written in the order of cursors.
func (ch *channel) add(t *turns) {
	at, _ := slices.BinarySearchFunc(ch.turns, t.group, func(t *turns, group uint32) int {
		return cmp.Compare(t.group, group)
	})
	ch.turns = slices.Insert(ch.turns, at, t)
}

// queuesOf are the sub-queues of a channel, oldest first.
func (m *Machine) queuesOf(channel uint32) []*queue {
	var of []*queue
	for _, q := range m.queues {
		if q.channel == channel {
			of = append(of, q)
		}
	}
	slices.SortFunc(of, func(a, b *queue) int { return cmp.Compare(a.id, b.id) })
	return of
}

// canceledBefore tells whether an event that is older than the group was stopped
// for good before the group came to it, as the group default has it: then it is
// stopped here too. What was canceled since the group was made is void in it.
func (m *Machine) canceledBefore(c *cursor, e *event) bool {
	if e.id.Position >= c.turns.born {
		return false
	}
	first := jobKey{m.names.find(nameGroup, DefaultGroup), c.queue.id, e.id.Position}
	value, found := m.get(keyJob(m.scratch.key[:0], kindParked, first))
	if !found {
		return false
	}
	row := stoppedBefore(value, e)
	if row == nil {
		return false
	}
	here := jobKey{c.turns.group, c.queue.id, e.id.Position}
	m.set(keyJob(m.scratch.key[:0], kindParked, here), row.append(m.scratch.value[:0]))
	return true
}

// stoppedBefore is the job of an event that a group does not come to, given that
// of the group default: nil unless that was canceled, and before its time to
// live was over.
func stoppedBefore(first []byte, e *event) *jobRow {
	var j jobRow
	j.read(first)
	if j.state != jobCanceled || e.lapsed(j.dueMS) {
		return nil
	}
	return &jobRow{state: jobCanceled, reason: j.reason, dueMS: j.dueMS}
}
