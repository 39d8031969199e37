package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

const (
	// MaxDevices is how many devices of one client have a cursor: another one
	// takes the place of the device that was unseen longest.
	MaxDevices = 16
	// DefaultDevice is the device of a socket that names none.
	DefaultDevice = "default"
	// maxMarksPerAck bounds how many notifications one ack marks and deletes
	// one by one; an ack over more of them deletes a range, without marks.
	maxMarksPerAck = command.MaxDeliveries
)

// streamRow is a client's stream: numbered notifications and the cursors of its
// devices.
type streamRow struct {
	id uint64
	// head is the last seq given out, oldest the first that is still kept.
	head, oldest uint64
	devices      []deviceCursor
}

// deviceCursor is how far a device has acknowledged.
type deviceCursor struct {
	name   string
	acked  uint64
	seenMS int64
}

func (s *streamRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendUint(dst, s.id)
	dst = command.AppendUint(dst, s.head)
	dst = command.AppendUint(dst, s.oldest)
	dst = command.AppendUint(dst, uint64(len(s.devices)))
	for i := range s.devices {
		d := &s.devices[i]
		dst = command.AppendString(dst, d.name)
		dst = command.AppendUint(dst, d.acked)
		dst = command.AppendInt(dst, d.seenMS)
	}
	return dst
}

func (s *streamRow) read(value []byte) {
	r := openRow(value)
	s.id, s.head, s.oldest = r.Uint(), r.Uint(), r.Uint()
	for range r.Count(MaxDevices) {
		s.devices = append(s.devices, deviceCursor{name: r.String(), acked: r.Uint(), seenMS: r.Int()})
	}
	closeRow(&r)
}

func (s *streamRow) device(name string) *deviceCursor {
	for i := range s.devices {
		if s.devices[i].name == name {
			return &s.devices[i]
		}
	}
	return nil
}

// admit adds a device, in the place of the longest unseen when all are taken.
func (s *streamRow) admit(name string) *deviceCursor {
	if len(s.devices) == MaxDevices {
		oldest := 0
		for i := range s.devices {
			if s.devices[i].seenMS < s.devices[oldest].seenMS {
				oldest = i
			}
		}
		s.devices = slices.Delete(s.devices, oldest, oldest+1)
	}
	s.devices = append(s.devices, deviceCursor{name: name, acked: s.oldest - 1})
	return &s.devices[len(s.devices)-1]
}

// slowest is the smallest acknowledgement of all devices.
func (s *streamRow) slowest() uint64 {
	slowest := s.head
	for i := range s.devices {
		slowest = min(slowest, s.devices[i].acked)
	}
	return slowest
}

// stream reads a client's stream; the second result is whether it exists.
func (m *Machine) stream(tenant uint32, client string) (*streamRow, bool) {
	value, found := m.get(keyStream(m.scratch.key[:0], tenant, client))
	if !found {
		return nil, false
	}
	row := &streamRow{}
	row.read(value)
	return row, true
}

func (m *Machine) saveStream(tenant uint32, client string, s *streamRow) {
	m.set(keyStream(m.scratch.key[:0], tenant, client), s.append(m.scratch.value[:0]))
}

// post appends a notification to a client's stream, which gives it its seq, and
// returns the mark for the lineage.
func (m *Machine) post(tenantName, client string, n *command.Notification) notifiedMark {
	tenant := m.intern(nameTenant, tenantName, &m.counters.nextTenant)
	s, found := m.stream(tenant, client)
	if !found {
		s = &streamRow{id: m.counters.nextStream, oldest: 1}
		m.counters.nextStream++
	}
	s.head++
	n.Seq = s.head
	row := command.AppendNotification(append(m.scratch.value[:0], rowVersion), n)
	m.set(keyNotification(m.scratch.key[:0], s.id, s.head), row)
	m.saveStream(tenant, client, s)
	if m.out.effects {
		m.out.Notified = append(m.out.Notified, Notified{Tenant: tenantName, ClientID: client, Notification: *n})
	}
	return notifiedMark{client: client, stream: s.id, seq: s.head, name: n.Name}
}

// ackRow is the lineage's mark of an acknowledged notification.
type ackRow struct {
	client, device      string
	name                string
	deliveredMS, timeMS int64
}

func (a *ackRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendString(dst, a.client)
	dst = command.AppendString(dst, a.device)
	dst = command.AppendString(dst, a.name)
	dst = command.AppendInt(dst, a.deliveredMS)
	return command.AppendInt(dst, a.timeMS)
}

func (a *ackRow) read(value []byte) {
	r := openRow(value)
	a.client, a.device, a.name = r.String(), r.String(), r.String()
	a.deliveredMS, a.timeMS = r.Int(), r.Int()
	closeRow(&r)
}

// ack moves a device's cursor, marks what it newly acknowledges, and deletes
// what every device has acknowledged.
func (m *Machine) ack(c *command.Ack) command.Result {
	tenant := m.names.find(nameTenant, c.Tenant)
	s, found := m.stream(tenant, c.ClientID)
	if !found || c.Seq > s.head {
		return refuse(command.BadRequest, "the stream has no such seq yet")
	}
	name := c.DeviceID
	if name == "" {
		name = DefaultDevice
	}
	if len(name) > MaxNameBytes {
		return refuse(command.BadRequest, tooLong("device", name))
	}
	d := s.device(name)
	if d == nil {
		d = s.admit(name)
		d.seenMS = m.counters.timeMS
	} else if c.Seq <= d.acked {
		return command.Result{}
	}
	if c.Seq <= d.acked {
		// The device's first ack, of what the others have acknowledged already: from
		// now on it holds up the deleting like them.
		m.saveStream(tenant, c.ClientID, s)
		return command.Result{}
	}
	m.markAcked(s, c, name, max(d.acked+1, s.oldest))
	d.acked, d.seenMS = c.Seq, m.counters.timeMS
	m.trimStream(s, s.slowest())
	m.saveStream(tenant, c.ClientID, s)
	if m.out.effects {
		m.out.Acked = append(m.out.Acked, Acked{Tenant: c.Tenant, ClientID: c.ClientID, DeviceID: name, Seq: c.Seq})
	}
	return command.Result{}
}

// markAcked writes the lineage's marks for the notifications from first to the
// acknowledged one.
func (m *Machine) markAcked(s *streamRow, c *command.Ack, device string, first uint64) {
	if c.Seq-first >= maxMarksPerAck {
		return
	}
	delivered := c.Delivered
	for seq := first; seq <= c.Seq; seq++ {
		value, found := m.get(keyNotification(m.scratch.key[:0], s.id, seq))
		if !found {
			continue
		}
		r := openRow(value)
		n := r.Notification()
		closeRow(&r)
		mark := ackRow{client: c.ClientID, device: device, name: n.Name, timeMS: m.counters.timeMS}
		for len(delivered) > 0 && delivered[0].Seq <= seq {
			if delivered[0].Seq == seq {
				mark.deliveredMS = delivered[0].TimeMS
			}
			delivered = delivered[1:]
		}
		m.set(m.keyAckOf(c, &n, s.id, device), mark.append(m.scratch.value[:0]))
	}
}

// keyAckOf is where the lineage finds an acknowledgement: with the event, or
// with the notification's arrival when the event is in another partition, where
// a position means another one, or is a broadcast, which has no row.
func (m *Machine) keyAckOf(c *command.Ack, n *command.Notification, stream uint64, device string) []byte {
	here := n.Event.Epoch == m.counters.epoch && uint32(n.Event.Partition) == m.counters.partition
	if here && n.Event.Queue != broadcastQueue {
		return keyAck(m.scratch.key[:0], n.Event, stream, n.Seq, device)
	}
	tenant := m.names.find(nameTenant, c.Tenant)
	prefix := arrivalPrefix(m.scratch.key[:0], dayOf(n.TimeMS), tenant, digestOf(n.CorrelationID))
	return append(keyArrival(prefix, stream, n.Seq), device...)
}

// trimStream deletes a stream's notifications up to one: what every device has
// acknowledged, or what is too old.
func (m *Machine) trimStream(s *streamRow, upTo uint64) {
	if upTo < s.oldest {
		return
	}
	if upTo-s.oldest < maxMarksPerAck {
		for seq := s.oldest; seq <= upTo; seq++ {
			m.remove(keyNotification(m.scratch.key[:0], s.id, seq))
		}
	} else {
		must(m.tx.DeleteRange(keyNotification(nil, s.id, s.oldest), keyNotification(nil, s.id, upTo+1)))
	}
	s.oldest = upTo + 1
}
