package storage

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// TestLogRefusesHoles keeps the log contiguous whatever it is asked.
func TestLogRefusesHoles(t *testing.T) {
	s := openTest(t, NewCrashFS())
	defer closeTest(t, s)
	log := must(s.Log(1))
	check(t, log.AppendSynced(nil))
	check(t, log.AppendSynced(logRows(5, 9, "e"))) // An empty log may begin anywhere but at 0.
	for _, rows := range [][]LogRow{
		logRows(11, 11, "gap"), logRows(9, 9, "again"), {{Index: 10}, {Index: 12}}, {{Index: 0}},
	} {
		if err := log.AppendSynced(rows); !errors.Is(err, ErrLogGap) {
			t.Fatalf("append of %d: %v", rows[0].Index, err)
		}
	}
	if err := log.DeleteRange(6, 8); !errors.Is(err, ErrLogGap) {
		t.Fatalf("delete in the middle: %v", err)
	}
	for _, index := range []uint64{0, 4, 10} {
		if _, err := log.Get(index); !errors.Is(err, ErrNotLogged) {
			t.Fatalf("Get(%d): %v", index, err)
		}
	}
	check(t, log.DeleteRange(0, 6))
	check(t, log.DeleteRange(9, 100))
	if first, last := log.Bounds(); first != 7 || last != 8 {
		t.Fatalf("bounds %d..%d", first, last)
	}
	check(t, log.DeleteRange(7, 8))
	check(t, log.DeleteRange(1, 100))
	if first, last := log.Bounds(); first != 0 || last != 0 {
		t.Fatalf("bounds of an empty log %d..%d", first, last)
	}
}

// TestGroupsAppendAtOnce has eight groups share the write-ahead log.
func TestGroupsAppendAtOnce(t *testing.T) {
	fs := NewCrashFS()
	s := openTest(t, fs)
	var wait sync.WaitGroup
	for group := range uint32(8) {
		wait.Go(func() {
			log := must(s.Log(group))
			for i := uint64(1); i <= 50; i++ {
				if err := log.AppendSynced(logRows(i, i, "e")); err != nil {
					t.Error(err)
				}
				if _, err := log.Get(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	crashed := fs.Clone(0, 1)
	m := s.Metrics()
	if m.SyncLatency.Count == 0 || m.SyncLatency.Quantile(0.99) < 0 || m.WALBytesWritten == 0 {
		t.Fatalf("metrics %+v", m)
	}
	closeTest(t, s)
	s = openTest(t, crashed)
	defer closeTest(t, s)
	for group := range uint32(8) {
		if first, last := must(s.Log(group)).Bounds(); first != 1 || last != 50 {
			t.Fatalf("group %d: %d..%d", group, first, last)
		}
	}
}

// TestWALStallSeesAHungSync reports an operation that has not come back.
func TestWALStallSeesAHungSync(t *testing.T) {
	hung, release := make(chan struct{}), make(chan struct{})
	armed := make(chan struct{}, 1)
	fs := &hookFS{FS: NewCrashFS().FS(), hook: func(operation, _ string) error {
		select {
		case <-armed:
			close(hung)
			<-release
		default:
		}
		return nil
	}}
	s := must(Open("data", Options{FS: fs}))
	defer closeTest(t, s)
	log := must(s.Log(1))
	armed <- struct{}{}
	done := make(chan error)
	go func() { done <- log.AppendSynced(logRows(1, 1, "e")) }()
	<-hung
	for s.WALStall() < time.Millisecond { // A condition, not a delay.
	}
	close(release)
	check(t, <-done)
	if stall := s.WALStall(); stall != 0 {
		t.Fatalf("stall %v after the sync returned", stall)
	}
}

// TestClosedStoreSaysSo answers late callers with an error instead of a panic.
func TestClosedStoreSaysSo(t *testing.T) {
	s := openTest(t, NewCrashFS())
	log := must(s.Log(1))
	check(t, log.AppendSynced(logRows(1, 1, "e")))
	closeTest(t, s)
	if _, err := log.Get(1); !errors.Is(err, ErrClosed) {
		t.Fatalf("Get: %v", err)
	}
	if err := log.AppendSynced(logRows(2, 2, "e")); !errors.Is(err, ErrClosed) {
		t.Fatalf("append: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrClosed) {
		t.Fatalf("close: %v", err)
	}
}
