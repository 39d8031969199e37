package fsm

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// keptMS is the retention of the channel in TestRetention.
const keptMS = 30_000

// kept is an event as TestRetention sees it.
type kept struct {
	id       command.EventID
	storedMS int64
	lease    command.LeaseID
	// granted, dead and over are what became of it.
	granted, dead, over bool
}

// keeper leads a partition through random entries whose channel keeps events for
// keptMS.
type keeper struct {
	*world

	t       *rapid.T
	nowMS   int64
	retain  command.RetainPolicy
	events  []*kept
	entries [][]byte
	gone    int
}

// TestRetention: an event that is younger than its channel's retention is there,
// and so is one that somebody has in work or, where unfinished ones are kept, still
// to work on. Of all others nothing is left after some looks but the rows that a
// partition has anyway, and nothing counts as open that is gone. However the entries are packed, wherever a replica is
// restarted or restored, the rows end the same.
func TestRetention(t *testing.T) {
	store, group := openStore(t), new(uint32)
	gone := 0
	rapid.Check(t, func(t *rapid.T) {
		k := &keeper{
			world: newWorld(t, store, group), t: t, nowMS: 1_000_000,
			retain: rapid.SampledFrom([]command.RetainPolicy{command.RetainUnfinished, command.RetainNothing}).Draw(t, "retain"),
		}
		k.commit(0, firstLeader(), &command.ConfigureChannel{Channel: "a", Settings: command.ChannelSettings{
			Version: 1, RetentionMS: keptMS, Retain: k.retain,
		}})
		for range rapid.IntRange(5, 40).Draw(t, "entries") {
			k.step()
			k.checkKept()
			k.read(func(view *storage.View) { recount(t, view).check(t, view) })
		}
		k.settle()
		gone += k.gone
		k.replay(store, group)
	})
	if gone == 0 {
		t.Error("nothing was ever deleted")
	}
}

// commit applies an entry with credit, and takes note of what was granted.
func (k *keeper) commit(credit uint32, commands ...interface{ Append([]byte) []byte }) *Outcome {
	header := command.Header{TimeMS: k.nowMS, Generation: 1}
	if credit > 0 {
		header.Offers = []command.Offer{{Channel: "a", Group: DefaultGroup, Node: "n1", Worker: "w", Credit: credit}}
	}
	entry := entryOf(header, commands...)
	k.entries = append(k.entries, entry)
	outcome := k.apply(true, entry)[0]
	for i := range outcome.Results {
		if id := outcome.Results[i].Event; !id.IsZero() && k.find(id) == nil {
			k.events = append(k.events, &kept{id: id, storedMS: k.nowMS})
		}
	}
	for i := range outcome.Grants {
		e := k.find(outcome.Grants[i].Job.Lease.Event)
		e.lease, e.granted = outcome.Grants[i].Job.Lease, true
	}
	return outcome
}

func (k *keeper) find(id command.EventID) *kept {
	if at := slices.IndexFunc(k.events, func(e *kept) bool { return e.id == id }); at >= 0 {
		return k.events[at]
	}
	return nil
}

// step publishes, ends what workers have, and deals with dead letters.
func (k *keeper) step() {
	k.nowMS += rapid.SampledFrom([]int64{0, 10, 4000, 16_000, 31_000}).Draw(k.t, "elapsed")
	var commands []interface{ Append([]byte) []byte }
	for i := range rapid.IntRange(0, 4).Draw(k.t, "published") {
		commands = append(commands, &command.Publish{Event: command.Event{
			Channel: "a", Tenant: "t", Key: "k", ClientID: "c", CorrelationID: rapid.SampledFrom([]string{"", "run"}).Draw(k.t, "correlation"),
			Payload: command.Payload{Codec: command.CodecJSON, Bytes: fmt.Append(nil, i)},
		}})
	}
	for _, e := range k.events {
		if c := k.endOf(e); c != nil {
			commands = append(commands, c)
		}
	}
	k.commit(uint32(rapid.IntRange(0, 3).Draw(k.t, "credit")), commands...)
}

// endOf is what becomes of an event in an entry, nil for nothing.
func (k *keeper) endOf(e *kept) interface{ Append([]byte) []byte } {
	switch what := rapid.IntRange(0, 5).Draw(k.t, "end"); {
	case e.over || !e.granted:
	case e.dead && what == 0:
		e.over = true
		return &command.Discard{Tenant: "t", Event: e.id}
	case e.dead:
	case what == 0:
		e.dead = true
		return &command.Fail{Lease: e.lease, Code: "no", Final: true}
	case what <= 2:
		e.over = true
		return &command.Complete{Lease: e.lease}
	}
	return nil
}

// checkKept: what must be there is.
func (k *keeper) checkKept() {
	k.read(func(view *storage.View) {
		for _, e := range k.events {
			there, err := hasEvent(view, "t", e.id)
			check(k.t, err)
			if !there && k.must(e) {
				k.t.Fatalf("event %d of %d is gone at %d: %+v", e.id.Position, e.storedMS, k.nowMS, e)
			}
		}
	})
}

// must tells whether an event must be there.
func (k *keeper) must(e *kept) bool {
	young := k.nowMS-e.storedMS < keptMS
	inWork := e.granted && !e.over
	return young || inWork || (!e.granted && k.retain == command.RetainUnfinished)
}

// settle lets time pass, and finds nothing that does not have to be there.
func (k *keeper) settle() {
	for range 3 {
		k.nowMS += clearAfterMS + SweepIntervalMS
		for k.commit(0).Unswept {
		}
	}
	want := 0
	k.read(func(view *storage.View) {
		for _, e := range k.events {
			there, err := hasEvent(view, "t", e.id)
			check(k.t, err)
			if there != k.must(e) && !k.behind(e) {
				k.t.Fatalf("event %d: there is %v, want %v: %+v", e.id.Position, there, k.must(e), e)
			}
			if there {
				want++
			} else {
				k.gone++
			}
		}
		counts := make(map[byte]int)
		check(k.t, view.Scan(nil, nil, func(key, _ []byte) (bool, error) {
			counts[key[0]]++
			return true, nil
		}))
		if counts[kindEvent] != want || counts[kindIsland] > want || counts[kindLineage] > want || counts[kindVoid] > 0 {
			k.t.Fatalf("%d events are left, of rows %v", want, counts)
		}
	})
}

// behind tells whether an event stands behind one that nobody has worked on: it
// is kept with that one.
func (k *keeper) behind(e *kept) bool {
	return k.retain == command.RetainUnfinished && slices.ContainsFunc(k.events, func(other *kept) bool {
		return !other.granted && other.id.Position < e.id.Position
	})
}

// replay applies the same entries otherwise.
func (k *keeper) replay(store *storage.Store, group *uint32) {
	digest, chain := k.digest()
	other := newWorld(k.t, store, group)
	for left := k.entries; len(left) > 0; {
		n := rapid.IntRange(1, len(left)).Draw(k.t, "batch")
		other.apply(rapid.Bool().Draw(k.t, "leads"), left[:n]...)
		left = left[n:]
		switch rapid.IntRange(0, 3).Draw(k.t, "then") {
		case 0:
			other.reopen()
		case 1:
			other.reinstall()
		}
	}
	if d, c := other.digest(); d != digest || c != chain {
		k.t.Fatalf("rows %x, chain %x; replayed otherwise %x, %x", digest, chain, d, c)
	}
}
