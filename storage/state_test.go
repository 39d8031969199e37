package storage

import (
	"bytes"
	"errors"
	"testing"

	"github.com/batonmq/baton/internal/invariants"
)

// TestTransactionReadsItsOwnWrites covers point reads, scans and views.
func TestTransactionReadsItsOwnWrites(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(7))
	put(t, st, 1, "a", "1", "b", "2", "c", "3")

	tx := st.Begin()
	tx.BeginEntry(2, 1)
	check(t, tx.Set([]byte("bb"), []byte("new")))
	check(t, tx.Delete([]byte("a")))
	check(t, tx.DeleteRange([]byte("c"), nil))
	value, found, err := tx.Get([]byte("bb"))
	if err != nil || !found || string(value) != "new" {
		t.Fatalf("Get(bb) = %q %v %v", value, found, err)
	}
	if _, found, _ := tx.Get([]byte("a")); found {
		t.Fatal("a was deleted in this transaction")
	}
	if got := scanned(t, tx, "", ""); got != "b=2;bb=new;" {
		t.Fatalf("scan sees %q", got)
	}
	check(t, tx.Set([]byte("d"), []byte("4")))
	if got := scanned(t, tx, "bb", ""); got != "bb=new;d=4;" {
		t.Fatalf("a reused iterator sees %q", got)
	}
	tx.EndEntry()
	if got := dump(t, st); got != "a=1;b=2;c=3;" {
		t.Fatalf("a view sees uncommitted rows: %q", got)
	}
	check(t, tx.Commit())
	if got := dump(t, st); got != "b=2;bb=new;d=4;" {
		t.Fatalf("after commit %q", got)
	}
	if a := st.Applied(); a.Index != 2 || a.Term != 1 || a.Chain == 0 {
		t.Fatalf("applied %+v", a)
	}
}

func scanned(tb testing.TB, tx *Tx, from, to string) string {
	tb.Helper()
	var b bytes.Buffer
	var end []byte
	if to != "" {
		end = []byte(to)
	}
	check(tb, tx.Scan([]byte(from), end, func(key, value []byte) (bool, error) {
		b.WriteString(string(key) + "=" + string(value) + ";")
		return true, nil
	}))
	return b.String()
}

// TestVisitMayPanic: a visit that gives up a damaged row leaves no iterator.
func TestVisitMayPanic(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(7))
	put(t, st, 1, "a", "1")
	view := st.View()
	err := func() (err error) {
		defer invariants.Recover(&err)
		return view.Scan(nil, nil, func(_, _ []byte) (bool, error) {
			invariants.Failf("a damaged row")
			return true, nil
		})
	}()
	if _, broken := errors.AsType[invariants.Violation](err); !broken {
		t.Fatalf("got %v", err)
	}
	check(t, view.Close())
}

// TestNestedScans pins what a scan sees of writes made during it.
func TestNestedScans(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	st := must(s.OpenState(1))
	put(t, st, 1, "a", "1", "b", "2")
	tx := st.Begin()
	tx.BeginEntry(2, 1)
	var seen string
	check(t, tx.Scan(nil, nil, func(outer, _ []byte) (bool, error) {
		seen += string(outer) + ":"
		// The outer scan sees the rows of its beginning, the inner ones what was written since.
		if err := tx.Set(append([]byte("x"), outer...), []byte("w")); err != nil {
			return false, err
		}
		return true, tx.Scan([]byte("b"), nil, func(inner, _ []byte) (bool, error) {
			seen += string(inner) + ","
			return true, nil
		})
	}))
	if seen != "a:b,xa,b:b,xa,xb," {
		t.Fatalf("saw %q", seen)
	}
	tx.EndEntry()
	tx.Discard()
	if got := dump(t, st); got != "a=1;b=2;" {
		t.Fatalf("after discard %q", got)
	}
}

// TestGroupsAndEpochsAreApart drops one group and keeps its neighbor.
func TestGroupsAndEpochsAreApart(t *testing.T) {
	fs := NewCrashFS()
	s := openTest(t, fs)
	one, two := must(s.OpenState(1)), must(s.OpenState(2))
	put(t, one, 5, "k", "one")
	put(t, two, 6, "k", "two")
	log := must(s.Log(1))
	check(t, log.AppendSynced(logRows(1, 3, "e")))
	check(t, s.DropGroup(1))
	closeTest(t, s)

	s = openTest(t, fs)
	defer closeTest(t, s)
	one, two = must(s.OpenState(1)), must(s.OpenState(2))
	if got := dump(t, one) + "|" + dump(t, two); got != "|k=two;" {
		t.Fatalf("rows %q", got)
	}
	if one.Applied().Index != 0 || two.Applied().Index != 6 {
		t.Fatalf("applied %+v %+v", one.Applied(), two.Applied())
	}
	if first, last := must(s.Log(1)).Bounds(); first != 0 || last != 0 {
		t.Fatalf("log of a dropped group: %d..%d", first, last)
	}
}

// TestConfigurationIsPartOfApplied keeps a configuration through later commits and a restart.
func TestConfigurationIsPartOfApplied(t *testing.T) {
	fs := NewCrashFS()
	s := openTest(t, fs)
	st := must(s.OpenState(1))
	tx := st.Begin()
	tx.BeginEntry(3, 2)
	tx.SetConfiguration(3, []byte("three servers"))
	tx.EndEntry()
	check(t, tx.Commit())
	put(t, st, 4, "k", "v")
	closeTest(t, s)

	s = openTest(t, fs)
	defer closeTest(t, s)
	a := must(s.OpenState(1)).Applied()
	if a.Index != 4 || a.ConfigurationIndex != 3 || string(a.Configuration) != "three servers" {
		t.Fatalf("applied %+v", a)
	}
}

// TestOversizeRowsAreRefused keeps every row within what a snapshot stream can carry.
func TestOversizeRowsAreRefused(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	tx := must(s.OpenState(1)).Begin()
	defer tx.Discard()
	tx.BeginEntry(1, 1)
	if err := tx.Set(make([]byte, MaxKeyBytes+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
}

// TestLocalRowsAndIncarnation survives a crash that loses everything unsynced.
func TestLocalRowsAndIncarnation(t *testing.T) {
	fs := NewCrashFS()
	s := openTest(t, fs)
	if _, found, err := s.Incarnation(); found || err != nil {
		t.Fatalf("a new store has no incarnation: %v %v", found, err)
	}
	check(t, s.SetIncarnation(42))
	check(t, s.SetLocal("promise", []byte("a,b,c")))
	crashed := fs.Clone(0, 1)
	closeTest(t, s)

	s = openTest(t, crashed)
	defer closeTest(t, s)
	number, found, err := s.Incarnation()
	if err != nil || !found || number != 42 {
		t.Fatalf("incarnation %d %v %v", number, found, err)
	}
	value, found, err := s.GetLocal("promise")
	if err != nil || !found || string(value) != "a,b,c" {
		t.Fatalf("local row %q %v %v", value, found, err)
	}
	if _, found, _ := s.GetLocal("other"); found {
		t.Fatal("a row that was never set")
	}
}
