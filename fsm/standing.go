package fsm

import (
	"maps"
	"slices"
)

// groupName is a group of a channel, as ids.
type groupName struct{ channel, group uint32 }

// addGroup takes note of a group of a channel.
func (l *lineageReader) addGroup(channel, group uint32, value []byte) {
	if l.begun == nil {
		l.begun = make(map[groupName]groupRow)
	}
	var row groupRow
	row.read(value)
	l.groups[channel] = append(l.groups[channel], group)
	l.begun[groupName{channel, group}] = row
}

// state is where the event stands in all its groups together: see firstOf.
func (l *lineageReader) state(e *event) (string, error) {
	states, err := l.states(e)
	return firstOf(states), err
}

// groupsOf are the groups that have the event: those from new that are younger
// have not.
func (l *lineageReader) groupsOf(e *event) (have []uint32) {
	channel := l.queues[e.id.Queue].channel
	for _, group := range l.groups[channel] {
		if began := l.begun[groupName{channel, group}]; !began.skips(e.id.Position) {
			have = append(have, group)
		}
	}
	return have
}

// states are where the event stands in each group that has it, by the group's
// name. Of each group that it is leased, dead or canceled in, it adds the mark.
func (l *lineageReader) states(e *event) (map[string]string, error) {
	states := make(map[string]string)
	for _, group := range l.groupsOf(e) {
		state, j, err := l.stateIn(e, group)
		if err != nil {
			return nil, err
		}
		if state == "" {
			continue
		}
		if j != nil {
			l.standing(e, group, j)
		}
		states[l.names.text(nameGroup, group)] = state
	}
	return states, nil
}

// severalGroups tells whether the event's channel has more than the group default.
func (l *lineageReader) severalGroups(e *event) bool {
	return len(l.groups[l.queues[e.id.Queue].channel]) > 1
}

// stateStored is the state of an event that no group is to work on.
const stateStored = "stored"

// firstOf is the state of an event in all its groups together: what is still to
// come says more than how it ended, and a bad end more than a good one.
func firstOf(states map[string]string) string {
	if len(states) == 0 {
		return stateStored
	}
	there := slices.Collect(maps.Values(states))
	for _, state := range []jobState{
		jobLeased, jobParked, jobReady, jobDelayed, jobRuns, jobDead, jobRunFailed, jobCanceled, jobLapsed,
	} {
		if slices.Contains(there, state.String()) {
			return state.String()
		}
	}
	if slices.Contains(there, endDiscarded.word()) {
		return endDiscarded.word()
	}
	return endCompleted.word()
}

// canceledBefore is Machine.canceledBefore for a reader: the job that the group
// default canceled before the group comes to the event, or nil.
func (l *lineageReader) canceledBefore(e *event, group uint32) (*jobRow, error) {
	channel := l.queues[e.id.Queue].channel
	if e.id.Position >= l.begun[groupName{channel, group}].born {
		return nil, nil //nolint:nilnil // Nothing found is no error here.
	}
	first, err := lookUpName(l.view, nameGroup, DefaultGroup)
	if err != nil {
		return nil, err
	}
	value, found, err := l.view.Get(keyJob(nil, kindParked, jobKey{first, e.id.Queue, e.id.Position}))
	if err != nil || !found {
		return nil, err
	}
	return stoppedBefore(value, e), nil
}
