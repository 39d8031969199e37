package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// MaxCountedAhead is how many events in line before another one are counted.
const MaxCountedAhead = 1000

// Why an event is where it is in a group: the stable words of WhyGroup.Reason.
const (
	// WhyInLine: others of its tenant come first, or it is next and waits for a worker's
	// credit.
	WhyInLine = "in_line"
	// WhyKeyBusy: its channel is ordered, and another event of its key is in work.
	WhyKeyBusy = "key_busy"
	// WhyLimitLine: others stand before it in the line of a limit.
	WhyLimitLine = "limit_line"
	// WhyLimitFull: as many jobs of a limit are in flight as may be.
	WhyLimitFull = "limit_full"
	// WhyLimitRate: a rate of a limit is used up.
	WhyLimitRate = "limit_rate"
	// WhyPermit: the limit's home is another partition, and has not lent a permit yet.
	WhyPermit = "limit_permit"
	// WhyThrottled: a limit is paused, since a worker was throttled.
	WhyThrottled = "limit_throttled"
	// WhyTenantFull and WhyTenantRate: the tenant has all the leases that it may, or was
	// granted all that its rate lets through.
	WhyTenantFull = "tenant_in_flight"
	WhyTenantRate = "tenant_rate"
	// WhyDelayed: it is put off.
	WhyDelayed = "delayed"
	// WhyLeased: a worker has it. WhyParked: its worker put it into other hands.
	WhyLeased = "leased"
	WhyParked = "parked"
	// WhyRuns: it has begun a run, which goes on. WhyHeld: the run of whose step it is, is
	// paused.
	WhyRuns = "run_goes_on"
	WhyHeld = "run_paused"
	// WhyEnded: it has come to its end, which State tells.
	WhyEnded = "ended"
)

// Why tells why an event waits.
type Why struct {
	EventID string `json:"event_id"`
	Tenant  string `json:"tenant"`
	Channel string `json:"channel"`
	// Time is the partition's, in Unix milliseconds.
	Time   int64      `json:"time"`
	Groups []WhyGroup `json:"groups"`
}

// WhyGroup is why it waits in one group.
type WhyGroup struct {
	Group string `json:"group"`
	State string `json:"state"`
	// Reason is one of the words beside WhyInLine.
	Reason string `json:"reason"`
	// Ahead is how many events of the tenant come first, at most MaxCountedAhead.
	Ahead int `json:"ahead,omitempty"`
	// BusyWith is the event that holds the key.
	BusyWith string `json:"busy_with,omitempty"`
	// Limit and LimitKey name the limit, InFlight of MaxInFlight have a place in it now.
	Limit       string `json:"limit,omitempty"`
	LimitKey    string `json:"limit_key,omitempty"`
	InFlight    uint32 `json:"in_flight,omitempty"`
	MaxInFlight uint32 `json:"max_in_flight,omitempty"`
	// Until is when time ends the reason, in Unix milliseconds, and Since when it began.
	Until int64 `json:"until,omitempty"`
	Since int64 `json:"since,omitempty"`
	// Worker has it on Node, in its so many-th attempt.
	Worker  string `json:"worker,omitempty"`
	Node    string `json:"node,omitempty"`
	Attempt uint32 `json:"attempt,omitempty"`
	// Ended is why a dead or canceled one ended.
	Ended string `json:"ended,omitempty"`
	// Workers is how many subscriptions may be given the event, where it waits for
	// credit, and Credit how much they have free. The state does not know them: the
	// partition's leader adds it.
	Workers *int    `json:"workers,omitempty"`
	Credit  *uint64 `json:"credit,omitempty"`
}

// ReadWhy tells why a tenant's event waits; nil when there is none.
func ReadWhy(view *storage.View, tenant string, id command.EventID) (why *Why, err error) {
	defer invariants.Recover(&err)
	l, e, err := lookUpEvent(view, tenant, id)
	if err != nil || e == nil {
		return nil, err
	}
	if err := l.endings(e); err != nil {
		return nil, err
	}
	why = &Why{
		EventID: e.id.String(), Tenant: e.Tenant, Channel: e.Channel, Time: l.counters.timeMS, Groups: []WhyGroup{},
	}
	for _, group := range l.groupsOf(e) {
		state, j, err := l.stateIn(e, group)
		if err != nil {
			return nil, err
		}
		if state == "" {
			continue
		}
		at := WhyGroup{Group: l.names.text(nameGroup, group), State: state}
		if err := l.why(e, group, j, &at); err != nil {
			return nil, err
		}
		why.Groups = append(why.Groups, at)
	}
	return why, l.names.err
}

// endings reads how the event's attempts ended, as states ask.
func (l *lineageReader) endings(e *event) error {
	_, _, err := l.shownAttempts(e, 0)
	return err
}

// why fills in the reason of one group.
func (l *lineageReader) why(e *event, group uint32, j *jobRow, at *WhyGroup) error {
	key := jobKey{group, e.id.Queue, e.id.Position}
	switch {
	case at.State == endCompleted.word(), at.State == endDiscarded.word():
		at.Reason = WhyEnded
		return nil
	case j == nil && at.State == jobDelayed.String():
		at.Reason, at.Until = WhyDelayed, e.deliverMS
		return nil
	case j == nil:
		return l.whyInLine(key, at)
	}
	at.Attempt, at.Ended = j.attempt, j.reason
	switch j.state {
	case jobLeased, jobParked:
		at.Reason, at.Since, at.Worker, at.Node = WhyLeased, j.grantedMS, j.holder.Worker, j.holder.Node
		if j.state == jobParked {
			at.Reason, at.Since, at.Until = WhyParked, j.parkedMS, j.dueMS
		}
	case jobDelayed:
		at.Reason, at.Until = WhyDelayed, j.dueMS
	case jobBlocked:
		return l.whyBlocked(e, key, at)
	case jobLimited:
		return l.whyLimited(e, key, j, at)
	case jobReady, jobCalled:
		return l.whyInLine(key, at)
	case jobRuns:
		at.Reason = WhyRuns
	case jobHeld:
		at.Reason = WhyHeld
	case jobDead, jobCanceled, jobLapsed, jobRunFailed:
		at.Reason = WhyEnded
	}
	return nil
}

// whyInLine is for an event that waits for credit: how many come before it, and whether
// its tenant is held.
func (l *lineageReader) whyInLine(key jobKey, at *WhyGroup) error {
	at.Reason = WhyInLine
	ahead, err := l.readyBefore(key)
	if err != nil {
		return err
	}
	var c cursorRow
	value, found, err := l.view.Get(keyCursor(nil, key.group, key.queue))
	if err != nil {
		return err
	}
	if found {
		c.read(value)
	}
	if key.position >= c.frontier {
		from, to := keyEvent(nil, key.queue, c.frontier), keyEvent(nil, key.queue, key.position)
		err = l.view.Scan(from, to, func([]byte, []byte) (bool, error) {
			ahead++
			return ahead < MaxCountedAhead, nil
		})
	}
	at.Ahead = min(ahead, MaxCountedAhead)
	if err != nil {
		return err
	}
	return l.whyHeld(key, at)
}

// readyBefore counts those of the sub-queue that wait again and are older: they come first.
func (l *lineageReader) readyBefore(key jobKey) (count int, err error) {
	from := jobKey{group: key.group, queue: key.queue}
	err = l.view.Scan(keyJob(nil, kindActive, from), keyJob(nil, kindActive, key), func(_, value []byte) (bool, error) {
		if state := stateOf(value); state == jobReady || state == jobCalled {
			count++
		}
		return count < MaxCountedAhead, nil
	})
	return count, err
}

// whyHeld looks whether the tenant's settings hold it.
func (l *lineageReader) whyHeld(key jobKey, at *WhyGroup) error {
	id := l.queues[key.queue].tenant
	value, found, err := l.view.Get(keyTenantSettings(nil, id))
	if err != nil || !found {
		return err
	}
	var t tenant
	t.read(value)
	if until := t.grantableMS(l.counters.timeMS); until > l.counters.timeMS {
		at.Reason, at.Until = WhyTenantRate, until
	}
	if t.settings.MaxInFlight == 0 {
		return nil
	}
	if t.leased, err = l.leasesOf(id); err != nil {
		return err
	}
	if t.full() {
		at.Reason, at.Until, at.InFlight, at.MaxInFlight = WhyTenantFull, 0, t.leased, t.settings.MaxInFlight
	}
	return nil
}

// leasesOf counts a tenant's leases.
func (l *lineageReader) leasesOf(tenant uint32) (count uint32, err error) {
	tenants := make(map[uint32]uint32)
	err = l.view.Scan([]byte{kindQueue}, after([]byte{kindQueue}), func(key, value []byte) (bool, error) {
		var q queueRow
		q.read(value)
		tenants[u32At(key, 1)] = q.tenant
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	err = l.view.Scan([]byte{kindActive}, after([]byte{kindActive}), func(key, value []byte) (bool, error) {
		if stateOf(value) == jobLeased && tenants[readJobKey(key).queue] == tenant {
			count++
		}
		return true, nil
	})
	return count, err
}

// whyBlocked is for an event in line behind another of its key.
func (l *lineageReader) whyBlocked(e *event, key jobKey, at *WhyGroup) error {
	at.Reason = WhyKeyBusy
	q := l.queues[key.queue]
	line := keyLine{group: key.group, tenant: q.tenant, of: digestOf(e.Key)}
	value, found, err := l.view.Get(keyBusy(nil, q.channel, line))
	if err != nil || !found {
		return err
	}
	r := openRow(value)
	holder := r.Uint()
	closeRow(&r)
	if at.BusyWith, err = l.eventAt(q, holder); err != nil {
		return err
	}
	at.Ahead, err = l.countRows(keyBlocked(nil, q.channel, line, 0), keyBlocked(nil, q.channel, line, key.position))
	return err
}

// eventAt is the id of the event at a position of a channel's and tenant's, in whatever
// class.
func (l *lineageReader) eventAt(of queueRow, position uint64) (id string, err error) {
	var queues []uint32
	err = l.view.Scan([]byte{kindQueue}, after([]byte{kindQueue}), func(key, value []byte) (bool, error) {
		var q queueRow
		if q.read(value); q.channel == of.channel && q.tenant == of.tenant {
			queues = append(queues, u32At(key, 1))
		}
		return true, nil
	})
	for _, queue := range queues {
		_, found, bad := l.view.Get(keyEvent(nil, queue, position))
		if bad != nil {
			return "", bad
		}
		if found {
			return command.EventID{Epoch: l.counters.epoch, Partition: l.counters.number(), Queue: queue, Position: position}.String(), nil
		}
	}
	return "", err
}

func (l *lineageReader) countRows(from, to []byte) (count int, err error) {
	err = l.view.Scan(from, to, func([]byte, []byte) (bool, error) {
		count++
		return count < MaxCountedAhead, nil
	})
	return count, err
}

// whyLimited is for an event in the line of a limit: for the first, why it finds no place.
func (l *lineageReader) whyLimited(e *event, key jobKey, row *jobRow, at *WhyGroup) error {
	j := job{jobRow: *row, key: key, event: e}
	u := j.use()
	if u == nil {
		return errMissing(key)
	}
	id := limitOf(l.queues[key.queue].tenant, u)
	var limit limitRow
	value, found, err := l.view.Get(keyLimit(nil, id))
	if err != nil {
		return err
	}
	if found {
		limit.read(value)
	}
	at.Ahead, err = l.countRows(keyInLine(nil, id, 0, 0), keyInLine(nil, id, key.position, key.group))
	at.Limit, at.LimitKey, at.InFlight, at.MaxInFlight = u.Limit, u.Key, limit.inFlight, u.MaxInFlight
	if u.Adaptive {
		at.MaxInFlight = limit.bound(boundsOf(u))
	}
	switch why, untilMS := limit.roomFirst(u, l.counters.timeMS); why {
	case throttled:
		at.Reason, at.Until = WhyThrottled, untilMS
	case outOfRate:
		at.Reason, at.Until = WhyLimitRate, untilMS
	case allTaken:
		if at.Reason = WhyLimitFull; limit.foreign {
			at.Reason = WhyPermit
		}
	case roomy, behindOthers:
		at.Reason = WhyLimitLine
	}
	return err
}
