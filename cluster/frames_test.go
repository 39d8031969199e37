package cluster

import (
	"encoding/hex"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

func registration() duty.Registration {
	return duty.Registration{
		Node: "n1", Subscription: 7, Channel: "work", Group: "default", Tenant: "t", Worker: "w", LeaseMS: 1000, Credit: 300,
		Held: []command.LeaseID{leaseOf(2, 5)},
	}
}

func attachment() duty.Attachment {
	return duty.Attachment{
		Node: "n1", Stream: 9, Tenant: "t", ClientID: "ann", DeviceID: "d", From: duty.FromSeq, Epoch: "e", Seq: 200, Acked: 3,
		Window: 64, Again: true, Hold: true,
	}
}

func sampleWant() duty.Want {
	return duty.Want{Node: "n1", Follower: 9, Tenant: "t", Channel: "mail", After: 200, Told: 5, Events: 256}
}

func piece(positions ...uint64) *fsm.FollowPiece {
	p := &fsm.FollowPiece{}
	for _, position := range positions {
		p.Events = append(p.Events, command.Followed{
			ID: command.EventID{Epoch: 1, Position: position}, CorrelationID: "co", Event: command.Event{Channel: "mail", Tenant: "t"},
		})
	}
	return p
}

// TestFramesAsBytes holds frames against the bytes that they were when nodes first
// spoke them: whoever changes one changes it for all nodes of a cluster at once.
func TestFramesAsBytes(t *testing.T) {
	r, a, w := registration(), attachment(), sampleWant()
	e := newEdge(3)
	p := pusher{cluster: e.Cluster, group: &Group{config: groupConfig{id: 3}}}
	p.group.pushing.Store(300)
	pushed := func(push error) []byte {
		t.Helper()
		check(t, push)
		return e.links.take()[0].data
	}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"lead":          {leadFrame(3, 300, "n2"), "0403ac02026e32"},
		"register":      {appendRegistration(appendFrame(nil, frameRegister, 3, 300), &r), "0503ac020704776f726b0764656661756c7401740177e807ac02010002000500000500"},
		"attach":        {appendAttachment(appendFrame(nil, frameAttach, 3, 300), &a), "0e03ac0209017403616e6e0164010165c80103400100" + "01"},
		"registered":    {pushed(p.PushRegistered("n2", 7, 3)), "0903ac020703"},
		"want":          {pushed(p.PushWant("n2", 7)), "0a03ac0207"},
		"returned":      {pushed(p.PushReturned("n2", 7, 200)), "0b03ac0207c801"},
		"cancel":        {pushed(p.PushCancel("n2", 7, leaseOf(2, 5), "why", 9)), "0d03ac0207000200050000050377687909"},
		"attached":      {pushed(p.PushAttached("n2", 9, duty.StreamState{Head: 8, Oldest: 2, Next: 3, Resumed: 1})), "1203ac020908020301"},
		"gap":           {pushed(p.PushGap("n2", 9, 1, 2, "epoch")), "1403ac020901020565706f6368"},
		"synced":        {pushed(p.PushSynced("n2", 9, 8)), "1503ac020908"},
		"follow":        {appendWant(appendFrame(nil, frameFollow, 3, 300), &w), "1603ac02090174046d61696cc80105800" + "2"},
		"no events":     {pushed(p.PushEvents("n2", 9, 200, &fsm.FollowPiece{Trimmed: 7})), "1803ac0209c8010700"},
		"answer":        {answerTo{group: 3, generation: 300, seq: 4}.begin(statusUnknown), "0303ac020403"},
		"job head":      {pushed(p.PushJob("n2", 7, &command.Job{}))[:5], "0c03ac0207"},
		"notify head":   {pushed(p.PushNotification("n2", 9, &command.Notification{}, true))[:6], "1303ac020901"},
		"lease ids":     {appendLeaseIDs(nil, []command.LeaseID{leaseOf(1, 2), leaseOf(0, 3)}), "02000100020000020000000300" + "0003"},
		"no lease ids":  {appendLeaseIDs(nil, nil), "00"},
		"frame of meta": {appendFrame(nil, frameAsk, MetaGroup, 1), "010001"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
}

// TestFramesReadBack: what is written is read.
func TestFramesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := duty.Registration{
			Node: "n1", Subscription: rapid.Uint64().Draw(t, "subscription"), Channel: rapid.String().Draw(t, "channel"),
			Group: rapid.String().Draw(t, "group"), Tenant: rapid.String().Draw(t, "tenant"), Worker: rapid.String().Draw(t, "worker"),
			LeaseMS: rapid.Uint32().Draw(t, "lease"), Credit: rapid.Uint32().Draw(t, "credit"),
			Held: rapid.SliceOf(rapid.Custom(func(t *rapid.T) command.LeaseID {
				return leaseOf(uint32(rapid.Uint16().Draw(t, "partition")), rapid.Uint64().Draw(t, "fence"))
			})).Draw(t, "held"),
		}
		group, generation := rapid.Uint32().Draw(t, "id"), rapid.Uint64().Draw(t, "generation")
		f := readFrame(appendRegistration(appendFrame(nil, frameRegister, group, generation), &r))
		if f.kind != frameRegister || f.group != group || f.generation != generation {
			t.Fatalf("the head is read as %d, %d, %d", f.kind, f.group, f.generation)
		}
		if got := readRegistration(&f, "n1"); !reflect.DeepEqual(got, r) || !f.Done() || f.Err() != nil {
			t.Fatalf("read\n%+v\nwant\n%+v\n%v", got, r, f.Err())
		}
		a := duty.Attachment{
			Node: "n1", Stream: rapid.Uint64().Draw(t, "stream"), Tenant: rapid.String().Draw(t, "tenant"),
			ClientID: rapid.String().Draw(t, "client"), DeviceID: rapid.String().Draw(t, "device"), Epoch: rapid.String().Draw(t, "epoch"),
			From: duty.From(rapid.Byte().Draw(t, "from")), Seq: rapid.Uint64().Draw(t, "seq"), Acked: rapid.Uint64().Draw(t, "acked"),
			Window: rapid.Uint32().Draw(t, "window"), Again: rapid.Bool().Draw(t, "again"), Synced: rapid.Bool().Draw(t, "synced"),
			Hold: rapid.Bool().Draw(t, "hold"),
		}
		f = readFrame(appendAttachment(appendFrame(nil, frameAttach, group, generation), &a))
		if got := readAttachment(&f, "n1"); got != a || !f.Done() || f.Err() != nil {
			t.Fatalf("read\n%+v\nwant\n%+v\n%v", got, a, f.Err())
		}
	})
}

// TestFollowersFramesReadBack: so are a follower's want, and a piece.
func TestFollowersFramesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group, generation := rapid.Uint32().Draw(t, "id"), rapid.Uint64().Draw(t, "generation")
		w := duty.Want{
			Node: "n1", Follower: rapid.Uint64().Draw(t, "follower"), Tenant: rapid.String().Draw(t, "tenant"),
			Channel: rapid.String().Draw(t, "channel"), After: rapid.Uint64().Draw(t, "after"), Told: rapid.Uint64().Draw(t, "told"),
			Events: rapid.Uint32().Draw(t, "events"),
		}
		f := readFrame(appendWant(appendFrame(nil, frameFollow, group, generation), &w))
		if got := readWant(&f, "n1"); got != w || !f.Done() || f.Err() != nil {
			t.Fatalf("read\n%+v\nwant\n%+v\n%v", got, w, f.Err())
		}
		p, at := piece(rapid.SliceOfN(rapid.Uint64(), 0, 9).Draw(t, "positions")...), rapid.Uint64().Draw(t, "at")
		p.Trimmed = rapid.Uint64().Draw(t, "trimmed")
		f = readFrame(appendPiece(appendFrame(nil, frameEvents, group, generation), at, p))
		after, got := readPiece(&f)
		if after != at || got.trimmed != p.Trimmed || len(got.events) != len(p.Events) || !f.Done() || f.Err() != nil {
			t.Fatalf("read %d, %+v of %+v: %v", after, got, p, f.Err())
		}
		for i := range got.events {
			if !reflect.DeepEqual(got.events[i].Followed, p.Events[i]) {
				t.Fatalf("read\n%+v\nwant\n%+v", got.events[i].Followed, p.Events[i])
			}
		}
	})
}

// FuzzReceive: no bytes from another node can do more than be ignored.
func FuzzReceive(f *testing.F) {
	r, a, w := registration(), attachment(), sampleWant()
	for group := range uint32(4) {
		for kind := range frameAnnounced + 2 {
			head := appendFrame(nil, kind, group, 1)
			f.Add(head)
			f.Add(command.AppendUint(head, 1))
			f.Add(append(command.AppendUint(head, 0), byte(statusDone), 0, 0, 0, 0))
			f.Add(command.AppendString(head, "n2"))
		}
		f.Add(appendRegistration(appendFrame(nil, frameRegister, group, 1), &r))
		f.Add(appendAttachment(appendFrame(nil, frameAttach, group, 1), &a))
		f.Add(appendWant(appendFrame(nil, frameFollow, group, 1), &w))
		f.Add(appendPiece(command.AppendUint(appendFrame(nil, frameEvents, group, 1), 3), 0, piece(4, 5)))
		f.Add(job(0, 5)(command.AppendUint(appendFrame(nil, frameJob, group, 1), 1)))
		f.Add(notification(1)(command.AppendUint(appendFrame(nil, frameNotify, group, 1), 2)))
	}
	f.Add(appendLeaseIDs(nil, r.Held))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, read := range []func(*frame){
			func(f *frame) { readRegistration(f, "n2") }, func(f *frame) { readAttachment(f, "n2") },
			func(f *frame) { readLeaseIDs(&f.Reader) }, func(f *frame) { readWant(f, "n2") }, func(f *frame) { readPiece(f) },
		} {
			f := readFrame(data)
			read(&f)
			f = frame{Reader: command.NewReader(data)}
			read(&f)
		}
		e := newEdge(2)
		e.subscribe(3)
		e.attach(StreamSpec{})
		e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(0, 0)})
		for p := range uint32(2) {
			e.lead("n2", p, 1)
			e.laneOf(p).ask(opCommand, 0, nil, &submission{to: nobody{}})
			e.laneOf(p).ask(opRenew, 0, nil, &renewal{to: nobody{}, leases: []command.LeaseID{leaseOf(p, 1)}})
			e.push(frameRegistered, p, 1, 1)
		}
		e.Receive("n2", data)
		e.Receive("n2", data)
	})
}

// Renewed implements Renewer.
func (nobody) Renewed(uint64, []command.LeaseID, []uint32) {}
