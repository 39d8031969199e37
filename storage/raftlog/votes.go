package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"
)

// The keys raft uses; see raft.go of hashicorp/raft.
const (
	keyCurrentTerm   = "CurrentTerm"
	keyLastVoteTerm  = "LastVoteTerm"
	keyLastVoteCand  = "LastVoteCand"
	stableRowVersion = 1
	maxStableKey     = 1 << 10
	maxStableValue   = 1 << 16
)

// ErrBadStable says that a stable row is damaged or of an unknown version.
var ErrBadStable = errors.New("bad stable row")

var _ raft.StableStore = (*groupStable)(nil)

// groupStable is one group's row. Raft stores a vote as two calls, term first: the
// term waits in pending, where reads see it, and is written with the candidate. A
// crash between the calls leaves the vote before.
type groupStable struct {
	owner *Stable
	key   []byte

	// Guarded by owner.mu.
	durable stableRow
	pending []byte
	broken  error // what reading the row returned
}

// stableRow maps raft's keys to values; it is small, and written as a whole.
type stableRow map[string][]byte

// Set implements raft.StableStore. It returns when the value is durable, the
// vote's term excepted.
func (g *groupStable) Set(key, value []byte) error {
	if len(key) > maxStableKey || len(value) > maxStableValue {
		return fmt.Errorf("stable row of %d + %d bytes: %w", len(key), len(value), ErrBadStable)
	}
	g.owner.mu.Lock()
	defer g.owner.mu.Unlock()
	if g.broken != nil {
		return g.broken
	}
	if string(key) == keyLastVoteTerm {
		g.pending = slices.Clone(value)
		return g.owner.failed
	}
	next := maps.Clone(g.durable)
	if next == nil {
		next = stableRow{}
	}
	next[string(key)] = append([]byte{}, value...)
	vote := string(key) == keyLastVoteCand
	if vote && g.pending != nil {
		next[keyLastVoteTerm] = g.pending
	}
	if err := g.owner.set(g.key, encodeStable(next)); err != nil {
		return err
	}
	g.durable = next
	if vote {
		g.pending = nil
	}
	return nil
}

// Get implements raft.StableStore. A missing key is ErrKeyNotFound.
func (g *groupStable) Get(key []byte) ([]byte, error) {
	g.owner.mu.Lock()
	defer g.owner.mu.Unlock()
	if g.broken != nil {
		return nil, g.broken
	}
	if string(key) == keyLastVoteTerm && g.pending != nil {
		return slices.Clone(g.pending), nil
	}
	value, found := g.durable[string(key)]
	if !found {
		return nil, ErrKeyNotFound
	}
	return append([]byte{}, value...), nil
}

// SetUint64 implements raft.StableStore.
func (g *groupStable) SetUint64(key []byte, value uint64) error {
	return g.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 implements raft.StableStore. A missing key is ErrKeyNotFound.
func (g *groupStable) GetUint64(key []byte) (uint64, error) {
	value, err := g.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%s has %d bytes: %w", key, len(value), ErrBadStable)
	}
	return binary.BigEndian.Uint64(value), nil
}

// The stable row, one page. Numbers are big endian.
//
//	version:1          stableRowVersion
//	pairs:2
//	pair*              key length:2  value length:4  key  value      keys strictly rise
func encodeStable(row stableRow) []byte {
	b := []byte{stableRowVersion}
	b = binary.BigEndian.AppendUint16(b, uint16(len(row))) //nolint:gosec // Raft has three keys.
	for _, key := range slices.Sorted(maps.Keys(row)) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(key)))      //nolint:gosec // Bounded by maxStableKey.
		b = binary.BigEndian.AppendUint32(b, uint32(len(row[key]))) //nolint:gosec // Bounded by maxStableValue.
		b = append(append(b, key...), row[key]...)
	}
	return b
}

func decodeStable(b []byte) (stableRow, error) {
	if len(b) < 3 || b[0] != stableRowVersion {
		return nil, ErrBadStable
	}
	row, pairs, last := stableRow{}, binary.BigEndian.Uint16(b[1:]), ""
	b = b[3:]
	for i := range pairs {
		if len(b) < 6 {
			return nil, ErrBadStable
		}
		keyEnd := 6 + int(binary.BigEndian.Uint16(b))
		end := keyEnd + int(binary.BigEndian.Uint32(b[2:]))
		if len(b) < end {
			return nil, ErrBadStable
		}
		key := string(b[6:keyEnd])
		if i > 0 && key <= last {
			return nil, ErrBadStable
		}
		row[key], last = append([]byte{}, b[keyEnd:end]...), key
		b = b[end:]
	}
	if len(b) > 0 {
		return nil, ErrBadStable
	}
	return row, nil
}

func stableKey(group uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{'g'}, group)
}

func incarnationKey() []byte { return []byte{'i'} }
