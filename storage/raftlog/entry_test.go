package raftlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func sampleEntry() *raft.Log {
	return &raft.Log{
		Index: 7, Term: 3, Type: raft.LogCommand,
		Data: []byte("command"), Extensions: []byte("ext"),
		AppendedAt: time.Unix(1700000000, 123456789),
	}
}

// TestEntryIsGolden pins the bytes of the format.
func TestEntryIsGolden(t *testing.T) {
	got := hex.Dump(must(encodeEntry(sampleEntry())))
	want, err := os.ReadFile("testdata/entry-v1.hex")
	if err != nil || got != string(want) {
		t.Fatalf("%v; the format is now:\n%s", err, got)
	}
}

// TestEntryRoundTrip keeps every field, the zero time and empty slices included.
func TestEntryRoundTrip(t *testing.T) {
	for _, entry := range []*raft.Log{
		sampleEntry(),
		{Index: 1, Term: 1, Type: raft.LogNoop, Data: []byte{}},
		{Index: 1<<63 + 1, Term: 1<<64 - 1, Type: raft.LogConfiguration, Data: []byte{0}},
	} {
		var got raft.Log
		check(t, decodeEntry(entry.Index, must(encodeEntry(entry)), &got))
		if !reflect.DeepEqual(&got, entry) {
			t.Fatalf("got %+v, stored %+v", got, *entry)
		}
	}
}

// TestHugeEntryIsRefused happens before anything is written.
func TestHugeEntryIsRefused(t *testing.T) {
	if _, err := encodeEntry(&raft.Log{Data: make([]byte, MaxEntryBytes+1)}); !errors.Is(err, ErrEntryTooLarge) {
		t.Fatalf("got %v", err)
	}
}

// FuzzEntry decodes anything without a panic; what is accepted encodes to itself.
func FuzzEntry(f *testing.F) {
	f.Add(must(encodeEntry(sampleEntry())))
	f.Add(must(encodeEntry(&raft.Log{})))
	f.Add([]byte{entryVersion})
	f.Fuzz(func(t *testing.T, row []byte) {
		var entry raft.Log
		if err := decodeEntry(5, row, &entry); err != nil {
			if !errors.Is(err, ErrBadEntry) {
				t.Fatalf("an unnamed error: %v", err)
			}
			return
		}
		if again := must(encodeEntry(&entry)); !bytes.Equal(again, row) {
			t.Fatalf("%x decodes and encodes to %x", row, again)
		}
	})
}

// FuzzStable does the same for stable rows.
func FuzzStable(f *testing.F) {
	f.Add(encodeStable(stableRow{}))
	f.Add(encodeStable(stableRow{keyCurrentTerm: {0, 0, 0, 0, 0, 0, 0, 1}, keyLastVoteCand: []byte("a")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := decodeStable(b)
		if err != nil {
			return
		}
		if again := encodeStable(row); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes and encodes to %x", b, again)
		}
	})
}
