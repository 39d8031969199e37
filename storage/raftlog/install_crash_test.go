package raftlog

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

var installSeeds = flag.Uint64("crash.installs", 1, "how many installations TestCrashPointsOfInstall goes through")

// TestCrashPointsOfInstall brings up a follower that is far behind, and takes its
// power at every step: of the snapshot that it receives, of its installation, of
// the entries that follow and of its votes. From what is left, the follower must
// come up and catch up, to the same state.
func TestCrashPointsOfInstall(t *testing.T) {
	counts := map[string]int{}
	for seed := range *installSeeds {
		synctest.Test(t, func(t *testing.T) {
			a := newMember("a")
			a.start(t, &raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b", Suffrage: raft.Nonvoter}}})
			a.lead(t)
			for round := range 3 { // More than one chunk of the stream.
				a.fill(t, round)
			}
			check(t, a.raft.Snapshot().Error())
			crashes := a.bringUp(t, seed)
			for _, c := range crashes {
				counts[c.what]++
				a.catchUp(t, c)
			}
			a.stop(t)
		})
	}
	total := 0
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d %s", counts[what], what)
		total += counts[what]
	}
	t.Logf("%d crash points", total)
	if counts["snapshot: bytes"] == 0 || counts["install: after"] == 0 || total < 40 {
		t.Errorf("only %d crash points: %v", total, counts)
	}
}

// crashed is a follower as a crash left it.
type crashed struct {
	what   string
	keep   int
	fs     *storage.CrashFS
	stable *Stable
}

func (m *member) fill(t *testing.T, round int) {
	t.Helper()
	for i := range 200 {
		check(t, m.raft.Apply(fmt.Appendf(nil, "command-%d-%03d-%01000d", round, i, 0), time.Minute).Error())
	}
}

// bringUp starts b, has it catch up, and returns what crashes would have left.
func (m *member) bringUp(t *testing.T, seed uint64) (crashes []*crashed) {
	t.Helper()
	b := newMember("b")
	var steps sync.Mutex
	b.step = func(what string) {
		steps.Lock()
		defer steps.Unlock()
		for _, keep := range []int{0, 30, 70, 100} {
			fs := b.fs.Clone(keep, seed*1_000_003+uint64(len(crashes)))
			crashes = append(crashes, &crashed{what, keep, fs, b.stable.CrashClone()})
		}
	}
	b.start(t, nil)
	connect(m, b)
	m.equals(t, b)
	m.propose(t, 1, 10)
	m.equals(t, b)
	m.part(b)
	b.stop(t)
	return crashes
}

// catchUp starts a follower from what a crash left, and waits until it has all.
func (m *member) catchUp(t *testing.T, c *crashed) {
	t.Helper()
	b := &member{id: "b", fs: c.fs, stable: c.stable}
	b.start(t, nil)
	before := b.state.Applied().Index
	connect(m, b)
	m.propose(t, 11, 11)
	m.equals(t, b)
	if x, y := m.digest(t), b.digest(t); x != y {
		t.Errorf("crash at %q with %d%% kept, which left %d applied: the leader has %s, the follower %s", c.what, c.keep, before, x, y)
	}
	m.part(b)
	b.stop(t)
}

func (m *member) part(other *member) {
	m.transport.Disconnect(other.transport.LocalAddr())
	other.transport.Disconnect(m.transport.LocalAddr())
}

// equals waits until another member has applied what this one has.
func (m *member) equals(t *testing.T, other *member) {
	t.Helper()
	for waited := 0; other.state.Applied().Index != m.state.Applied().Index; waited++ {
		if waited == 1000 {
			t.Fatalf("the follower has applied %d, the leader %d", other.state.Applied().Index, m.state.Applied().Index)
		}
		time.Sleep(100 * time.Millisecond) // Of the bubble's clock.
	}
}

// steppedSnapshots tells of each step of a received snapshot.
type steppedSnapshots struct {
	raft.SnapshotStore

	step func(string)
}

//nolint:revive // The interface wants them.
func (s *steppedSnapshots) Create(
	version raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, tr raft.Transport,
) (raft.SnapshotSink, error) {
	s.step("snapshot: begins")
	sink, err := s.SnapshotStore.Create(version, index, term, c, ci, tr)
	return &steppedSink{sink, s.step}, err
}

type steppedSink struct {
	raft.SnapshotSink

	step func(string)
}

func (s *steppedSink) Write(p []byte) (int, error) {
	n, err := s.SnapshotSink.Write(p)
	s.step("snapshot: bytes")
	return n, err
}

func (s *steppedSink) Close() error {
	err := s.SnapshotSink.Close()
	s.step("snapshot: has arrived")
	return err
}

type steppedMachine struct {
	raft.FSM

	step func(string)
}

func (m *steppedMachine) ApplyBatch(logs []*raft.Log) []any {
	m.step("apply: before")
	defer m.step("apply: after")
	return m.FSM.(raft.BatchingFSM).ApplyBatch(logs)
}

func (m *steppedMachine) Restore(r io.ReadCloser) error {
	m.step("install: before")
	defer m.step("install: after")
	return m.FSM.Restore(r)
}

type steppedLog struct {
	*LogStore

	step func(string)
}

func (l *steppedLog) StoreLogs(entries []*raft.Log) error {
	err := l.LogStore.StoreLogs(entries)
	l.step("log: append")
	return err
}

func (l *steppedLog) DeleteRange(from, to uint64) error {
	err := l.LogStore.DeleteRange(from, to)
	l.step("log: truncate")
	return err
}
