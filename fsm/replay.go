package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// StreamInfo is a client stream as a reader sees it. The zero value, with
// Oldest 1, is a stream that nothing was ever sent to.
type StreamInfo struct {
	ID uint64
	// Head is the last seq given out, 0 for none; Oldest the first retained.
	Head, Oldest uint64
	// Acked is the device's acknowledgement; without a cursor of its own, what
	// lies before Oldest.
	Acked uint64
}

// ReadStream reads a client's stream as one of its devices sees it.
func ReadStream(view *storage.View, tenant, client, device string) (StreamInfo, error) {
	id, err := lookUpName(view, nameTenant, tenant)
	if err != nil || id == 0 {
		return StreamInfo{Oldest: 1}, err
	}
	value, found, err := view.Get(keyStream(nil, id, client))
	if err != nil || !found {
		return StreamInfo{Oldest: 1}, err
	}
	var row streamRow
	row.read(value)
	info := StreamInfo{ID: row.id, Head: row.head, Oldest: row.oldest, Acked: row.oldest - 1}
	if device == "" {
		device = DefaultDevice
	}
	if d := row.device(device); d != nil {
		info.Acked = d.acked
	}
	return info, nil
}

// ReadNotifications calls fn for the notifications from seq from on, ascending,
// until it returns false. The notification is valid during the call.
func ReadNotifications(view *storage.View, stream, from uint64, fn func(*command.Notification) bool) error {
	end := after(appendU64([]byte{kindNotification}, stream))
	return view.Scan(keyNotification(nil, stream, from), end, func(_, value []byte) (bool, error) {
		r := openRow(value)
		n := r.Notification()
		closeRow(&r)
		return fn(&n), nil
	})
}

// ReadJob reads the job of a lease that is in force, to push it again after a
// leader change; the second result is false when it is over.
func ReadJob(view *storage.View, id command.LeaseID) (command.Job, bool, error) {
	key := jobKey{id.Group, id.Event.Queue, id.Event.Position}
	value, found, err := view.Get(keyJob(nil, kindActive, key))
	if err != nil || !found {
		return command.Job{}, false, err
	}
	var j jobRow
	j.read(value)
	if j.state != jobLeased || j.fence != id.Fence {
		return command.Job{}, false, nil
	}
	value, found, err = view.Get(keyQueue(nil, id.Event.Queue))
	if err != nil || !found {
		return command.Job{}, false, err
	}
	var q queueRow
	q.read(value)
	names := newNames()
	if err := names.load(view); err != nil {
		return command.Job{}, false, err
	}
	value, found, err = view.Get(keyEvent(nil, id.Event.Queue, id.Event.Position))
	if err != nil || !found {
		return command.Job{}, false, err
	}
	e := readEvent(value, id.Event, names.text(nameChannel, q.channel), names.text(nameTenant, q.tenant))
	return command.Job{
		Lease: id, LeaseMS: j.leaseMS, Group: names.text(nameGroup, id.Group),
		CorrelationID: e.correlationID(), CausationID: e.causationID(),
		Checkpoint: slices.Clone(j.checkpoint), Event: e.Event,
	}, true, nil
}

// HasEvent tells whether an event of the tenant is stored here.
func HasEvent(view *storage.View, tenant string, id command.EventID) (bool, error) {
	value, found, err := view.Get(keyQueue(nil, id.Queue))
	if err != nil || !found {
		return false, err
	}
	var q queueRow
	q.read(value)
	of, err := lookUpName(view, nameTenant, tenant)
	if err != nil || of == 0 || of != q.tenant {
		return false, err
	}
	_, found, err = view.Get(keyEvent(nil, id.Queue, id.Position))
	return found, err
}
