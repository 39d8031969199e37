package fsm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestFollowersAreBounded: one name too many is refused with what to do, and counts
// in its own channel and tenant only; the names that are there stay.
func TestFollowersAreBounded(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	begin := func(tenant, channel, name string) command.Result {
		c := &command.CommitFollower{Tenant: tenant, Channel: channel, Name: name, Begin: command.FollowBeginNew}
		return w.apply(true, entryOf(command.Header{}, c))[0].Results[0]
	}
	for i := range MaxFollowers {
		if r := begin("t", "work", fmt.Sprint("f", i)); r.Reason != command.Done {
			t.Fatalf("follower %d: %+v", i, r)
		}
	}
	before, _ := w.digest()
	if r := begin("t", "work", "more"); r.Reason != command.BadRequest || !strings.Contains(r.Message, "256 named followers") {
		t.Fatalf("one too many: %+v", r)
	}
	if after, _ := w.digest(); after != before {
		t.Fatal("a refusal changes rows")
	}
	for _, r := range []command.Result{begin("t", "work", "f7"), begin("u", "work", "more"), begin("t", "other", "more")} {
		if r.Reason != command.Done {
			t.Fatalf("%+v", r)
		}
	}
}
