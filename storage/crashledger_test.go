package storage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// ledger is what a store was told, batch by batch. Everything is in one
// write-ahead log, so a crash leaves what some prefix of the batches wrote: one
// that ends at or behind the last that was promised.
type ledger struct {
	groups map[uint32]*groupModel
	locals map[string]string

	mu struct {
		sync.Mutex

		// states are the digests of everything after each batch; those up to promised
		// may not be lost.
		states   []uint64
		promised int
	}
}

// groupModel is a group's log and state in plain maps.
type groupModel struct {
	first, last uint64
	log         map[uint64]string
	applied     Applied
	rows        map[string]string
}

func newLedger(groups ...uint32) *ledger {
	l := &ledger{groups: make(map[uint32]*groupModel), locals: make(map[string]string)}
	for _, g := range groups {
		l.groups[g] = &groupModel{log: make(map[uint64]string), rows: make(map[string]string)}
	}
	l.begins()
	return l
}

// begins notes that a batch is about to be written, which is in the model
// already, and returns its number.
func (l *ledger) begins() int {
	var b bytes.Buffer
	for _, g := range slices.Sorted(maps.Keys(l.groups)) {
		m := l.groups[g]
		writeBounds(&b, g, m.first, m.last)
		for i := m.first; i != 0 && i <= m.last; i++ {
			writeRow(&b, fmt.Sprint(i), m.log[i])
		}
		writeApplied(&b, m.applied)
		for _, key := range slices.Sorted(maps.Keys(m.rows)) {
			writeRow(&b, key, m.rows[key])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.locals)) {
		writeRow(&b, name, l.locals[name])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.states = append(l.mu.states, xxhash.Sum64(b.Bytes()))
	return len(l.mu.states) - 1
}

// promise notes that a batch, and those before it, were said to be durable.
func (l *ledger) promise(batch int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.promised = max(l.mu.promised, batch)
}

func (l *ledger) promised() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.promised
}

func (l *ledger) begun() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.states) - 1
}

// find is the last batch between two after which everything was as digest says.
func (l *ledger) find(digest uint64, from, to int) (batch int, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for batch = to; batch >= from; batch-- {
		if l.mu.states[batch] == digest {
			return batch, true
		}
	}
	return 0, false
}

// digestOfStore is the digest of a store, as the ledger makes it of its model.
func digestOfStore(s *Store, groups []uint32, locals []string) (uint64, error) {
	var b bytes.Buffer
	for _, g := range groups {
		if err := writeGroup(&b, s, g); err != nil {
			return 0, err
		}
	}
	for _, name := range locals {
		value, found, err := s.GetLocal(name)
		if err != nil {
			return 0, err
		}
		if found {
			writeRow(&b, name, string(value))
		}
	}
	return xxhash.Sum64(b.Bytes()), nil
}

func writeGroup(b *bytes.Buffer, s *Store, g uint32) error {
	log, err := s.Log(g)
	if err != nil {
		return err
	}
	first, last := log.Bounds()
	writeBounds(b, g, first, last)
	for i := first; i != 0 && i <= last; i++ {
		row, wrong := log.Get(i)
		if wrong != nil {
			return wrong
		}
		writeRow(b, fmt.Sprint(i), string(row))
	}
	st, err := s.OpenState(g)
	if err != nil {
		return err
	}
	v := st.View()
	defer func() { _ = v.Close() }()
	writeApplied(b, st.Applied())
	return v.Scan(nil, nil, func(key, value []byte) (bool, error) {
		writeRow(b, string(key), string(value))
		return true, nil
	})
}

func writeBounds(b *bytes.Buffer, g uint32, first, last uint64) {
	fmt.Fprintf(b, "group %d log %d..%d\n", g, first, last)
}

func writeApplied(b *bytes.Buffer, a Applied) {
	fmt.Fprintf(b, "applied %d %d %x %d %x\n", a.Index, a.Term, a.Chain, a.ConfigurationIndex, a.Configuration)
}

func writeRow(b *bytes.Buffer, key, value string) {
	fmt.Fprintf(b, "%s=%d %x\n", key, len(value), xxhash.Sum64String(value))
}
