package fsm

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
)

// describe adds an event and its marks to the lineage, and returns what its
// attempts emitted.
func (l *lineageReader) describe(e *event) ([]command.EventID, error) {
	l.last = nil
	at := len(l.out.Events)
	l.out.Events = append(l.out.Events, LineageEvent{
		EventID: e.id.String(), Channel: e.Channel, Offset: e.id.Position, Key: e.Key, ClientID: e.ClientID,
		IdempotencyKey: e.IdempotencyKey, CausationID: e.causationID(), Time: e.storedMS, Bytes: len(e.Payload.Bytes),
	})
	l.mark(e, Mark{Time: e.storedMS, Mark: "published", ClientID: e.ClientID})
	emitted, err := l.attempts(e)
	if err != nil {
		return nil, err
	}
	states, err := l.states(e)
	if err != nil {
		return nil, err
	}
	l.out.Events[at].State = firstOf(states)
	if l.severalGroups(e) {
		l.out.Events[at].Groups = states
	}
	return emitted, l.acks(e)
}

func (l *lineageReader) mark(e *event, m Mark) {
	m.EventID, m.Channel = e.id.String(), e.Channel
	l.out.Marks = append(l.out.Marks, m)
}

// attempts adds the marks of the event's ended attempts.
func (l *lineageReader) attempts(e *event) (emitted []command.EventID, err error) {
	prefix := keyPlace(nil, kindAttempt, e.id.Queue, e.id.Position)
	err = l.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		row := readAttempt(append([]byte(nil), value...))
		emitted = append(emitted, row.emitted...)
		l.attempt(e, &row)
		return len(l.out.Marks) < MaxLineageMarks, nil
	})
	return emitted, err
}

func (l *lineageReader) attempt(e *event, row *attemptRow) {
	l.noteLast(row)
	if row.how == endRedriven || row.how == endDiscarded {
		l.letterEnd(e, row)
		return
	}
	duration := row.endedMS - row.grantedMS
	common := Mark{
		Group: l.names.text(nameGroup, row.group), Worker: row.worker, Node: row.node, Attempt: row.attempt,
	}
	leased := common
	leased.Time, leased.Mark = row.grantedMS, "leased"
	l.mark(e, leased)
	if row.parkedMS != 0 {
		parked := common
		parked.Time, parked.Mark = row.parkedMS, endParked
		l.mark(e, parked)
	}
	ended := common
	ended.Time, ended.Mark, ended.DurationMS = row.endedMS, row.how.word(), &duration
	ended.Code, ended.Message, ended.Detail, ended.Usage = row.code, row.message, valid(row.detail), valid(row.usage)
	l.mark(e, ended)
	for _, id := range row.emitted {
		if id.IsZero() {
			continue // It was relayed.
		}
		l.mark(e, Mark{Time: row.endedMS, Mark: "emitted", Group: common.Group, Emitted: id.String()})
	}
	for _, n := range row.notified {
		l.mark(e, Mark{Time: row.endedMS, Mark: "notified", Group: common.Group, ClientID: n.client, Name: n.name, Seq: n.seq})
	}
	for i := range row.relayed {
		to := &row.relayed[i]
		l.mark(e, Mark{Time: row.endedMS, Mark: "relayed", Group: common.Group, Partition: &to.target, ClientID: to.client, Name: to.name})
	}
}

// valid is one JSON value, or nil where the bytes are none: a reader's encoder
// would refuse the whole lineage for it.
func valid(value []byte) json.RawMessage {
	if !json.Valid(value) {
		return nil
	}
	return value
}

// stateIn is where the event stands in one group, and its job where it has one;
// empty for one that passed it over.
// That a letter was discarded is known from its attempts, read before.
func (l *lineageReader) stateIn(e *event, group uint32) (string, *jobRow, error) {
	if j, err := l.jobIn(e, group); err != nil {
		return "", nil, err
	} else if j != nil {
		return j.state.String(), j, nil
	}
	value, found, err := l.view.Get(keyCursor(nil, group, e.id.Queue))
	if err != nil {
		return "", nil, err
	}
	var c cursorRow
	if found {
		c.read(value)
	}
	early, err := l.canceledBefore(e, group)
	switch {
	case err != nil:
		return "", nil, err
	case e.id.Position < c.frontier && l.last[group].how == endDiscarded:
		return endDiscarded.word(), nil, nil
	case e.id.Position < c.frontier && l.passedOver(group):
		state, err := l.ran(e, group)
		return state, nil, err
	case e.id.Position < c.frontier:
		return endCompleted.word(), nil, nil
	case early != nil:
		return jobCanceled.String(), early, nil
	case e.lapsed(l.counters.timeMS):
		return jobLapsed.String(), &jobRow{state: jobLapsed}, nil
	case e.deliverMS > l.counters.timeMS:
		return jobDelayed.String(), nil, nil
	default:
		return jobReady.String(), nil, nil
	}
}

// passedOver tells whether an event that is done in a group was none of its work:
// see Machine.passesOver. Nobody completed it; where attempts are many, not all of
// them were read.
func (l *lineageReader) passedOver(group uint32) bool {
	return l.last[group].how != endCompleted && len(l.out.Marks) < MaxLineageMarks
}

// ran is the state of an event in a group that had nothing to do with it: completed where
// it began a run, which has succeeded, else none.
func (l *lineageReader) ran(e *event, group uint32) (string, error) {
	if l.names.text(nameGroup, group) != DefaultGroup {
		return "", nil
	}
	_, found, err := l.view.Get(keyRun(nil, l.queues[e.id.Queue].tenant, e.id.Position))
	if err != nil || !found {
		return "", err
	}
	return endCompleted.word(), nil
}

// jobIn is the event's job in a group, or nil where it has none.
func (l *lineageReader) jobIn(e *event, group uint32) (*jobRow, error) {
	for _, kind := range []byte{kindActive, kindParked} {
		value, found, err := l.view.Get(keyJob(nil, kind, jobKey{group, e.id.Queue, e.id.Position}))
		if err != nil {
			return nil, err
		}
		if found {
			j := &jobRow{}
			j.read(value)
			if j.state.waits() && e.lapsed(l.counters.timeMS) {
				j.state = jobLapsed // Its turn to be set aside has not come yet.
			}
			return j, nil
		}
	}
	return nil, nil //nolint:nilnil // Nothing found is no error here.
}

// lastAttempt is how and when the last attempt of a group ended.
type lastAttempt struct {
	how     ending
	endedMS int64
}

// noteLast keeps how the last attempt of a group ended.
func (l *lineageReader) noteLast(row *attemptRow) {
	if l.last == nil {
		l.last = make(map[uint32]lastAttempt)
	}
	l.last[row.group] = lastAttempt{row.how, row.endedMS}
}

// lapsedMS is when an event lapsed in a group: when its time to live was over,
// or when the attempt ended that was under way then.
func (l *lineageReader) lapsedMS(e *event, group uint32) int64 {
	return max(e.endMS(), l.last[group].endedMS)
}

// letterEnd adds the marks of a dead letter that was redriven or discarded: of
// its death, which its job does not tell any more, and of that.
func (l *lineageReader) letterEnd(e *event, row *attemptRow) {
	m := Mark{Group: l.names.text(nameGroup, row.group), Attempt: row.attempt}
	dead, ended := m, m
	dead.Time, dead.Mark, dead.Message = row.grantedMS, jobDead.String(), row.message
	ended.Time, ended.Mark = row.endedMS, row.how.word()
	switch {
	case row.how == endDiscarded:
		ended.Message = row.code
	case row.code == codeEdited:
		ended.Message = "with other data"
	}
	l.mark(e, dead)
	l.mark(e, ended)
}

// standing adds the marks of a job that is leased, parked, dead or canceled now.
func (l *lineageReader) standing(e *event, group uint32, j *jobRow) {
	m := Mark{Group: l.names.text(nameGroup, group), Attempt: j.attempt}
	switch j.state {
	case jobLeased, jobParked:
		m.Time, m.Mark, m.Worker, m.Node = j.grantedMS, "leased", j.holder.Worker, j.holder.Node
		if j.state == jobParked {
			l.mark(e, m)
			m.Time, m.Mark = j.parkedMS, endParked
		}
	case jobDead:
		m.Time, m.Mark, m.Message = j.dueMS, "dead", j.reason
	case jobCanceled:
		m.Time, m.Mark, m.Message = j.dueMS, "canceled", j.reason
	case jobLapsed:
		m.Time, m.Mark = l.lapsedMS(e, group), jobLapsed.String()
	case jobRunFailed:
		m.Time, m.Mark, m.Message = j.dueMS, "failed", j.reason
	case jobReady, jobDelayed, jobBlocked, jobLimited, jobCalled, jobRuns, jobHeld:
		return
	}
	l.mark(e, m)
}

// acks adds the delivered and acknowledged marks of what the event notified.
func (l *lineageReader) acks(e *event) error {
	prefix := keyPlace(nil, kindAck, e.id.Queue, e.id.Position)
	return l.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		l.acked(e, u64At(key, 21), value)
		return true, nil
	})
}

// acked adds the marks of one acknowledged notification.
func (l *lineageReader) acked(e *event, seq uint64, value []byte) {
	var row ackRow
	row.read(value)
	m := Mark{ClientID: row.client, DeviceID: row.device, Name: row.name, Seq: seq}
	if row.deliveredMS > 0 {
		m.Mark, m.Time = "delivered", row.deliveredMS
		l.mark(e, m)
	}
	m.Mark, m.Time = "acknowledged", row.timeMS
	l.mark(e, m)
}
