package storage

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestStateAgreesWithAMap drives transactions, reopenings and installs against
// a plain map, and packs the same entries in two ways: the chain must not notice.
func TestStateAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newStateModel(t)
		defer m.close()
		t.Repeat(map[string]func(*rapid.T){
			"":        m.agree,
			"entry":   m.entry,
			"commit":  m.commit,
			"discard": m.discard,
			"reopen":  m.reopen,
			"install": m.install,
		})
	})
}

// stateModel applies every entry to st, packed at random, and after its commit
// one by one to twin.
type stateModel struct {
	t        *rapid.T
	fs       *CrashFS
	s        *Store
	st, twin *State
	tx       *Tx
	index    uint64
	rows     map[string]string // committed
	pending  map[string]string // with the open transaction
	entries  [][]change        // of the open transaction
}

type change struct {
	op       byte
	key, arg string
}

func newStateModel(t *rapid.T) *stateModel {
	m := &stateModel{t: t, fs: NewCrashFS(), rows: map[string]string{}}
	m.open()
	return m
}

func (m *stateModel) open() {
	m.s = must(Open("data", Options{FS: m.fs.FS(), CacheBytes: 1 << 20, MemTableBytes: 64 << 10}))
	m.st, m.twin = must(m.s.OpenState(1)), must(m.s.OpenState(2))
}

func (m *stateModel) close() {
	if m.tx != nil {
		m.tx.Discard()
	}
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *stateModel) key(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-d]{0,3}`).Draw(t, label)
}

func (m *stateModel) entry(t *rapid.T) {
	if m.tx == nil {
		m.tx, m.pending, m.entries = m.st.Begin(), maps.Clone(m.rows), nil
	}
	var changes []change
	for range rapid.IntRange(0, 5).Draw(t, "changes") {
		c := change{
			op:  rapid.SampledFrom([]byte{opSet, opSet, opSet, opDelete, opDeleteRange}).Draw(t, "op"),
			key: m.key(t, "key"), arg: m.key(t, "arg"),
		}
		if c.op == opDeleteRange && c.arg < c.key {
			c.key, c.arg = c.arg, c.key
		}
		changes = append(changes, c)
		c.model(m.pending)
	}
	m.index += uint64(rapid.IntRange(1, 3).Draw(t, "step"))
	apply(m.tx, m.index, changes)
	m.entries = append(m.entries, changes)
	m.checkReads(t)
}

func (m *stateModel) checkReads(t *rapid.T) {
	key := m.key(t, "read")
	value, found, err := m.tx.Get([]byte(key))
	want, wantFound := m.pending[key]
	if err != nil || found != wantFound || string(value) != want {
		t.Fatalf("Get(%q) = %q %v %v, the model has %q %v", key, value, found, err, want, wantFound)
	}
	from, to := m.key(t, "from"), m.key(t, "to")
	var got bytes.Buffer
	if err := m.tx.Scan([]byte(from), []byte(to), func(k, v []byte) (bool, error) {
		fmt.Fprintf(&got, "%s=%s;", k, v)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := render(m.pending, from, to); got.String() != want {
		t.Fatalf("scan %q to %q: %q, the model has %q", from, to, got.String(), want)
	}
}

func (m *stateModel) commit(t *rapid.T) {
	if m.tx == nil {
		t.Skip("nothing is open")
	}
	if err := m.tx.Commit(); err != nil {
		t.Fatal(err)
	}
	m.tx, m.rows = nil, m.pending
	// The twin gets the same entries, one transaction each.
	index := m.twin.Applied().Index
	last := m.st.Applied().Index
	for i, changes := range m.entries {
		index++
		if i == len(m.entries)-1 {
			index = last
		}
		tx := m.twin.Begin()
		apply(tx, index, changes)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *stateModel) discard(t *rapid.T) {
	if m.tx == nil {
		t.Skip("nothing is open")
	}
	m.tx.Discard()
	m.tx, m.index = nil, m.st.Applied().Index
}

func (m *stateModel) reopen(t *rapid.T) {
	if m.tx != nil {
		t.Skip("a transaction is open")
	}
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.open()
}

func (m *stateModel) install(t *rapid.T) {
	if m.tx != nil {
		t.Skip("a transaction is open")
	}
	var stream bytes.Buffer
	source := m.st.View()
	defer func() { _ = source.Close() }()
	n, err := source.WriteTo(&stream)
	if err != nil || n != int64(stream.Len()) || n != must(source.StreamBytes()) {
		t.Fatalf("wrote %d bytes of %d, %v", n, stream.Len(), err)
	}
	before := m.st.Epoch()
	if err := m.st.Install(&stream); err != nil {
		t.Fatal(err)
	}
	after := m.st.View()
	defer func() { _ = after.Close() }()
	if m.st.Epoch() <= before || must(after.Digest()) != must(source.Digest()) ||
		after.Applied().Chain != source.Applied().Chain {
		t.Fatal("an installed snapshot is the state it was taken from")
	}
}

func (m *stateModel) agree(t *rapid.T) {
	v, twin := m.st.View(), m.twin.View()
	defer func() { _ = errors.Join(v.Close(), twin.Close()) }()
	var got bytes.Buffer
	if err := v.Scan(nil, nil, func(k, value []byte) (bool, error) {
		fmt.Fprintf(&got, "%s=%s;", k, value)
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := render(m.rows, "", "~"); got.String() != want {
		t.Fatalf("rows %q, the model has %q", got.String(), want)
	}
	if must(v.Digest()) != must(twin.Digest()) {
		t.Fatal("entries one by one make another digest than packed")
	}
}

func apply(tx *Tx, index uint64, changes []change) {
	tx.BeginEntry(index, 1)
	for _, c := range changes {
		switch c.op {
		case opSet:
			must(0, tx.Set([]byte(c.key), []byte(c.arg)))
		case opDelete:
			must(0, tx.Delete([]byte(c.key)))
		case opDeleteRange:
			must(0, tx.DeleteRange([]byte(c.key), []byte(c.arg)))
		}
	}
	tx.EndEntry()
}

func (c change) model(rows map[string]string) {
	switch c.op {
	case opSet:
		rows[c.key] = c.arg
	case opDelete:
		delete(rows, c.key)
	case opDeleteRange:
		maps.DeleteFunc(rows, func(k, _ string) bool { return k >= c.key && k < c.arg })
	}
}

func render(rows map[string]string, from, to string) string {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if k >= from && k < to {
			fmt.Fprintf(&b, "%s=%s;", k, rows[k])
		}
	}
	return b.String()
}

// TestChainIsIndependentOfBatches commits the same entries in every split.
func TestChainIsIndependentOfBatches(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	var chains []uint64
	for split := range uint32(8) {
		st := must(s.OpenState(split))
		tx := st.Begin()
		for index := uint64(1); index <= 4; index++ {
			apply(tx, index, []change{{opSet, fmt.Sprint(index), "v"}, {opDelete, "1", ""}})
			if split&(1<<(index-1)) != 0 {
				check(t, tx.Commit())
				tx = st.Begin()
			}
		}
		check(t, tx.Commit())
		chains = append(chains, st.Applied().Chain)
	}
	if len(slices.Compact(chains)) != 1 {
		t.Fatalf("chains differ: %x", chains)
	}
	// Pinned: replicas of different releases compare this number.
	if chains[0] != goldenChain {
		t.Fatalf("the chain hash has changed: %#x, was %#x", chains[0], uint64(goldenChain))
	}
}

const goldenChain = 0xd193e6bd2ee2ea16
