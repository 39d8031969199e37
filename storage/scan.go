package storage

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Visit sees one row of a scan, with its logical key, and says whether it wants
// more. Both slices are valid until it returns.
type Visit = func(key, value []byte) (more bool, err error)

// scan is an iterator that outlives one scan. Building one looks at every
// level, moving its bounds does not.
type scan struct {
	it *pebble.Iterator
	// Pebble compares new bounds with the old ones, so those must stay as they
	// are until the next: two buffers, taken in turns.
	bounds [2][]byte
	turn   int
}

// Scan visits the rows from (included) to (excluded; nil means the end) in
// ascending order, as they were when it was called. The visit may read and
// write through the same transaction, and scan again.
func (tx *Tx) Scan(from, to []byte, visit Visit) error {
	if emptyRange(from, to) {
		return nil
	}
	sc, err := tx.scanAt(tx.depth, from, to)
	if err != nil {
		return err
	}
	tx.depth++
	defer func() { tx.depth-- }()
	return visitAll(sc.it, visit)
}

// scanAt returns the iterator of this nesting depth, moved to the bounds. Moving
// also shows it what the transaction has written meanwhile.
func (tx *Tx) scanAt(depth int, from, to []byte) (*scan, error) {
	if depth < len(tx.scans) {
		sc := tx.scans[depth]
		options := sc.options(tx.key[:epochKeyBytes], from, to)
		sc.it.SetOptions(options)
		return sc, nil
	}
	sc := &scan{}
	it, err := tx.batch.NewIter(sc.options(tx.key[:epochKeyBytes], from, to))
	if err != nil {
		return nil, wrap("scan", err)
	}
	sc.it = it
	tx.scans = append(tx.scans, sc)
	return sc, nil
}

func (sc *scan) options(prefix, from, to []byte) *pebble.IterOptions {
	buffer := slices.Grow(sc.bounds[sc.turn][:0], 2*epochKeyBytes+len(from)+len(to))
	lower, upper := appendBounds(buffer, prefix, from, to)
	sc.bounds[sc.turn] = buffer
	sc.turn = 1 - sc.turn
	return &pebble.IterOptions{LowerBound: lower, UpperBound: upper}
}

func visitAll(it *pebble.Iterator, visit Visit) error {
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return wrap("scan", err)
		}
		more, err := visit(it.Key()[epochKeyBytes:], value)
		if err != nil || !more {
			return err
		}
	}
	return wrap("scan", it.Error())
}

// emptyRange keeps inverted bounds away from Pebble, whose iterators skip seeks
// by comparing new bounds with old ones, and then miss rows of the next range.
func emptyRange(from, to []byte) bool { return to != nil && bytes.Compare(from, to) >= 0 }

// appendBounds builds both physical bounds of a logical range in one buffer.
func appendBounds(buffer, prefix, from, to []byte) (lower, upper []byte) {
	buffer = append(append(buffer, prefix...), from...)
	end := len(buffer)
	if to == nil {
		buffer = append(buffer, successor(prefix)...)
	} else {
		buffer = append(append(buffer, prefix...), to...)
	}
	return buffer[:end:end], buffer[end:]
}
