package storage

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// View is a pinned, consistent reading of one group's state. It is safe for
// concurrent use. An open view keeps deleted rows on the disk: close it soon.
type View struct {
	store    *Store
	snapshot *pebble.Snapshot
	prefix   []byte // read only
	applied  Applied
}

// Applied returns how far the state had come when the view was taken.
func (v *View) Applied() Applied { return v.applied }

// Get returns a copy of the value of a key.
func (v *View) Get(key []byte) (value []byte, found bool, err error) {
	return getCopy(v.snapshot, append(slices.Clip(v.prefix), key...))
}

// Scan visits the rows from (included) to (excluded; nil means the end) in
// ascending order. A visit may panic, as at a damaged row.
func (v *View) Scan(from, to []byte, visit Visit) (err error) {
	if emptyRange(from, to) {
		return nil
	}
	it, err := v.iterator(from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, wrap("scan", it.Close())) }()
	return visitAll(it, visit)
}

// Digest hashes all rows in key order, each as length:4 key length:4 value. Two
// replicas at the same index have the same digest. It reads the whole state.
func (v *View) Digest() (uint64, error) {
	var digest xxhash.Digest
	digest.Reset()
	var scratch [8]byte
	err := v.Scan(nil, nil, func(key, value []byte) (bool, error) {
		putLengths(scratch[:], key, value)
		_, _ = digest.Write(scratch[:4]) // A digest never fails.
		_, _ = digest.Write(key)
		_, _ = digest.Write(scratch[4:])
		_, _ = digest.Write(value)
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	return digest.Sum64(), nil
}

// Size estimates the bytes that the group's rows take on the disk. What is not
// flushed yet is not counted. It is cheap, and 0 when it cannot be known.
func (v *View) Size() int64 {
	bytes, err := v.store.db.EstimateDiskUsage(v.prefix, successor(v.prefix))
	if err != nil {
		return 0
	}
	return int64(bytes) //nolint:gosec // No disk holds 2^63 bytes.
}

// StreamBytes returns exactly how many bytes WriteTo will write. It walks over
// all rows, without keeping any.
func (v *View) StreamBytes() (int64, error) {
	total := int64(streamHeaderBytes + len(v.applied.Configuration) + streamTrailerBytes)
	it, err := v.iterator(nil, nil)
	if err != nil {
		return 0, err
	}
	for valid := it.First(); valid; valid = it.Next() {
		lazy := it.LazyValue()
		total += int64(streamRowBytes + len(it.Key()) - epochKeyBytes + lazy.Len())
	}
	return total, wrap("count rows", it.Close())
}

// WriteTo writes the view as a snapshot stream and returns its length.
func (v *View) WriteTo(w io.Writer) (int64, error) {
	r, err := v.Stream()
	if err != nil {
		return 0, err
	}
	n, err := r.WriteTo(w)
	return n, errors.Join(err, r.Close())
}

// Close unpins the rows.
func (v *View) Close() error { return wrap("close view", v.snapshot.Close()) }

func (v *View) iterator(from, to []byte) (*pebble.Iterator, error) {
	lower, upper := appendBounds(nil, v.prefix, from, to)
	it, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	return it, wrap("scan", err)
}

func putLengths(b, key, value []byte) {
	binary.BigEndian.PutUint32(b, uint32(len(key)))       //nolint:gosec // Bounded by MaxKeyBytes.
	binary.BigEndian.PutUint32(b[4:], uint32(len(value))) //nolint:gosec // Bounded by MaxValueBytes.
}
