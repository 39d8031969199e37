package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// answers is a Replier that writes down what it is told.
type answers []string

// Reply implements Replier.
func (a *answers) Reply(slot uint64, result *command.Result) {
	*a = append(*a, fmt.Sprintf("%d %s", slot, result.Reason))
}

func (a *answers) are(tb tester, want ...string) {
	tb.Helper()
	if !slices.Equal(*a, want) {
		tb.Fatalf("answers are %q, want %q", *a, want)
	}
	*a = nil
}

// groupAsks are the partitions that were asked for a group since the last look,
// each with what it was asked for; the seq of each is kept.
func (e *edge) groupAsks(seqs map[uint32]uint64) (asked []string) {
	for _, s := range e.links.take() {
		f := readFrame(s.data)
		if f.kind != frameAsk {
			continue
		}
		seqs[f.group-1] = f.Uint()
		f.Byte()
		f.Uint()
		_, r := command.ReadPrefix(f.Rest())
		var c command.CreateGroup
		c.Decode(&r)
		one := fmt.Sprintf("%d %s/%s %d", f.group-1, c.Channel, c.Group, c.From)
		if c.Existing {
			one += " existing"
		}
		asked = append(asked, one)
	}
	slices.Sort(asked)
	return asked
}

// says has the leader of a partition answer what it was asked last.
func (e *edge) says(partition uint32, seqs map[uint32]uint64, result command.Result) {
	b := command.AppendUint(appendFrame(nil, frameAnswer, partition+1, 1), seqs[partition])
	e.Receive("n2", command.AppendResult(append(b, byte(statusDone)), &result))
}

// ensures is an edge of three partitions with leaders, and the home of the
// channel work.
func ensures() (e *edge, home uint32, others []uint32) {
	e = newEdge(3)
	home = command.PartitionOf(command.SlotOf("", "work"), 3)
	for p := range uint32(3) {
		e.lead("n2", p, 1)
		if p != home {
			others = append(others, p)
		}
	}
	return e, home, others
}

// TestEnsureGroup: the channel's home is asked first, the others for what it
// decided; all who ask meanwhile are answered when all have the group, and who asks
// later at once.
func TestEnsureGroup(t *testing.T) {
	e, home, others := ensures()
	seqs, got := make(map[uint32]uint64), &answers{}
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 1)
	if asked := e.groupAsks(seqs); !slices.Equal(asked, []string{fmt.Sprintf("%d work/audit 0", home)}) {
		t.Fatalf("asked were %v", asked)
	}
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromEarliest}, got, 2)
	e.says(home, seqs, command.Result{Duplicate: true, Offset: uint64(command.FromEarliest)})
	want := []string{fmt.Sprintf("%d work/audit 1", others[0]), fmt.Sprintf("%d work/audit 1", others[1])}
	if asked := e.groupAsks(seqs); !slices.Equal(asked, want) {
		t.Fatalf("asked were %v, want %v", asked, want)
	}
	e.says(others[1], seqs, command.Result{})
	got.are(t)
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 3)
	e.says(others[0], seqs, command.Result{})
	got.are(t, "1 done", "2 done", "3 done")
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 4)
	got.are(t, "4 done")
	if asked := e.groupAsks(seqs); len(asked) > 0 {
		t.Fatalf("asked were %v for what is known", asked)
	}
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "other", From: command.FromNew}, got, 5)
	if asked := e.groupAsks(seqs); len(asked) != 1 {
		t.Fatalf("asked were %v for another group", asked)
	}
}

// TestEnsureGroupIsRefused: the first refusal is the answer, what comes behind it
// is nothing, and the next to ask begins anew.
func TestEnsureGroupIsRefused(t *testing.T) {
	e, home, others := ensures()
	seqs, got := make(map[uint32]uint64), &answers{}
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 1)
	e.groupAsks(seqs)
	e.says(home, seqs, command.Result{Reason: command.BadRequest})
	got.are(t, "1 bad_request")
	if asked := e.groupAsks(seqs); len(asked) > 0 {
		t.Fatalf("asked were %v behind a refusal", asked)
	}
	for range 2 {
		e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 2)
		e.groupAsks(seqs)
		e.says(home, seqs, command.Result{})
		e.groupAsks(seqs)
		e.says(others[0], seqs, command.Result{Reason: command.Overloaded})
		got.are(t, "2 overloaded")
		e.says(others[1], seqs, command.Result{Reason: command.Overloaded})
		got.are(t)
	}
}

// TestEnsureExistingGroup: whether a group exists is the home's to say, and its
// refusal is for those alone who may not make the group; the others then make what
// the home has, and what is known to exist is not asked for.
func TestEnsureExistingGroup(t *testing.T) {
	e, home, others := ensures()
	existing := &GroupSpec{Channel: "work", Group: "audit", Existing: true}
	made := &GroupSpec{Channel: "work", Group: "audit"}
	seqs, got := make(map[uint32]uint64), &answers{}
	e.EnsureGroup(existing, got, 1)
	if asked := e.groupAsks(seqs); !slices.Equal(asked, []string{fmt.Sprintf("%d work/audit 0 existing", home)}) {
		t.Fatalf("asked were %v", asked)
	}
	refused := map[uint32]uint64{home: seqs[home]}
	e.EnsureGroup(made, got, 2)
	if asked := e.groupAsks(seqs); !slices.Equal(asked, []string{fmt.Sprintf("%d work/audit 0", home)}) {
		t.Fatalf("asked were %v by who may make it", asked)
	}
	e.says(home, refused, command.Result{Reason: command.Forbidden})
	got.are(t, "1 forbidden")
	e.says(home, seqs, command.Result{})
	e.groupAsks(seqs)
	e.says(others[0], seqs, command.Result{Reason: command.Overloaded})
	got.are(t, "2 overloaded")
	e.says(others[1], seqs, command.Result{})
	e.EnsureGroup(existing, got, 3)
	e.groupAsks(seqs)
	e.says(home, seqs, command.Result{Duplicate: true, Offset: uint64(command.FromEarliest)})
	want := []string{fmt.Sprintf("%d work/audit 1", others[0]), fmt.Sprintf("%d work/audit 1", others[1])}
	if asked := e.groupAsks(seqs); !slices.Equal(asked, want) {
		t.Fatalf("asked were %v, want %v", asked, want)
	}
	e.says(others[0], seqs, command.Result{})
	e.says(others[1], seqs, command.Result{})
	e.EnsureGroup(existing, got, 4)
	got.are(t, "3 done", "4 done")
	if asked := e.groupAsks(seqs); len(asked) > 0 {
		t.Fatalf("asked were %v for what is known", asked)
	}
}

// TestEnsureGroupWaitsForLeaders: without a leader it is tried as long as
// anything else, and then refused.
func TestEnsureGroupWaitsForLeaders(t *testing.T) {
	e, home, others := newEdge(3), command.PartitionOf(command.SlotOf("", "work"), 3), []uint32{}
	seqs, got := make(map[uint32]uint64), &answers{}
	for p := range uint32(3) {
		if p != home {
			others = append(others, p)
		}
	}
	e.EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, got, 1)
	for _, p := range []uint32{home, others[0]} {
		e.lead("n2", p, 1)
		e.groupAsks(seqs)
		e.says(p, seqs, command.Result{})
	}
	e.laneOf(others[1]).tick(time.Now().Add(AnswerTimeout + time.Second))
	got.are(t, "1 no_leader")
	unformed := &answers{}
	New(Config{}).EnsureGroup(&GroupSpec{Channel: "work", Group: "audit", From: command.FromNew}, unformed, 1)
	unformed.are(t, "1 no_leader")
}

// TestKnownGroupsAreBounded: a node forgets what it knows of groups rather than
// know any number.
func TestKnownGroupsAreBounded(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	seqs, got := make(map[uint32]uint64), &answers{}
	for i := range MaxKnownGroups + 1 {
		e.EnsureGroup(&GroupSpec{Channel: "work", Group: fmt.Sprint(i), From: command.FromNew}, got, 1)
		e.groupAsks(seqs)
		e.says(0, seqs, command.Result{})
	}
	if known := len(e.known.there); known != 1 || len(*got) != MaxKnownGroups+1 {
		t.Errorf("%d groups are known, %d answers", known, len(*got))
	}
	if len(e.known.asked) > 0 {
		t.Errorf("%d are asked for still", len(e.known.asked))
	}
}
