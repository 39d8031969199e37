package fsm

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestGroupsAreBounded: a channel has MaxGroups of them and no more; those that
// it has can be asked for still, and other channels have theirs.
func TestGroupsAreBounded(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	group := func(channel string, i int) *command.Result {
		c := &command.CreateGroup{Channel: channel, Group: fmt.Sprint("g", i)}
		return &w.apply(true, entryOf(command.Header{}, c))[0].Results[0]
	}
	for i := range MaxGroups - 1 {
		if r := group("work", i); r.Reason != command.Done || r.Duplicate {
			t.Fatalf("group %d: %+v", i, r)
		}
	}
	before, _ := w.digest()
	if r := group("work", MaxGroups); r.Reason != command.BadRequest {
		t.Errorf("one group more: %+v", r)
	}
	if after, _ := w.digest(); after != before {
		t.Error("a refused group changed rows")
	}
	if r := group("work", 3); r.Reason != command.Done || !r.Duplicate {
		t.Errorf("a group that is there: %+v", r)
	}
	if r := group("play", MaxGroups); r.Reason != command.Done {
		t.Errorf("another channel's group: %+v", r)
	}
}

// TestGroupsStandInOneOrder: a replica that was restarted writes the rows of a
// channel's groups in the order of one that was not, whatever order they were
// made in.
func TestGroupsStandInOneOrder(t *testing.T) {
	store, chains := openStore(t), [2]uint64{}
	for i := range chains {
		w := newWorld(t, store, new(uint32(10*(i+1))))
		w.apply(true, entryOf(command.Header{}, firstLeader(),
			&command.CreateGroup{Channel: "other", Group: "first"},
			&command.CreateGroup{Channel: "work", Group: "second"},
			publishOf("t", nil),
			&command.CreateGroup{Channel: "work", Group: "first", From: command.FromEarliest},
		))
		if i > 0 {
			w.reopen()
		}
		w.apply(true, entryOf(command.Header{}, publishOf("t", nil), publishOf("u", nil)))
		_, chains[i] = w.digest()
	}
	if chains[0] != chains[1] {
		t.Errorf("chains %x and, with a restart, %x", chains[0], chains[1])
	}
}

// TestWorkOfGroupsIsGrantedInTurn: groups that wait for more than one entry may
// grant get the same.
func TestWorkOfGroupsIsGrantedInTurn(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	header := command.Header{Generation: 1}
	w.apply(true, entryOf(header, firstLeader(), &command.CreateGroup{Channel: "work", Group: "g"}))
	for range 6 {
		var publishes []interface{ Append([]byte) []byte }
		for range 500 {
			publishes = append(publishes, publishOf("t", nil))
		}
		w.apply(true, entryOf(header, publishes...))
	}
	other := offerOf("work", 3000)
	other.Group = "g"
	header.Offers = []command.Offer{offerOf("work", 3000), other}
	got := make(map[string]int)
	out := w.apply(true, entryOf(header))[0]
	for i := range out.Grants {
		got[out.Grants[i].Job.Group]++
	}
	if got[DefaultGroup] != maxGrantSteps/2 || got["g"] != maxGrantSteps/2 {
		t.Errorf("%v of %d grants", got, maxGrantSteps)
	}
}
