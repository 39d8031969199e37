package raftlog

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// TestMain finds goroutines that nobody waited for.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(tb testing.TB, fs *storage.CrashFS) *storage.Store {
	tb.Helper()
	s, err := storage.Open("data", storage.Options{
		FS: fs.FS(), CacheBytes: 1 << 20, MemTableBytes: 64 << 10,
		OnFatal: func(err error) { tb.Errorf("storage failed: %v", err) },
	})
	check(tb, err)
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	invariants.Check(err == nil, "a test's setup works: %v", err)
	return value
}
