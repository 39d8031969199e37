package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// event is one stored event. Channel and tenant stand in its queue's row, not
// in its own.
type event struct {
	command.Event

	id command.EventID
	// parent is the event whose job emitted this one; zero for a publish.
	parent command.EventID
	// storedMS is the state's time of the entry that stored it.
	storedMS int64
	// deliverMS holds the event back until then; 0 for at once.
	deliverMS int64
	// whole means that Payload and Headers are those of the row. They are bytes
	// of the entry or of a copy, and live in memory for one Apply: see
	// Machine.strip. A bare event has neither.
	whole bool
	// size is the bytes of the data, which a bare event knows, too.
	size int64
	// begins is the version that the event begins a run of, others those that it has other
	// events begin runs of; aside means that the run takes it out of the group default.
	// forks means that the run goes on where another stood. They are set while the event
	// is stored.
	begins       *definition
	others       []*definition
	aside, forks bool
	// named is the id as text, once somebody asked for it as the correlation id.
	named string
}

// correlationID is the resolved one: an event that names none starts a lineage
// under its own id.
func (e *event) correlationID() string {
	if e.CorrelationID != "" {
		return e.CorrelationID
	}
	if e.named == "" {
		e.named = e.id.String()
	}
	return e.named
}

// causationID is the resolved one: the parent for what a job emitted, else the
// event itself.
func (e *event) causationID() string {
	switch {
	case e.CausationID != "":
		return e.CausationID
	case !e.parent.IsZero():
		return e.parent.String()
	default:
		return e.id.String()
	}
}

// endMS is when the event's time to live is over, maxTime for never.
func (e *event) endMS() int64 {
	if e.TTLMS == 0 {
		return maxTime
	}
	return e.storedMS + int64(min(e.TTLMS, uint64(maxTime-e.storedMS))) //nolint:gosec // Times are not negative.
}

// lapsed tells whether the event's time to live is over: it is not granted from
// then on. The entry's time decides, so every replica says the same.
func (e *event) lapsed(nowMS int64) bool { return e.TTLMS != 0 && nowMS >= e.endMS() }

// strip makes the event bare.
func (e *event) strip() {
	e.Payload, e.Headers, e.whole, e.named = command.Payload{}, nil, false, ""
}

// own makes the event's bytes its own.
func (e *event) own() {
	e.Payload.Bytes, e.Headers = slices.Clone(e.Payload.Bytes), slices.Clone(e.Headers)
}

// append appends the event's row: version, times, parent, fields. Channel and
// tenant are left out.
func (e *event) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendInt(dst, e.storedMS)
	dst = command.AppendInt(dst, e.deliverMS)
	dst = command.AppendEventID(dst, e.parent)
	fields := e.Event
	fields.Channel, fields.Tenant = "", ""
	return command.AppendEvent(dst, &fields)
}

// readEvent reads an event's row. Its payload and headers alias value: own or
// strip makes the event one to keep.
func readEvent(value []byte, id command.EventID, channel, tenant string) *event {
	r := openRow(value)
	e := &event{id: id, whole: true}
	e.storedMS = r.Int()
	e.deliverMS = r.Int()
	e.parent = r.EventID()
	e.Event = r.Event()
	e.Channel, e.Tenant, e.size = channel, tenant, int64(len(e.Payload.Bytes))
	closeRow(&r)
	return e
}
