package fsm

import (
	"encoding/binary"

	"github.com/batonmq/baton/internal/invariants"
)

const (
	// filterBits is the size of a keyFilter, 1 MiB: at 1.3 million keys, which is
	// what 2,000 publishes a second make of one bucket, one look-up in twenty is in
	// vain. More keys cost look-ups, never a wrong answer.
	filterBits = 8 << 20
	// filterProbes is how many bits a key sets.
	filterProbes = 4
	// maxFilterLoad is how many rows Open reads to fill the filters again. With
	// more, they say maybe to everything until their buckets have passed: a restart
	// must not wait for them.
	maxFilterLoad = 1 << 17
	// dedupeKeyBytes is the size of keyDedupe's keys.
	dedupeKeyBytes = 1 + 4 + 4 + len(digest{})
)

// keyFilter knows which idempotency keys a bucket certainly does not have. Nearly
// every publish carries a key that was never seen, and asking the rows for it in
// two buckets was half the cost of applying it. It is a Bloom filter over what is
// a hash already.
type keyFilter struct {
	bucket uint32
	// bits are made with the first key.
	bits []uint64
	// full means that not all keys are in bits.
	full bool
}

// mayHave is false only for a key that the bucket does not have.
func (f *keyFilter) mayHave(of *digest) bool {
	if f.full || f.bits == nil {
		return f.full
	}
	at, step := probesOf(of)
	for range filterProbes {
		if f.bits[at%filterBits/64]&(1<<(at%64)) == 0 {
			return false
		}
		at += step
	}
	return true
}

func (f *keyFilter) add(of *digest) {
	if f.bits == nil {
		f.bits = make([]uint64, filterBits/64)
	}
	at, step := probesOf(of)
	for range filterProbes {
		f.bits[at%filterBits/64] |= 1 << (at % 64)
		at += step
	}
}

// probesOf splits a digest into the first probe and the way to the next.
func probesOf(of *digest) (at, step uint64) {
	return binary.LittleEndian.Uint64(of[:8]), binary.LittleEndian.Uint64(of[8:]) | 1
}

// rotate begins an empty bucket; the one under way becomes the one before,
// unless time has passed over it.
func (d *dedupe) rotate(bucket uint32) {
	if bucket == d.recent.bucket {
		return
	}
	spare := d.former.bits
	d.former = keyFilter{bucket: bucket - 1}
	if d.recent.bucket == bucket-1 {
		d.former = d.recent
	}
	clear(spare)
	d.recent = keyFilter{bucket: bucket, bits: spare}
}

// loadDedupe fills the filters from the rows of the two buckets.
func (m *Machine) loadDedupe(from reader) error {
	bucket := m.dedupeBucket()
	d := &m.dedupe
	d.recent, d.former = keyFilter{bucket: bucket}, keyFilter{bucket: bucket - 1}
	rows := 0
	first := appendU32([]byte{kindDedupe}, max(bucket, 1)-1)
	return from.Scan(first, after([]byte{kindDedupe}), func(key, _ []byte) (bool, error) {
		filter := &d.former
		if u32At(key, 1) == bucket {
			filter = &d.recent
		}
		invariants.Check(len(key) == dedupeKeyBytes, "an idempotency key's row has a key of %d bytes", len(key))
		of := digest(key[len(key)-len(digest{}):])
		filter.add(&of)
		rows++
		d.recent.full, d.former.full = rows > maxFilterLoad, rows > maxFilterLoad
		return rows <= maxFilterLoad, nil
	})
}
