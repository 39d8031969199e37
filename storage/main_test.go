package storage

import (
	"bytes"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/batonmq/baton/internal/invariants"
)

// TestMain finds goroutines that nobody waited for.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openTest opens a store that fails the test when it fails.
func openTest(tb testing.TB, fs *CrashFS) *Store {
	tb.Helper()
	s, err := Open("data", Options{
		FS:            fs.FS(),
		CacheBytes:    1 << 20,
		MemTableBytes: 256 << 10,
		OnFatal:       func(err error) { tb.Errorf("storage failed: %v", err) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func closeTest(tb testing.TB, c interface{ Close() error }) {
	tb.Helper()
	if err := c.Close(); err != nil {
		tb.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	invariants.Check(err == nil, "a test's setup works: %v", err)
	return value
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// put commits rows key=value as one entry.
func put(tb testing.TB, st *State, index uint64, rows ...string) {
	tb.Helper()
	tx := st.Begin()
	tx.BeginEntry(index, 1)
	for i := 0; i < len(rows); i += 2 {
		check(tb, tx.Set([]byte(rows[i]), []byte(rows[i+1])))
	}
	tx.EndEntry()
	check(tb, tx.Commit())
}

// dump returns all rows of a view as one string.
func dump(tb testing.TB, st *State) string {
	tb.Helper()
	v := st.View()
	defer closeTest(tb, v)
	var b bytes.Buffer
	check(tb, v.Scan(nil, nil, func(key, value []byte) (bool, error) {
		fmt.Fprintf(&b, "%s=%s;", key, value)
		return true, nil
	}))
	return b.String()
}

func logRows(from, to uint64, tag string) []LogRow {
	var rows []LogRow
	for i := from; i <= to; i++ {
		rows = append(rows, LogRow{Index: i, Value: fmt.Appendf(nil, "%s-%d", tag, i)})
	}
	return rows
}

// violation runs f and returns the invariant it broke.
func violation(f func()) (err error) {
	defer invariants.Recover(&err)
	f()
	return nil
}

// AppendSynced is Append and WaitDurable: most tests want what is on the disk.
func (l *Log) AppendSynced(rows []LogRow) error {
	if len(rows) == 0 {
		return nil
	}
	if err := l.Append(rows); err != nil {
		return err
	}
	if err := l.WaitDurable(rows[len(rows)-1].Index); err != nil {
		return fmt.Errorf("append to the log of group %d: %w", l.group, err)
	}
	return nil
}
