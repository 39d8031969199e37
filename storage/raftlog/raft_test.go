package raftlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

// machine is the least FSM that keeps the contract: every entry is one row.
type machine struct {
	state *storage.State
	logs  *LogStore
}

func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	must(0, m.logs.WaitDurable(logs[len(logs)-1].Index))
	tx := m.state.Begin()
	for _, entry := range logs {
		tx.BeginEntry(entry.Index, entry.Term)
		if entry.Type == raft.LogConfiguration {
			tx.SetConfiguration(entry.Index, entry.Data)
		} else {
			must(0, tx.Set(entry.Data, fmt.Append(nil, entry.Index)))
		}
		tx.EndEntry()
	}
	must(0, tx.Commit())
	return make([]any, len(logs))
}

func (m *machine) Apply(*raft.Log) any { return errors.New("raft uses ApplyBatch") }

func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return nothing{}, nil }

func (m *machine) Restore(r io.ReadCloser) error {
	staged, ok := StagedFrom(r)
	if !ok {
		return errors.New("not a received snapshot")
	}
	return staged.Commit()
}

type nothing struct{}

func (nothing) Persist(raft.SnapshotSink) error { return nil }
func (nothing) Release()                        {}

// member is one server with a disk that outlives it.
type member struct {
	id        raft.ServerID
	fs        *storage.CrashFS
	stable    *Stable
	store     *storage.Store
	state     *storage.State
	raft      *raft.Raft
	transport *raft.InmemTransport
	// step, if there is one, is called at each step of what is stored.
	step func(what string)
}

func newMember(id string) *member {
	return &member{id: raft.ServerID(id), fs: storage.NewCrashFS(), stable: NewMemoryStable()}
}

func (m *member) start(t *testing.T, bootstrap *raft.Configuration) {
	t.Helper()
	m.store = openTest(t, m.fs)
	m.state = must(m.store.OpenState(1))
	logs := must(NewLogStore(m.store, 1))
	var snapshots raft.SnapshotStore = NewSnapshotStore(m.state, SnapshotOptions{})
	var machine raft.FSM = &machine{m.state, logs}
	var log raft.LogStore = logs
	if m.step != nil {
		snapshots, machine, log = &steppedSnapshots{snapshots, m.step}, &steppedMachine{machine, m.step}, &steppedLog{logs, m.step}
	}
	_, m.transport = raft.NewInmemTransport(raft.ServerAddress(m.id))
	config := raft.DefaultConfig()
	config.LocalID = m.id
	config.Logger = hclog.NewNullLogger()
	config.NoSnapshotRestoreOnStart = true
	config.TrailingLogs = 3
	config.SnapshotInterval = time.Hour
	if bootstrap != nil {
		check(t, raft.BootstrapCluster(config, log, m.stable.Group(1), snapshots, m.transport, *bootstrap))
	}
	r, err := raft.NewRaft(config, machine, log, m.stable.Group(1), snapshots, m.transport)
	check(t, err)
	m.raft = r
}

func (m *member) stop(t *testing.T) {
	t.Helper()
	check(t, m.raft.Shutdown().Error())
	check(t, m.transport.Close())
	check(t, m.store.Close())
}

func connect(members ...*member) {
	for _, a := range members {
		for _, b := range members {
			a.transport.Connect(b.transport.LocalAddr(), b.transport)
		}
	}
}

func (m *member) lead(t *testing.T) {
	t.Helper()
	for m.raft.State() != raft.Leader {
		<-m.raft.LeaderCh()
	}
}

func (m *member) digest(t *testing.T) string {
	t.Helper()
	v := m.state.View()
	defer func() { check(t, v.Close()) }()
	return fmt.Sprintf("%x at %+v", must(v.Digest()), v.Applied())
}

func (m *member) propose(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		check(t, m.raft.Apply(fmt.Appendf(nil, "command-%04d", i), time.Minute).Error())
	}
}

// TestRaftSnapshotsLive runs real raft over these stores: it truncates, loses
// power and goes on, and brings a new member up by a live snapshot.
func TestRaftSnapshotsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMember("a"), newMember("b")
		a.start(t, &raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}})
		a.lead(t)
		a.propose(t, 1, 50)
		check(t, a.raft.Snapshot().Error())
		if first := must(a.store.Log(1)); bounds(first) == 1 {
			t.Fatal("the log was not truncated")
		}

		// Power fails right after a commit: the log has what the state lost.
		a.propose(t, 51, 60)
		crashed, stable := a.fs.Clone(0, 1), a.stable.CrashClone()
		a.stop(t)
		a.fs, a.stable = crashed, stable
		a.start(t, nil)
		a.lead(t)
		check(t, a.raft.Barrier(time.Minute).Error())
		for i := 1; i <= 60; i++ {
			if _, found := row(t, a, fmt.Sprintf("command-%04d", i)); !found {
				t.Fatalf("command %d is lost", i)
			}
		}
		a.propose(t, 61, 61)

		// The new member needs entries that are in no log any more.
		check(t, a.raft.Snapshot().Error())
		b.start(t, nil)
		connect(a, b)
		check(t, a.raft.AddVoter("b", "b", 0, time.Minute).Error())
		a.propose(t, 62, 80)
		for b.state.Applied().Index != a.state.Applied().Index {
			time.Sleep(time.Second) // Of the bubble's clock.
		}
		if b.state.Epoch() == 1 {
			t.Fatal("b did not come up by a snapshot")
		}
		if x, y := a.digest(t), b.digest(t); x != y {
			t.Fatalf("a has %s, b has %s", x, y)
		}
		if bounds(must(b.store.Log(1))) <= 1 {
			t.Fatal("b has a log from the beginning")
		}
		// b goes on from the snapshot after a restart.
		before := b.digest(t)
		b.stop(t)
		b.start(t, nil)
		if after := b.digest(t); after != before {
			t.Fatalf("b had %s, has %s", before, after)
		}
		if got := len(b.raft.GetConfiguration().Configuration().Servers); got != 2 {
			t.Fatalf("b knows %d servers after its restart", got)
		}
		b.stop(t)
		a.stop(t)
	})
}

func bounds(l *storage.Log) uint64 {
	first, _ := l.Bounds()
	return first
}

func row(t *testing.T, m *member, key string) ([]byte, bool) {
	t.Helper()
	v := m.state.View()
	defer func() { check(t, v.Close()) }()
	value, found, err := v.Get([]byte(key))
	check(t, err)
	return value, found
}

// TestSnapshotStoreContract goes through the sink's and Open's refusals.
func TestSnapshotStoreContract(t *testing.T) {
	source, target := openTest(t, storage.NewCrashFS()), openTest(t, storage.NewCrashFS())
	defer func() { check(t, errors.Join(source.Close(), target.Close())) }()
	from, to := must(source.OpenState(1)), must(target.OpenState(1))
	sending, receiving := NewSnapshotStore(from, SnapshotOptions{}), NewSnapshotStore(to, SnapshotOptions{})
	if list := must(sending.List()); len(list) != 0 {
		t.Fatalf("an empty state lists %d snapshots", len(list))
	}
	fill(t, from)
	list := must(sending.List())
	meta, stream, err := sending.Open(list[0].ID)
	check(t, err)
	sent := must(io.ReadAll(stream))
	check(t, stream.Close())
	if meta.Index != 9 || meta.Term != 2 || meta.Size != int64(len(sent)) || len(meta.Configuration.Servers) != 1 {
		t.Fatalf("metadata %+v for %d bytes", meta, len(sent))
	}

	create := func(index uint64) raft.SnapshotSink {
		return must(receiving.Create(1, index, meta.Term, meta.Configuration, meta.ConfigurationIndex, nil))
	}
	other := create(8)
	_ = must(other.Write(sent))
	if err := other.Close(); !errors.Is(err, ErrMismatch) {
		t.Fatalf("a stream of another index: %v", err)
	}
	short := create(9)
	_ = must(short.Write(sent[:len(sent)-1]))
	if err := short.Close(); !errors.Is(err, storage.ErrBadStream) {
		t.Fatalf("a short stream: %v", err)
	}
	canceled := create(9)
	_ = must(canceled.Write(sent))
	check(t, canceled.Cancel())
	if _, _, err := receiving.Open(canceled.ID()); !errors.Is(err, ErrUnknownSnapshot) {
		t.Fatalf("a canceled snapshot: %v", err)
	}
	local := create(9)
	if err := local.Close(); !errors.Is(err, ErrNotApplied) {
		t.Fatalf("a local snapshot ahead of the state: %v", err)
	}
	abandoned := receive(t, receiving, create(9), sent)
	check(t, abandoned.Close())
	if err := abandoned.Commit(); !errors.Is(err, storage.ErrSuperseded) {
		t.Fatalf("commit after close: %v", err)
	}
	staged := receive(t, receiving, create(9), sent)
	if _, err := staged.Read(nil); !errors.Is(err, ErrStagedRead) {
		t.Fatalf("reading a staged snapshot: %v", err)
	}
	check(t, staged.Commit())
	check(t, staged.Close())
	if got, want := to.Applied(), from.Applied(); got.Index != want.Index || got.Chain != want.Chain ||
		!bytes.Equal(got.Configuration, want.Configuration) {
		t.Fatalf("applied %+v, sent %+v", got, want)
	}
}

func fill(t *testing.T, st *storage.State) {
	t.Helper()
	tx := st.Begin()
	tx.BeginEntry(9, 2)
	tx.SetConfiguration(8, raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}}))
	for i := range 10_000 {
		check(t, tx.Set(fmt.Appendf(nil, "key-%d", i), bytes.Repeat([]byte{byte(i)}, i%100)))
	}
	tx.EndEntry()
	check(t, tx.Commit())
}

func receive(t *testing.T, s *SnapshotStore, sink raft.SnapshotSink, stream []byte) *Staged {
	t.Helper()
	_, err := io.Copy(sink, bytes.NewReader(stream))
	check(t, err)
	check(t, sink.Close())
	_, r, err := s.Open(sink.ID())
	check(t, err)
	staged, ok := StagedFrom(r)
	if !ok {
		t.Fatal("a received snapshot opens as something else")
	}
	return staged
}

// TestStreamingWhileApplying keeps size and rows of a live snapshot those of one moment.
func TestStreamingWhileApplying(t *testing.T) {
	s := openTest(t, storage.NewCrashFS())
	defer func() { check(t, s.Close()) }()
	st := must(s.OpenState(1))
	fill(t, st)
	snapshots := NewSnapshotStore(st, SnapshotOptions{})
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for index := uint64(10); ; index++ {
			select {
			case <-stop:
				return
			default:
			}
			tx := st.Begin()
			tx.BeginEntry(index, 2)
			must(0, tx.Set(fmt.Append(nil, index), []byte("v")))
			tx.EndEntry()
			must(0, tx.Commit())
		}
	})
	for range 10 {
		meta, stream, err := snapshots.Open(LiveID)
		check(t, err)
		n, err := io.Copy(io.Discard, stream)
		if err != nil || n != meta.Size {
			t.Fatalf("streamed %d of %d bytes: %v", n, meta.Size, err)
		}
		check(t, stream.Close())
	}
	close(stop)
	writer.Wait()
}
