package storage

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestChainIsWhatItsPageSays builds one entry's bytes by hand.
func TestChainIsWhatItsPageSays(t *testing.T) {
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	field := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	want := xxhash.Sum64(slices.Concat(
		number(77), number(5), number(3),
		[]byte{1}, field("key"), field("value"),
		[]byte{2}, field("gone"),
		[]byte{3}, field("from"), field("to"),
	))
	c := chainHash{value: 77}
	c.begin(5, 3)
	c.set([]byte("key"), []byte("value"))
	c.delete([]byte("gone"))
	c.deleteRange([]byte("from"), []byte("to"))
	if got := c.end(); got != want || c.value != want {
		t.Fatalf("chain %#x, by hand %#x", got, want)
	}
}

// TestChainAllocatesNothing holds what its comment says.
func TestChainAllocatesNothing(t *testing.T) {
	var c chainHash
	key, value := make([]byte, 24), make([]byte, 300)
	if n := testing.AllocsPerRun(100, func() {
		c.begin(1, 1)
		c.set(key, value)
		c.delete(key)
		c.deleteRange(key, value)
		c.end()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestChangesOutsideAnEntryAreRefused lets nothing escape the chain.
func TestChangesOutsideAnEntryAreRefused(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(1))
	put(t, st, 5, "k", "v")
	for name, misuse := range map[string]func(*Tx){
		"set":             func(tx *Tx) { must(0, tx.Set(nil, nil)) },
		"delete":          func(tx *Tx) { must(0, tx.Delete(nil)) },
		"delete range":    func(tx *Tx) { must(0, tx.DeleteRange(nil, nil)) },
		"index goes back": func(tx *Tx) { tx.BeginEntry(5, 1) },
		"entry in entry":  func(tx *Tx) { tx.BeginEntry(6, 1); tx.BeginEntry(7, 1) },
		"half an entry":   func(tx *Tx) { tx.BeginEntry(6, 1); must(0, tx.Commit()) },
		"second begin":    func(*Tx) { st.Begin() },
	} {
		t.Run(name, func(t *testing.T) {
			tx := st.Begin()
			defer tx.Discard()
			if err := violation(func() { misuse(tx) }); err == nil {
				t.Fatal("nothing was broken")
			}
		})
	}
	if got := dump(t, st); got != "k=v;" {
		t.Fatalf("rows %q", got)
	}
}
