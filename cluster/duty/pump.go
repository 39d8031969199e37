package duty

import (
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// maxRemembered bounds for how many streams the highest pushed seq is kept, by
// which a notification is told to have been sent before.
const maxRemembered = 100_000

// Attachment is a socket's wish for its client's stream.
type Attachment struct {
	Node   string
	Stream uint64

	Tenant, ClientID, DeviceID string

	// Seq is what the socket has already, when From is FromSeq.
	From  From
	Epoch string
	Seq   uint64
	// Acked is how far it has acknowledged, and Window how many notifications
	// may be out beyond that.
	Acked  uint64
	Window uint32
	// Again means that this replaces an attachment at an earlier leader, and
	// Synced that the replay was over there: nothing is said twice.
	Again  bool
	Synced bool
	// Hold keeps deliveries back until Ready.
	Hold bool
}

// From is where a stream is to begin.
type From uint8

// The beginnings.
const (
	FromCursor From = iota
	FromSeq
	FromLive
)

// StreamState answers an Attach: the stream, the seq that comes next for this
// socket, and Resumed: 0 none, 1 full, 2 partial.
type StreamState struct {
	Head, Oldest, Next uint64
	Resumed            uint8
}

type streamKey struct{ tenant, client string }

type attachmentKey struct {
	node   string
	stream uint64
}

// attached is a socket that a stream is pumped to.
type attached struct {
	Attachment

	key streamKey
	id  uint64
	// next is the seq to send next, head the stream's end at the time of the
	// attach: when it is passed, the socket is told that it is synced.
	next, head uint64
	synced     bool
}

// pump is the attached sockets of a partition's streams.
type pump struct {
	byKey    map[attachmentKey]*attached
	byStream map[streamKey][]*attached
	pushed   map[streamKey]uint64
}

func newPump() pump {
	return pump{
		byKey: make(map[attachmentKey]*attached), byStream: make(map[streamKey][]*attached),
		pushed: make(map[streamKey]uint64),
	}
}

func (p *pump) add(a *attached) {
	p.remove(attachmentKey{a.Node, a.Stream})
	p.byKey[attachmentKey{a.Node, a.Stream}] = a
	p.byStream[a.key] = append(p.byStream[a.key], a)
}

func (p *pump) remove(key attachmentKey) {
	a := p.byKey[key]
	if a == nil {
		return
	}
	delete(p.byKey, key)
	rest := p.byStream[a.key]
	for i, other := range rest {
		if other == a {
			rest = append(rest[:i], rest[i+1:]...)
			break
		}
	}
	if len(rest) == 0 {
		delete(p.byStream, a.key)
	} else {
		p.byStream[a.key] = rest
	}
}

func (p *pump) forget(node string) {
	for key := range p.byKey {
		if key.node == node {
			p.remove(key)
		}
	}
}

// note remembers the highest seq that was pushed, and tells whether this one
// was pushed before.
func (p *pump) note(key streamKey, seq uint64) bool {
	highest, known := p.pushed[key]
	if seq <= highest {
		return true
	}
	if known || len(p.pushed) < maxRemembered {
		p.pushed[key] = seq
	}
	return false
}

// Attach begins to push a client's stream to a socket. It returns false when
// this node does not lead.
func (d *Duty) Attach(wish *Attachment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return false
	}
	view := d.config.State.View()
	info, err := fsm.ReadStream(view, wish.Tenant, wish.ClientID, wish.DeviceID)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err != nil {
		d.config.Logger.Error("cannot read a client's stream", "partition", d.config.Partition, "error", err)
		return false
	}
	a := &attached{Attachment: *wish, key: streamKey{wish.Tenant, wish.ClientID}, id: info.ID, head: info.Head}
	gap := a.begin(&info, d.config.Epoch())
	d.mu.pump.add(a)
	if !wish.Again {
		state := StreamState{Head: info.Head, Oldest: info.Oldest, Next: a.next, Resumed: gap.resumed}
		_ = d.config.Pusher.PushAttached(a.Node, a.Stream, state)
	}
	if gap.reason != "" {
		_ = d.config.Pusher.PushGap(a.Node, a.Stream, gap.from, gap.to, gap.reason)
	}
	d.feed(a)
	return true
}

// declared is what is to be said of a stream's beginning.
type declared struct {
	resumed  uint8
	from, to uint64
	reason   string
}

// begin decides where the stream starts for this socket.
func (a *attached) begin(info *fsm.StreamInfo, epoch string) declared {
	a.synced = a.Synced
	switch {
	case a.From == FromLive:
		a.next = info.Head + 1
		a.Acked = info.Head
		return declared{}
	case a.From == FromCursor:
		a.next = max(info.Acked+1, info.Oldest)
		a.Acked = a.next - 1
		return declared{}
	case a.Epoch != "" && a.Epoch != epoch, a.Seq > info.Head:
		// Numbers of another epoch mean nothing here: begin with the oldest.
		a.next, a.Acked = info.Oldest, info.Oldest-1
		return declared{resumed: 2, from: 1, to: info.Oldest - 1, reason: "epoch"}
	case a.Seq+1 < info.Oldest:
		a.next, a.Acked = info.Oldest, info.Oldest-1
		return declared{resumed: 2, from: a.Seq + 1, to: info.Oldest - 1, reason: "trimmed"}
	default:
		a.next = a.Seq + 1
		if !a.Again {
			a.Acked = a.Seq
		}
		return declared{resumed: 1}
	}
}

// room is how many more notifications the socket's window takes.
func (a *attached) room() uint64 {
	out := a.next - 1 - min(a.Acked, a.next-1)
	if out >= uint64(a.Window) || a.Hold {
		return 0
	}
	return uint64(a.Window) - out
}

// feed sends what the window takes from the rows, and says when the replay is over.
func (d *Duty) feed(a *attached) {
	if a.Hold {
		return
	}
	if room := a.room(); room > 0 && a.id != 0 {
		view := d.config.State.View()
		err := fsm.ReadNotifications(view, a.id, a.next, func(n *command.Notification) bool {
			d.send(a, n)
			room--
			return room > 0
		})
		_ = view.Close() // Nothing can fail that matters to a reader.
		if err != nil {
			d.config.Logger.Error("cannot read a client's stream", "partition", d.config.Partition, "error", err)
		}
	}
	d.sayWhenSynced(a)
}

func (d *Duty) sayWhenSynced(a *attached) {
	if !a.synced && a.next > a.head {
		a.synced = true
		_ = d.config.Pusher.PushSynced(a.Node, a.Stream, a.next-1)
	}
}

func (d *Duty) send(a *attached, n *command.Notification) {
	again := d.mu.pump.note(a.key, n.Seq)
	if d.config.Pusher.PushNotification(a.Node, a.Stream, n, again) == nil {
		a.next = n.Seq + 1
	}
}

// notified sends a new notification to the sockets that are up to date with it;
// the others come to it as their windows open.
func (d *Duty) notified(n *fsm.Notified) {
	for _, a := range d.mu.pump.byStream[streamKey{n.Tenant, n.ClientID}] {
		if a.id == 0 {
			d.learnStream(a)
		}
		if a.next == n.Notification.Seq && a.room() > 0 {
			d.send(a, &n.Notification)
		}
	}
}

// learnStream finds the id of a stream that was empty when the socket attached.
func (d *Duty) learnStream(a *attached) {
	view := d.config.State.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	if info, err := fsm.ReadStream(view, a.Tenant, a.ClientID, a.DeviceID); err == nil {
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
