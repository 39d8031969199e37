package duty

import (
	"cmp"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Attach begins to push a client's stream to a socket. It returns false when
// this node does not lead.
func (d *Duty) Attach(wish *Attachment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return false
	}
	view := d.config.State.View()
	info, err := fsm.ReadStream(view, d.mu.tenants, wish.Tenant, wish.ClientID, wish.DeviceID)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err != nil {
		d.config.Logger.Error("cannot read a client's stream", "partition", d.config.Partition, "error", err)
		return false
	}
	a := &attached{Attachment: *wish, id: info.ID, head: info.Head}
	resumed := a.begin(&info, d.config.Epoch())
	if !a.Again {
		if a.unsaid == nil {
			a.unsaid = &opening{}
		}
		a.unsaid.state = &StreamState{Head: info.Head, Oldest: info.Oldest, Next: a.next, Resumed: resumed}
	}
	d.mu.pump.add(a)
	d.feed(a)
	return true
}

// begin decides where the stream starts for this socket, and returns how it is
// resumed, as StreamState says it.
func (a *attached) begin(info *fsm.StreamInfo, epoch string) (resumed uint8) {
	a.synced = a.Synced
	switch {
	case a.From == FromLive:
		a.next = info.Head + 1
		a.Acked = info.Head
		return 0
	case a.From == FromCursor:
		a.next = max(info.Acked+1, info.Oldest)
		a.Acked = a.next - 1
		return 0
	case a.Epoch != "" && a.Epoch != epoch, a.Seq > info.Head:
		// Numbers of another epoch mean nothing here: begin with the oldest.
		a.next, a.Acked = info.Oldest, info.Oldest-1
		a.unsaid = &opening{from: 1, to: info.Oldest - 1, reason: "epoch"}
		return 2
	case a.Seq+1 < info.Oldest:
		a.next, a.Acked = info.Oldest, info.Oldest-1
		a.unsaid = &opening{from: a.Seq + 1, to: info.Oldest - 1, reason: "trimmed"}
		return 2
	default:
		a.next = a.Seq + 1
		if !a.Again {
			a.Acked = a.Seq
		}
		return 1
	}
}

// open tells the socket how its stream begins; false when it cannot be reached.
func (d *Duty) open(a *attached) bool {
	if a.unsaid == nil {
		return true
	}
	if a.unsaid.state != nil {
		if d.config.Pusher.PushAttached(a.Node, a.Stream, *a.unsaid.state) != nil {
			return false
		}
		a.unsaid.state = nil
	}
	if a.unsaid.reason != "" {
		if d.config.Pusher.PushGap(a.Node, a.Stream, a.unsaid.from, a.unsaid.to, a.unsaid.reason) != nil {
			return false
		}
	}
	a.unsaid = nil
	return true
}

// room is how many more notifications the socket's window takes.
func (a *attached) room() uint64 {
	out := a.next - 1 - min(a.Acked, a.next-1)
	if out >= uint64(a.Window) || a.Hold {
		return 0
	}
	return uint64(a.Window) - out
}

// feed says how the stream begins, sends what the window takes from the rows, and
// says when the replay is over; what fails goes on at the next tick.
func (d *Duty) feed(a *attached) {
	if a.stalled {
		return
	}
	if !d.open(a) {
		d.mu.pump.stall(a)
		return
	}
	if a.Hold {
		return
	}
	if room := a.room(); room > 0 && a.id != 0 {
		view := d.config.State.View()
		err := fsm.ReadNotifications(view, a.id, a.next, func(n *command.Notification) bool {
			room--
			return d.skip(a, n.Seq-1) && d.send(a, n) && room > 0
		})
		_ = view.Close() // Nothing can fail that matters to a reader.
		if err != nil {
			d.config.Logger.Error("cannot read a client's stream", "partition", d.config.Partition, "error", err)
			return
		}
		if room > 0 && !a.stalled {
			d.skip(a, a.head) // No row is left: what there was at the attach is deleted.
		}
	}
	d.sayWhenSynced(a)
}

// skip declares what was deleted before this socket had it: another socket of the
// client acknowledged it. A socket that begins at its device's cursor, and was sent
// nothing yet, begins at the cursor as it is now: the acknowledgements of the
// socket before may have been on their way when this one attached.
func (d *Duty) skip(a *attached, to uint64) bool {
	if a.next > to {
		return true
	}
	from := a.next
	if a.From == FromCursor && !a.begun {
		from = max(from, d.acknowledged(a)+1)
	}
	if from <= to {
		if d.config.Pusher.PushGap(a.Node, a.Stream, from, to, "trimmed") != nil {
			d.mu.pump.stall(a)
			return false
		}
		a.begun = true
	}
	a.next, a.Acked = to+1, max(a.Acked, to) // Nobody acknowledges a gap.
	return true
}

// acknowledged is the cursor of the socket's device.
func (d *Duty) acknowledged(a *attached) uint64 {
	view := d.config.State.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	info, err := fsm.ReadStream(view, d.mu.tenants, a.Tenant, a.ClientID, a.DeviceID)
	if err != nil {
		d.config.Logger.Error("cannot read a device's cursor", "partition", d.config.Partition, "error", err)
	}
	if err != nil || !info.Cursor {
		return 0
	}
	return info.Acked
}

func (d *Duty) sayWhenSynced(a *attached) {
	if a.stalled || a.synced || a.next <= a.head {
		return
	}
	if d.config.Pusher.PushSynced(a.Node, a.Stream, a.next-1) != nil {
		d.mu.pump.stall(a)
		return
	}
	a.synced = true
}

// send pushes the notification that comes next, or stalls the attachment.
func (d *Duty) send(a *attached, n *command.Notification) bool {
	key := deviceKey{a.stream(), cmp.Or(a.DeviceID, fsm.DefaultDevice)}
	if d.config.Pusher.PushNotification(a.Node, a.Stream, n, n.Seq <= d.mu.pump.pushed[key]) != nil {
		d.mu.pump.stall(a)
		return false
	}
	d.mu.pump.note(key, n.Seq)
	a.next, a.begun = n.Seq+1, true
	return true
}

// notified sends a new notification to the sockets that are up to date with it;
// the others come to it as their windows open.
func (d *Duty) notified(n *fsm.Notified) {
	for a := range d.mu.pump.sockets(streamKey{n.Tenant, n.ClientID}) {
		if a.id == 0 {
			d.learnStream(a)
		}
		switch {
		case a.stalled || a.room() == 0:
		case a.next == n.Notification.Seq:
			d.send(a, &n.Notification)
		case a.next < n.Notification.Seq:
			d.feed(a) // What lies between is deleted.
		}
	}
}

// learnStream finds the id of a stream that was empty when the socket attached.
func (d *Duty) learnStream(a *attached) {
	view := d.config.State.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	if info, err := fsm.ReadStream(view, d.mu.tenants, a.Tenant, a.ClientID, a.DeviceID); err == nil {
		a.id = info.ID
	}
}

// Ready lets a held stream go.
func (d *Duty) Ready(node string, stream uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.mu.pump.byKey[attachmentKey{node, stream}]; a != nil && a.Hold {
		a.Hold = false
		d.feed(a)
	}
}

// Acked opens the socket's window.
func (d *Duty) Acked(node string, stream, seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.mu.pump.byKey[attachmentKey{node, stream}]; a != nil && seq > a.Acked {
		full := a.room() == 0
		a.Acked = min(seq, a.next-1)
		if full {
			d.feed(a)
		}
	}
}

// Detach ends an attachment.
func (d *Duty) Detach(node string, stream uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.pump.remove(attachmentKey{node, stream})
}
