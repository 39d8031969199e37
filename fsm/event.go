package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// event is one stored event. Channel and tenant stand in its queue's row, not
// in its own.
type event struct {
	id command.EventID
	// parent is the event whose job emitted this one; zero for a publish.
	parent command.EventID
	// storedMS is the state's time of the entry that stored it.
	storedMS int64
	// deliverMS holds the event back until then; 0 for at once.
	deliverMS int64
	command.Event
}

// correlationID is the resolved one: an event that names none starts a lineage
// under its own id.
func (e *event) correlationID() string {
	if e.CorrelationID != "" {
		return e.CorrelationID
	}
	return e.id.String()
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

// bare is the event without the bytes that alias an entry: what a lease keeps.
func (e *event) bare() *event {
	kept := *e
	kept.Payload, kept.Headers = command.Payload{}, nil
	return &kept
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

// readEvent reads an event's row; it copies the row once and aliases the copy.
func readEvent(value []byte, id command.EventID, channel, tenant string) *event {
	r := openRow(slices.Clone(value))
	e := &event{id: id}
	e.storedMS = r.Int()
	e.deliverMS = r.Int()
	e.parent = r.EventID()
	e.Event = r.Event()
	e.Channel, e.Tenant = channel, tenant
	closeRow(&r)
	return e
}
