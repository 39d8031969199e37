package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
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
	// Cursor means that the device has a cursor of its own.
	Cursor bool
}

// KnownTenants remembers the ids of tenants, which never change in a partition. A nil
// one remembers nothing.
type KnownTenants map[string]uint32

func (k KnownTenants) id(view *storage.View, tenant string) (uint32, error) {
	if id, known := k[tenant]; known {
		return id, nil
	}
	id, err := lookUpTenant(view, tenant)
	if err == nil && id != 0 && k != nil && len(k) < MaxTenants {
		k[tenant] = id
	}
	return id, err
}

// ReadStream reads a client's stream as one of its devices sees it. Thousands of
// sockets may attach in a moment, nearly all of tenants that are known.
func ReadStream(view *storage.View, known KnownTenants, tenant, client, device string) (info StreamInfo, err error) {
	defer invariants.Recover(&err)
	id, err := known.id(view, tenant)
	if err != nil || id == 0 {
		return StreamInfo{Oldest: 1}, err
	}
	value, found, err := view.Get(keyStream(nil, id, client))
	if err != nil || !found {
		return StreamInfo{Oldest: 1}, err
	}
	var row streamRow
	row.read(value)
	info = StreamInfo{ID: row.id, Head: row.head, Oldest: row.oldest, Acked: row.oldest - 1}
	if device == "" {
		device = DefaultDevice
	}
	if d := row.device(device); d != nil {
		info.Acked, info.Cursor = d.acked, true
	}
	return info, nil
}

// ReadNotifications calls fn for the notifications from seq from on, ascending,
// until it returns false. The notification is valid during the call.
func ReadNotifications(view *storage.View, stream, from uint64, fn func(*command.Notification) bool) (err error) {
	defer invariants.Recover(&err)
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
func ReadJob(view *storage.View, id command.LeaseID) (job command.Job, found bool, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(keyJob(nil, kindActive, jobKey{id.Group, id.Event.Queue, id.Event.Position}))
	if err != nil || !found {
		return command.Job{}, false, err
	}
	var j jobRow
	j.read(value)
	if j.state != jobLeased || j.fence != id.Fence {
		return command.Job{}, false, nil
	}
	e, err := readEventOf(view, id.Event)
	if err != nil || e == nil {
		return command.Job{}, false, err
	}
	if j.edited {
		l := &lineageReader{view: view}
		if e, err = l.revision(jobKey{id.Group, id.Event.Queue, id.Event.Position}, e); err != nil {
			return command.Job{}, false, err
		}
	}
	lost, err := lostWithSocket(view, id.Event.Queue)
	if err != nil {
		return command.Job{}, false, err
	}
	names := newNameReader(view)
	return command.Job{
		Lease: id, LeaseMS: j.leaseMS, Group: names.text(nameGroup, id.Group),
		CorrelationID: e.correlationID(), CausationID: e.causationID(),
		Checkpoint: j.checkpoint, Event: e.Event, LostWithSocket: lost,
	}, names.err == nil, names.err
}

// lostWithSocket tells whether the jobs of a sub-queue's channel are lost with
// their worker's socket.
func lostWithSocket(view *storage.View, queueID uint32) (bool, error) {
	value, found, err := view.Get(keyQueue(nil, queueID))
	if err != nil || !found {
		return false, err
	}
	var q queueRow
	q.read(value)
	value, found, err = view.Get(keySettings(nil, q.channel))
	if err != nil || !found {
		return false, err
	}
	settings := readSettings(value)
	return settings.OnDisconnect == command.LostRequeue, nil
}

// readEventOf reads an event of this partition, or returns nil, also for one that
// retention has gone over.
func readEventOf(view *storage.View, id command.EventID) (*event, error) {
	value, found, err := view.Get(keyCounters(nil))
	if err != nil || !found {
		return nil, err
	}
	var c counters
	c.read(value)
	if id.Epoch != c.epoch || uint32(id.Partition) != c.partition {
		return nil, nil //nolint:nilnil // Nothing found is no error here, and callers ask for nil.
	}
	value, found, err = view.Get(keyQueue(nil, id.Queue))
	if err != nil || !found {
		return nil, err
	}
	var q queueRow
	q.read(value)
	value, err = readKept(view, id)
	if err != nil || value == nil {
		return nil, err
	}
	names := newNameReader(view)
	e := readEvent(value, id, names.text(nameChannel, q.channel), names.text(nameTenant, q.tenant))
	return e, names.err
}
