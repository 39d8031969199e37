package fsm

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestFilterNeverDenies a key that it was given, and is seldom wrong about
// others at the load that its size is argued with.
func TestFilterNeverDenies(t *testing.T) {
	const keys = 1_300_000
	of := func(i int) digest { return digestOf(fmt.Sprint(i)) }
	var f keyFilter
	for i := range keys {
		d := of(i)
		f.add(&d)
	}
	wrong := 0
	for i := range 10_000 {
		if d := of(i * 100); !f.mayHave(&d) {
			t.Fatalf("key %d was added, and is denied", i*100)
		}
		if d := of(keys + i); f.mayHave(&d) {
			wrong++
		}
	}
	if wrong > 700 {
		t.Errorf("%d of 10,000 look-ups are in vain", wrong)
	}
}

// TestKeysOutliveTheFilter: a restart over more rows than it reads into the
// filters still knows every key.
func TestKeysOutliveTheFilter(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{TimeMS: DedupeWindowMS}, firstLeader()))
	publish := func(i int) *command.Publish {
		p := publishOf("t", nil)
		p.Event.IdempotencyKey = fmt.Sprint(i)
		return p
	}
	for i := range 16 {
		w.apply(true, entryOf(command.Header{}, publish(i)))
	}
	tx := w.state.Begin()
	w.index++
	tx.BeginEntry(w.index, 1)
	for i := range maxFilterLoad + 1 {
		// As many rows of other keys, spread over the bucket.
		var of digest
		binary.BigEndian.PutUint32(of[:], uint32(i)<<12)
		row := dedupeRow{storedMS: DedupeWindowMS}
		check(t, tx.Set(keyDedupe(nil, 1, 1, of), row.append(nil)))
	}
	tx.EndEntry()
	check(t, tx.Commit())
	w.reopen()
	if !w.machine.dedupe.recent.full {
		t.Fatal("there are not enough rows to fill the filter")
	}
	for i := range 16 {
		if result := w.apply(true, entryOf(command.Header{}, publish(i)))[0].Results[0]; !result.Duplicate {
			t.Fatalf("key %d was forgotten: %+v", i, result)
		}
	}
}
