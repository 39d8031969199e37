package storage

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// streamOf makes a small stream of rows key=value.
func streamOf(tb testing.TB, rows ...string) []byte {
	tb.Helper()
	s := openTest(tb, NewCrashFS())
	defer closeTest(tb, s)
	st := must(s.OpenState(1))
	tx := st.Begin()
	tx.BeginEntry(9, 2)
	tx.SetConfiguration(8, []byte("configuration"))
	for i := 0; i < len(rows); i += 2 {
		check(tb, tx.Set([]byte(rows[i]), []byte(rows[i+1])))
	}
	tx.EndEntry()
	check(tb, tx.Commit())
	v := st.View()
	defer closeTest(tb, v)
	var b bytes.Buffer
	_ = must(v.WriteTo(&b))
	return b.Bytes()
}

// TestStreamIsGolden pins the bytes of the format.
func TestStreamIsGolden(t *testing.T) {
	got := hex.Dump(streamOf(t, "a", "1", "bb", "", "", "empty key"))
	want, err := os.ReadFile("testdata/stream-v1.hex")
	if err != nil || got != string(want) {
		t.Fatalf("%v; the format is now:\n%s", err, got)
	}
}

// TestStreamSurvivesAnySplit reads and writes in pieces of one byte.
func TestStreamSurvivesAnySplit(t *testing.T) {
	stream := streamOf(t, "a", "1", "b", strings.Repeat("long", 50_000))
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(4))
	check(t, st.Install(iotest.OneByteReader(bytes.NewReader(stream))))
	v := st.View()
	defer closeTest(t, v)
	r := must(v.Stream())
	again, err := io.ReadAll(iotest.OneByteReader(r))
	check(t, err)
	check(t, r.Close())
	if !bytes.Equal(again, stream) {
		t.Fatal("a received state streams other bytes than it was received from")
	}
	if a := st.Applied(); a.Index != 9 || a.Term != 2 || a.ConfigurationIndex != 8 || string(a.Configuration) != "configuration" {
		t.Fatalf("applied %+v", a)
	}
}

// TestDamagedStreamsAreRefused flips every bit, and cuts and extends at every
// byte: nothing of such a stream becomes visible or stays behind.
func TestDamagedStreamsAreRefused(t *testing.T) {
	stream := streamOf(t, "a", "1", "b", "2", "c", "3")
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(1))
	put(t, st, 1, "old", "row")
	refuse := func(what string, damaged []byte) {
		t.Helper()
		if err := st.Install(bytes.NewReader(damaged)); !errors.Is(err, ErrBadStream) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := range stream {
		for bit := range 8 {
			damaged := bytes.Clone(stream)
			damaged[i] ^= 1 << bit
			refuse("flipped bit", damaged)
		}
		refuse("cut", stream[:i])
	}
	refuse("extended", append(bytes.Clone(stream), 0))
	if got := dump(t, st); got != "old=row;" || st.Epoch() != firstEpoch {
		t.Fatalf("rows %q in epoch %d", got, st.Epoch())
	}
	for _, kind := range perEpoch() {
		if must(s.anyRow(epochKey(kind, 1, firstEpoch+1), successor(groupKey(kind, 1)))) {
			t.Fatalf("refused rows stay behind, kind %c", kind)
		}
	}
}

// TestNewerStageSupersedes lets only the last received snapshot become visible.
func TestNewerStageSupersedes(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(1))
	first := must(st.Stage(bytes.NewReader(streamOf(t, "k", "first"))))
	second := must(st.Stage(bytes.NewReader(streamOf(t, "k", "second"))))
	if err := first.Commit(); !errors.Is(err, ErrSuperseded) {
		t.Fatalf("the first commits: %v", err)
	}
	check(t, first.Discard())
	check(t, second.Commit())
	check(t, second.Discard())
	if err := second.Commit(); !errors.Is(err, ErrSuperseded) {
		t.Fatalf("a second commit: %v", err)
	}
	if got := dump(t, st); got != "k=second;" {
		t.Fatalf("rows %q", got)
	}
}

// TestViewOutlivesInstall keeps a pinned view whole while the state under it is replaced.
func TestViewOutlivesInstall(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(1))
	put(t, st, 1, "old", "row")
	v := st.View()
	defer closeTest(t, v)
	check(t, st.Install(bytes.NewReader(streamOf(t, "new", "row"))))
	for _, kind := range perEpoch() {
		if old := epochKey(kind, 1, firstEpoch); must(s.anyRow(old, successor(old))) {
			t.Fatalf("the old epoch is still there, kind %c", kind)
		}
	}
	value, found, err := v.Get([]byte("old"))
	if err != nil || !found || string(value) != "row" || v.Applied().Index != 1 {
		t.Fatalf("the view has %q %v %v at %d", value, found, err, v.Applied().Index)
	}
}

// FuzzStream feeds the decoder anything: it never panics, and what it accepts is
// the stream of exactly the rows it handed out.
func FuzzStream(f *testing.F) {
	f.Add(streamOf(f, "a", "1", "b", "2"), 3)
	f.Add(streamOf(f), 1000)
	f.Add([]byte(streamMagic), 1)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		var again []byte
		d := decoder{}
		d.onHeader = func(a Applied) error {
			again = appendHeader(nil, a)
			return nil
		}
		d.onRow = func(key, value []byte) error {
			again = appendRow(again, key, value)
			return nil
		}
		piece = max(1, piece%4096)
		var err error
		for rest := stream; len(rest) > 0 && err == nil; rest = rest[min(piece, len(rest)):] {
			err = d.write(rest[:min(piece, len(rest))])
		}
		if err != nil || d.finish() != nil {
			return
		}
		if !bytes.Equal(again, stream[:len(stream)-streamTrailerBytes]) {
			t.Fatal("accepted rows are not those of the stream")
		}
	})
}
