package raftlog

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/batonmq/baton/storage"
)

// TestLogStoreAgreesWithAMap drives the log as raft may, with crashes that keep
// some of what was not synced, against a plain map.
func TestLogStoreAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &logModel{fs: storage.NewCrashFS(), entries: map[uint64]string{}}
		m.open()
		defer func() { _ = m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"":         m.agree,
			"store":    m.store,
			"wait":     m.wait,
			"compact":  m.compact,
			"conflict": m.conflict,
			"reopen":   m.reopen,
			"crash":    m.crash,
		})
	})
}

type logModel struct {
	fs          *storage.CrashFS
	s           *storage.Store
	log         *LogStore
	entries     map[uint64]string
	first, last uint64
	// before is what the log was after each write since the last one that is known
	// to be synced, that one first: a crash leaves one of them, or what is now.
	before []logModel
}

func (m *logModel) open() {
	m.s = must(storage.Open("data", storage.Options{FS: m.fs.FS(), CacheBytes: 1 << 20, MemTableBytes: 64 << 10}))
	m.log = must(NewLogStore(m.s, 1))
}

// changes notes what the log is before a write.
func (m *logModel) changes() {
	m.before = append(m.before, logModel{entries: maps.Clone(m.entries), first: m.first, last: m.last})
}

func (m *logModel) store(t *rapid.T) {
	m.changes()
	next := m.last + 1
	if m.last == 0 {
		next = rapid.Uint64Range(1, 1000).Draw(t, "begin")
		m.first = next
	}
	kind := rapid.SampledFrom([]raft.LogType{raft.LogCommand, raft.LogCommand, raft.LogNoop}).Draw(t, "type")
	var logs []*raft.Log
	for i := range rapid.Uint64Range(1, 5).Draw(t, "count") {
		data := strings.Repeat(rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "data"),
			rapid.SampledFrom([]int{1, 1, 1, 30_000}).Draw(t, "times"))
		logs = append(logs, &raft.Log{Index: next + i, Term: 2, Type: kind, Data: []byte(data)})
		m.entries[next+i] = data
		m.last = next + i
	}
	if err := m.log.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	for _, entry := range logs {
		clear(entry.Data) // The store keeps none of the caller's memory.
	}
	if kind != raft.LogCommand {
		m.before = nil
	}
}

func (m *logModel) wait(t *rapid.T) {
	if m.last == 0 {
		t.Skip("empty")
	}
	if err := m.log.WaitDurable(m.last); err != nil {
		t.Fatal(err)
	}
	if durable := m.log.Durable(); durable != m.last {
		t.Fatalf("durable up to %d, waited for %d", durable, m.last)
	}
	// The last row is synced, and with it whatever was written before it: only a
	// truncation may come after.
	m.before = m.sinceLastRow()
}

// sinceLastRow is what a crash may undo when the last row is synced.
func (m *logModel) sinceLastRow() []logModel {
	kept := len(m.before)
	for kept > 0 && m.before[kept-1].last >= m.last && m.before[kept-1].entries[m.last] == m.entries[m.last] {
		kept--
	}
	return m.before[kept:]
}

func (m *logModel) compact(t *rapid.T) {
	if m.last == 0 {
		t.Skip("empty")
	}
	m.remove(t, m.first, rapid.Uint64Range(m.first, m.last).Draw(t, "to"))
}

func (m *logModel) conflict(t *rapid.T) {
	if m.last == 0 {
		t.Skip("empty")
	}
	m.remove(t, rapid.Uint64Range(m.first, m.last).Draw(t, "from"), m.last)
}

func (m *logModel) remove(t *rapid.T, from, to uint64) {
	if err := m.log.DeleteRange(from, to); err != nil {
		t.Fatal(err)
	}
	m.changes()
	for i := from; i <= to; i++ {
		delete(m.entries, i)
	}
	switch {
	case len(m.entries) == 0:
		m.first, m.last = 0, 0
	case from == m.first:
		m.first = to + 1
	default:
		m.last = from - 1
	}
}

func (m *logModel) reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.open()
	m.before = nil
}

func (m *logModel) crash(t *rapid.T) {
	keep := rapid.SampledFrom([]int{0, 30, 70, 100}).Draw(t, "keep")
	crashed := m.fs.Clone(keep, rapid.Uint64().Draw(t, "seed"))
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.fs = crashed
	m.open()
	m.changes()
	for _, left := range m.before {
		if m.leaves(&left) {
			m.entries, m.first, m.last, m.before = left.entries, left.first, left.last, nil
			return
		}
	}
	t.Fatalf("a crash left %d..%d, which is none of the %d states it may leave",
		must(m.log.FirstIndex()), must(m.log.LastIndex()), len(m.before))
}

// leaves tells whether the log is in the state of another model.
func (m *logModel) leaves(left *logModel) bool {
	if must(m.log.FirstIndex()) != left.first || must(m.log.LastIndex()) != left.last {
		return false
	}
	for i, data := range left.entries {
		var entry raft.Log
		if m.log.GetLog(i, &entry) != nil || string(entry.Data) != data {
			return false
		}
	}
	return true
}

func (m *logModel) agree(t *rapid.T) {
	if first, last := must(m.log.FirstIndex()), must(m.log.LastIndex()); first != m.first || last != m.last {
		t.Fatalf("bounds %d..%d, the model has %d..%d", first, last, m.first, m.last)
	}
	for i := max(m.first, 1) - 1; i <= m.last+1; i++ {
		var entry raft.Log
		err := m.log.GetLog(i, &entry)
		data, found := m.entries[i]
		if !found {
			if err != raft.ErrLogNotFound { //nolint:errorlint // Raft compares it this way.
				t.Fatalf("entry %d: %v", i, err)
			}
			continue
		}
		if err != nil || string(entry.Data) != data || entry.Index != i || entry.Term != 2 {
			t.Fatalf("entry %d: %v, %d bytes, stored %d", i, err, len(entry.Data), len(data))
		}
	}
}

// TestRingStaysBounded fills the ring beyond both of its limits.
func TestRingStaysBounded(t *testing.T) {
	var r ring
	rng := rand.New(rand.NewPCG(1, 1))
	for index := uint64(10); index < 5000; index++ {
		r.add(index, make([]byte, 1+rng.IntN(RingBytes/100)))
		if r.bytes > RingBytes || r.last-r.first >= RingEntries {
			t.Fatalf("%d bytes, %d entries", r.bytes, r.last-r.first+1)
		}
		if row, ok := r.get(index); !ok || len(row) == 0 {
			t.Fatalf("the newest row %d is not there", index)
		}
		if _, ok := r.get(r.first - 1); ok {
			t.Fatal("a dropped row is there")
		}
	}
	r.add(1, make([]byte, 2*RingBytes)) // One row alone may be larger.
	if r.first != 1 || r.bytes != 2*RingBytes {
		t.Fatalf("after a jump: first %d, %d bytes", r.first, r.bytes)
	}
	r.clear()
	if r.bytes != 0 {
		t.Fatalf("%d bytes in an empty ring", r.bytes)
	}
}

// TestReplacedEntryIsNeverRead looks at the moment between the append of an entry
// that replaces another one and the update of the ring.
func TestReplacedEntryIsNeverRead(t *testing.T) {
	s := openTest(t, storage.NewCrashFS())
	defer func() { check(t, s.Close()) }()
	log := must(NewLogStore(s, 1))
	check(t, log.StoreLogs([]*raft.Log{{Index: 1, Term: 1}, {Index: 2, Term: 1}, {Index: 3, Term: 1}}))
	check(t, log.DeleteRange(2, 3))
	check(t, log.append([]storage.LogRow{{Index: 2, Value: must(encodeEntry(&raft.Log{Term: 2}))}}))
	var entry raft.Log
	check(t, log.GetLog(2, &entry))
	if entry.Term != 2 {
		t.Fatalf("entry 2 is of term %d", entry.Term)
	}
}

// TestReadersDuringWritesAndTruncation is for the race detector, and checks that
// a reader gets the right entry or none: never one that was truncated before it asked.
func TestReadersDuringWritesAndTruncation(t *testing.T) {
	s := openTest(t, storage.NewCrashFS())
	defer func() { check(t, s.Close()) }()
	log := must(NewLogStore(s, 1))
	stop := make(chan struct{})
	var truncated atomic.Pointer[truncation]
	truncated.Store(&truncation{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				truncated.Load().check(t, log)
			}
		})
	}
	next, term := uint64(1), uint64(1)
	for round := range 300 {
		check(t, log.StoreLog(&raft.Log{Index: next, Term: term, Data: fmt.Append(nil, next)}))
		next++
		switch first := must(log.FirstIndex()); {
		case round%50 == 49:
			check(t, log.DeleteRange(first, next-5))
		case round%20 == 19:
			check(t, log.DeleteRange(next-2, next-1))
			next -= 2
			term++
			truncated.Store(&truncation{next, term})
		}
	}
	close(stop)
	readers.Wait()
}

// truncation says that entries from there on are of this term or a later one.
type truncation struct{ from, term uint64 }

// check reads the last entry, which must be right, later than the truncation, or gone.
func (gone *truncation) check(t *testing.T, log *LogStore) {
	t.Helper()
	last := must(log.LastIndex())
	var entry raft.Log
	switch err := log.GetLog(last, &entry); {
	case errors.Is(err, raft.ErrLogNotFound):
	case err != nil:
		t.Error(err)
	case last >= gone.from && entry.Term < gone.term:
		t.Errorf("entry %d of term %d was truncated", last, entry.Term)
	case entry.Index != last || string(entry.Data) != fmt.Sprint(last):
		t.Errorf("entry %d is %d %q", last, entry.Index, entry.Data)
	}
}
