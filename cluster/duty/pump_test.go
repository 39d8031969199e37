package duty

import (
	"fmt"
	"slices"
	"testing"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// socket is an attachment of the client ann on node n1.
func socket(stream uint64, from From, seq uint64) *Attachment {
	return &Attachment{
		Node: "n1", Stream: stream, Tenant: "t", ClientID: "ann", DeviceID: "phone",
		From: from, Epoch: "e1", Seq: seq, Acked: seq, Window: 3,
	}
}

// TestStreamBegins: where a stream begins, what the socket is told of it, and
// what it misses.
func TestStreamBegins(t *testing.T) {
	for _, c := range []struct {
		name   string
		cursor uint64 // Acknowledged by the only device, and so deleted, of four.
		wish   func(*Attachment)
		want   []string
	}{
		{
			"cursor", 2,
			func(*Attachment) {},
			[]string{"attached, head 4, oldest 3, next 3, resumed 0", "notify 3", "notify 4", "synced 4"},
		},
		{
			"everything is acknowledged", 4,
			func(*Attachment) {},
			[]string{"attached, head 4, oldest 5, next 5, resumed 0", "synced 4"},
		},
		{
			"another device, which has no cursor", 1,
			func(a *Attachment) { a.DeviceID = "tablet" },
			[]string{"attached, head 4, oldest 2, next 2, resumed 0", "notify 2", "notify 3", "notify 4", "synced 4"},
		},
		{
			"seq", 1,
			func(a *Attachment) { a.From, a.Seq = FromSeq, 3 },
			[]string{"attached, head 4, oldest 2, next 4, resumed 1", "notify 4", "synced 4"},
		},
		{
			"seq, at the end", 1,
			func(a *Attachment) { a.From, a.Seq = FromSeq, 4 },
			[]string{"attached, head 4, oldest 2, next 5, resumed 1", "synced 4"},
		},
		{
			"seq, of what is deleted", 3,
			func(a *Attachment) { a.From, a.Seq = FromSeq, 1 },
			[]string{"attached, head 4, oldest 4, next 4, resumed 2", "gap 2 to 3, trimmed", "notify 4", "synced 4"},
		},
		{
			"seq, of another epoch", 2,
			func(a *Attachment) { a.From, a.Seq, a.Epoch = FromSeq, 3, "e0" },
			[]string{"attached, head 4, oldest 3, next 3, resumed 2", "gap 1 to 2, epoch", "notify 3", "notify 4", "synced 4"},
		},
		{
			"seq, of another epoch, with nothing deleted", 0,
			func(a *Attachment) { a.From, a.Seq, a.Epoch, a.Window = FromSeq, 3, "e0", 9 },
			[]string{
				"attached, head 4, oldest 1, next 1, resumed 2", "gap 1 to 0, epoch",
				"notify 1", "notify 2", "notify 3", "notify 4", "synced 4",
			},
		},
		{
			"seq, behind the end", 3,
			func(a *Attachment) { a.From, a.Seq = FromSeq, 9 },
			[]string{"attached, head 4, oldest 4, next 4, resumed 2", "gap 1 to 3, epoch", "notify 4", "synced 4"},
		},
		{
			"live", 1,
			func(a *Attachment) { a.From = FromLive },
			[]string{"attached, head 4, oldest 2, next 5, resumed 0", "synced 4"},
		},
		{
			"a client that nothing was sent to", 1,
			func(a *Attachment) { a.ClientID = "bob" },
			[]string{"attached, head 0, oldest 1, next 1, resumed 0", "synced 0"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.notify(4)
			if c.cursor > 0 {
				w.acknowledge("phone", c.cursor)
			}
			a := socket(7, FromCursor, 0)
			c.wish(a)
			if !w.duty.Attach(a) {
				t.Fatal("the leader refused")
			}
			for i := range c.want {
				c.want[i] = "n1/7 " + c.want[i]
			}
			w.hears(c.want...)
		})
	}
}

// TestWindowBoundsWhatIsOut: no more than the window is out, new notifications
// wait behind it, and an acknowledgement lets as many follow.
func TestWindowBoundsWhatIsOut(t *testing.T) {
	w := newWorld(t)
	w.notify(5)
	w.duty.Attach(socket(7, FromCursor, 0))
	w.hears("n1/7 attached, head 5, oldest 1, next 1, resumed 0", "n1/7 notify 1", "n1/7 notify 2", "n1/7 notify 3")
	w.notify(1)
	w.hears()
	w.duty.Acked("n1", 7, 1)
	w.hears("n1/7 notify 4")
	w.duty.Acked("n1", 7, 1) // Nothing new: no more room.
	w.duty.Acked("n1", 8, 4) // No such socket.
	w.hears()
	w.duty.Acked("n1", 7, 4)
	w.hears("n1/7 notify 5", "n1/7 notify 6", "n1/7 synced 6")
	w.duty.Acked("n1", 7, 2) // Late: it takes no room.
	w.notify(2)
	w.hears("n1/7 notify 7")
	w.duty.Acked("n1", 7, 1_000_000) // Not further than what was sent.
	w.hears("n1/7 notify 8")
	w.notify(4)
	w.hears("n1/7 notify 9", "n1/7 notify 10")
}

// TestHeldStreamWaits: a held stream is attached, and delivers nothing before
// it is ready.
func TestHeldStreamWaits(t *testing.T) {
	w := newWorld(t)
	w.notify(1)
	a := socket(7, FromCursor, 0)
	a.Hold = true
	w.duty.Attach(a)
	w.hears("n1/7 attached, head 1, oldest 1, next 1, resumed 0")
	w.notify(1)
	w.duty.Acked("n1", 7, 1)
	w.duty.Ready("n1", 8)
	w.hears()
	w.duty.Ready("n1", 7)
	w.hears("n1/7 notify 1", "n1/7 notify 2", "n1/7 synced 2")
	w.duty.Ready("n1", 7)
	w.hears()
}

// TestStreamThatWasEmpty: the first notification finds a socket that attached
// before there was a stream, held or not.
func TestStreamThatWasEmpty(t *testing.T) {
	w := newWorld(t)
	held := socket(8, FromCursor, 0)
	held.Hold = true
	w.duty.Attach(socket(7, FromCursor, 0))
	w.duty.Attach(held)
	w.hears("n1/7 attached, head 0, oldest 1, next 1, resumed 0", "n1/7 synced 0", "n1/8 attached, head 0, oldest 1, next 1, resumed 0")
	w.notify(2)
	w.hears("n1/7 notify 1", "n1/7 notify 2")
	w.duty.Ready("n1", 8)
	w.hears("n1/8 notify 1 again", "n1/8 notify 2 again", "n1/8 synced 2")
}

// TestDetached: nothing comes to a socket that is detached, whose node is
// forgotten, or in whose place another one attached.
func TestDetached(t *testing.T) {
	w := newWorld(t)
	for stream := range uint64(3) {
		w.duty.Attach(socket(stream+1, FromCursor, 0))
	}
	other := socket(1, FromCursor, 0)
	other.Node, other.ClientID = "n2", "ann"
	w.duty.Attach(other)
	w.heard = nil
	w.duty.Detach("n1", 2)
	w.duty.Detach("n1", 9)
	w.duty.Attach(socket(3, FromCursor, 0))
	w.hears("n1/3 attached, head 0, oldest 1, next 1, resumed 0", "n1/3 synced 0")
	w.notify(1)
	w.hears("n1/1 notify 1", "n2/1 notify 1 again", "n1/3 notify 1 again")
	w.duty.Forget("n1")
	w.notify(1)
	w.hears("n2/1 notify 2")
	w.duty.Forget("n2")
	w.notify(1)
	w.hears()
	if p := &w.duty.mu.pump; len(p.byKey)+len(p.byStream) > 0 {
		t.Errorf("%d sockets and %d streams are remembered", len(p.byKey), len(p.byStream))
	}
}

// TestRedelivered: a device is told what it may have seen on another socket,
// and no device for what another one saw.
func TestRedelivered(t *testing.T) {
	w := newWorld(t)
	w.duty.Attach(socket(1, FromCursor, 0))
	tablet := socket(2, FromCursor, 0)
	tablet.DeviceID = "tablet"
	w.duty.Attach(tablet)
	w.heard = nil
	w.notify(2)
	w.hears("n1/1 notify 1", "n1/2 notify 1", "n1/1 notify 2", "n1/2 notify 2")
	w.duty.Attach(socket(3, FromSeq, 1))
	w.hears("n1/3 attached, head 2, oldest 1, next 2, resumed 1", "n1/3 notify 2 again", "n1/3 synced 2")
}

// TestNamelessDeviceIsTheDefault: a socket without a device is of the device
// that is called so.
func TestNamelessDeviceIsTheDefault(t *testing.T) {
	w := newWorld(t)
	nameless, named := socket(1, FromCursor, 0), socket(2, FromCursor, 0)
	nameless.DeviceID, named.DeviceID = "", "default"
	w.duty.Attach(nameless)
	w.notify(1)
	w.heard = nil
	w.duty.Attach(named)
	w.hears("n1/2 attached, head 1, oldest 1, next 1, resumed 0", "n1/2 notify 1 again", "n1/2 synced 1")
}

// TestAgainSaysNothingTwice: at a new leader a stream goes on where its socket
// is, with what it has acknowledged, and repeats neither the beginning nor the
// end of the replay.
func TestAgainSaysNothingTwice(t *testing.T) {
	w := newWorld(t)
	w.notify(6)
	w.duty.Resign()
	w.lead()
	again := socket(7, FromSeq, 3)
	again.Again, again.Epoch, again.Acked = true, "", 1
	w.duty.Attach(again)
	w.hears("n1/7 notify 4")
	w.duty.Acked("n1", 7, 4)
	w.hears("n1/7 notify 5", "n1/7 notify 6", "n1/7 synced 6")
	w.duty.Resign()
	w.lead()
	again.Seq, again.Acked, again.Synced = 6, 6, true
	w.duty.Attach(again)
	w.hears()
	w.notify(1)
	w.hears("n1/7 notify 7")
}

// TestFailedPushIsNotPassedOver: what could not be pushed is pushed at a later
// tick, in its place: the beginning, a gap, a notification, the end of the replay.
func TestFailedPushIsNotPassedOver(t *testing.T) {
	w := newWorld(t)
	w.notify(3)
	w.acknowledge("phone", 2)
	w.deaf["n1"] = true
	w.duty.Attach(socket(7, FromSeq, 1))
	w.hears()
	clear(w.deaf)
	w.duty.Acked("n1", 7, 3) // Nothing comes before the tick, not even this.
	w.hears()
	w.duty.Tick(w.now)
	w.hears("n1/7 attached, head 3, oldest 3, next 3, resumed 2", "n1/7 gap 2 to 2, trimmed", "n1/7 notify 3", "n1/7 synced 3")
	w.deaf["n1"] = true
	w.notify(1)
	clear(w.deaf)
	w.notify(1)
	w.hears("n1/7 notify 4", "n1/7 notify 5")
}

// TestMissedPush: after a push that failed nothing follows, though it would
// arrive, until the tick; then it goes on where it was.
func TestMissedPush(t *testing.T) {
	want := []string{"n1/7 attached, head 3, oldest 1, next 2, resumed 0", "n1/7 notify 2", "n1/7 notify 3", "n1/7 synced 3"}
	for at := range want {
		w := newWorld(t)
		w.notify(3)
		w.acknowledge("tablet", 0)
		w.acknowledge("phone", 1)
		w.missing = at + 1
		w.duty.Attach(socket(7, FromCursor, 0))
		w.duty.Ready("n1", 7)
		w.hears(want[:at]...)
		w.duty.Tick(w.now)
		w.hears(want[at:]...)
		w.duty.Tick(w.now)
		w.hears()
	}
}

// TestReadyWhileStalled: a held stream that could not be told how it begins says
// that first, at the tick.
func TestReadyWhileStalled(t *testing.T) {
	w := newWorld(t)
	w.notify(1)
	a := socket(7, FromCursor, 0)
	a.Hold, w.missing = true, 1
	w.duty.Attach(a)
	w.duty.Ready("n1", 7)
	w.hears()
	w.duty.Tick(w.now)
	w.hears("n1/7 attached, head 1, oldest 1, next 1, resumed 0", "n1/7 notify 1", "n1/7 synced 1")
}

// TestNothingComesBeforeTheBeginning: a new notification does not overtake what
// the socket was not told yet of how its stream begins.
func TestNothingComesBeforeTheBeginning(t *testing.T) {
	w := newWorld(t)
	w.missing = 1
	w.duty.Attach(socket(7, FromCursor, 0))
	w.duty.Applied(&fsm.Outcome{Notified: []fsm.Notified{{Tenant: "t", ClientID: "ann", Notification: command.Notification{Seq: 1}}}})
	w.hears()
}

// TestCursorIsTheDevices: a device goes on behind what it acknowledged itself,
// whatever others keep.
func TestCursorIsTheDevices(t *testing.T) {
	w := newWorld(t)
	w.notify(4)
	w.acknowledge("tablet", 1)
	w.acknowledge("phone", 3)
	w.duty.Attach(socket(7, FromCursor, 0))
	w.hears("n1/7 attached, head 4, oldest 2, next 4, resumed 0", "n1/7 notify 4", "n1/7 synced 4")
}

// TestDeletedMeanwhile: what other devices acknowledge is deleted, even where
// this one waits with its window full and has no cursor yet; it is told.
func TestDeletedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.notify(4)
	tablet := socket(7, FromCursor, 0)
	tablet.DeviceID, tablet.Window = "tablet", 1
	w.duty.Attach(tablet)
	w.hears("n1/7 attached, head 4, oldest 1, next 1, resumed 0", "n1/7 notify 1")
	w.acknowledge("phone", 4)
	w.duty.Acked("n1", 7, 1)
	w.hears("n1/7 gap 2 to 4, trimmed", "n1/7 synced 4")
	w.notify(3)
	w.hears("n1/7 notify 5")
	w.acknowledge("phone", 6)
	w.duty.Acked("n1", 7, 5)
	w.hears("n1/7 gap 6 to 6, trimmed", "n1/7 notify 7")
	w.acknowledge("phone", 7)
	w.notify(1)
	w.acknowledge("phone", 8)
	w.duty.Acked("n1", 7, 7)
	w.hears()
	w.notify(1)
	w.hears("n1/7 gap 8 to 8, trimmed", "n1/7 notify 9")
}

// TestAckOfTheEarlierSocket: what a device has acknowledged on the socket before,
// in an entry that was applied after the new one attached, is no gap.
func TestAckOfTheEarlierSocket(t *testing.T) {
	w := newWorld(t)
	w.notify(4)
	phone := socket(7, FromCursor, 0)
	phone.DeviceID, phone.Hold = "phone", true
	w.duty.Attach(phone)
	w.hears("n1/7 attached, head 4, oldest 1, next 1, resumed 0")
	w.acknowledge("phone", 3)
	w.duty.Ready("n1", 7)
	w.hears("n1/7 notify 4", "n1/7 synced 4")
	w.acknowledge("phone", 4)
	w.notify(1)
	w.hears("n1/7 notify 5")
}

// TestRemembersBoundedly: past the bound a new device is not remembered, and
// those that are go on.
func TestRemembersBoundedly(t *testing.T) {
	p := newPump()
	device := func(i int) deviceKey { return deviceKey{streamKey{"t", "ann"}, fmt.Sprint(i)} }
	for i := range maxRemembered + 1 {
		p.note(device(i), 1)
	}
	p.note(device(0), 5)
	if len(p.pushed) != maxRemembered || p.pushed[device(0)] != 5 {
		t.Errorf("%d devices are remembered, the first with %d", len(p.pushed), p.pushed[device(0)])
	}
}

// TestPresent: the sockets of one client, with what each was sent, until they go or
// their node does.
func TestPresent(t *testing.T) {
	w := newWorld(t)
	present := func(want ...Socket) {
		t.Helper()
		if got := w.duty.Present("t", "ann"); !slices.Equal(got, want) {
			t.Fatalf("present are %+v, want %+v", got, want)
		}
	}
	present()
	w.notify(4)
	w.duty.Attach(socket(7, FromCursor, 0))
	tablet := socket(8, FromLive, 0)
	tablet.Node, tablet.DeviceID = "n2", "tablet"
	w.duty.Attach(tablet)
	other := socket(9, FromCursor, 0)
	other.ClientID = "bob"
	w.duty.Attach(other)
	present(Socket{"n1", "phone", 3}, Socket{"n2", "tablet", 4})
	w.duty.Acked("n1", 7, 1)
	present(Socket{"n1", "phone", 4}, Socket{"n2", "tablet", 4})
	w.duty.Detach("n1", 7)
	present(Socket{"n2", "tablet", 4})
	w.duty.Forget("n2")
	present()
}
