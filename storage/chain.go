package storage

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Operations in a chain hash. They are part of what replicas must agree on:
// never renumber.
const (
	opSet         = 1
	opDelete      = 2
	opDeleteRange = 3
)

// chainHash folds the changes of Raft entries into one rolling number:
//
//	chain(n) = xxhash64( chain(n-1):8 index:8 term:8 change* )
//	change   = op:1 length:4 key length:4 value     Set
//	         | op:1 length:4 key                    Delete
//	         | op:1 length:4 from length:4 to       DeleteRange
//
// Numbers are big endian. It allocates nothing.
type chainHash struct {
	value   uint64
	digest  xxhash.Digest
	scratch [3 * 8]byte
}

func (c *chainHash) begin(index, term uint64) {
	c.digest.Reset()
	binary.BigEndian.PutUint64(c.scratch[0:], c.value)
	binary.BigEndian.PutUint64(c.scratch[8:], index)
	binary.BigEndian.PutUint64(c.scratch[16:], term)
	c.write(c.scratch[:])
}

func (c *chainHash) set(key, value []byte) {
	c.operand(opSet, key)
	binary.BigEndian.PutUint32(c.scratch[:], uint32(len(value))) //nolint:gosec // Bounded by MaxValueBytes.
	c.write(c.scratch[:4])
	c.write(value)
}

func (c *chainHash) delete(key []byte) { c.operand(opDelete, key) }

func (c *chainHash) deleteRange(from, to []byte) {
	c.operand(opDeleteRange, from)
	binary.BigEndian.PutUint32(c.scratch[:], uint32(len(to))) //nolint:gosec // Bounded by MaxKeyBytes.
	c.write(c.scratch[:4])
	c.write(to)
}

func (c *chainHash) end() uint64 {
	c.value = c.digest.Sum64()
	return c.value
}

func (c *chainHash) operand(op byte, key []byte) {
	c.scratch[0] = op
	binary.BigEndian.PutUint32(c.scratch[1:], uint32(len(key))) //nolint:gosec // Bounded by MaxKeyBytes.
	c.write(c.scratch[:5])
	c.write(key)
}

func (c *chainHash) write(p []byte) { _, _ = c.digest.Write(p) } // A digest never fails.
