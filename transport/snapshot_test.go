package transport

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestSnapshotGuard goes through the three verdicts.
func TestSnapshotGuard(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		var verdict atomic.Int64
		a := start(t, n, Config{Self: "a.1"})
		b := start(t, n, Config{Self: "b.1", SnapshotGuard: func(group uint32, r *raft.InstallSnapshotRequest) SnapshotVerdict {
			if group != testGroup || r.LastLogIndex != 9 {
				t.Errorf("asked about group %d, index %d", group, r.LastLogIndex)
			}
			return SnapshotVerdict(verdict.Load())
		}})
		var reached atomic.Int64
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			if _, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
				reached.Add(1)
			}
			accept(rpc)
		})
		const size = 32 << 20
		install := func(resp *raft.InstallSnapshotResponse) error {
			return a.Raft(testGroup).InstallSnapshot("b.1", "b.1",
				&raft.InstallSnapshotRequest{RPCHeader: header(), Term: 3, LastLogIndex: 9, Size: size},
				resp, io.LimitReader(zeros{}, size))
		}
		must(t, install(&raft.InstallSnapshotResponse{}))
		verdict.Store(int64(AcknowledgeStale))
		var resp raft.InstallSnapshotResponse
		must(t, install(&resp))
		if !resp.Success || resp.Term != 3 || reached.Load() != 1 {
			t.Errorf("stale: %+v, %d reached Raft", resp, reached.Load())
		}
		verdict.Store(int64(Conflict))
		if err := install(&resp); !errors.Is(err, ErrSnapshotConflict) || reached.Load() != 1 {
			t.Errorf("conflict: %v, %d reached Raft", err, reached.Load())
		}
	})
}

// TestSnapshotOutlivesItsStallLimitWhileItWorks restores for long, then not at all.
func TestSnapshotOutlivesItsStallLimitWhileItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		a, b := n.Join(Config{Self: "a.1"}), n.Join(Config{Self: "b.1"})
		a.Start()
		b.Start()
		trans := b.Raft(testGroup)
		var wait sync.WaitGroup
		wait.Go(func() {
			rpc := <-trans.Consumer()
			time.Sleep(10 * SnapshotStall) // A long restore, in the bubble's time.
			accept(rpc)
		})
		var resp raft.InstallSnapshotResponse
		must(t, a.Raft(testGroup).InstallSnapshot("b.1", "b.1",
			&raft.InstallSnapshotRequest{RPCHeader: header(), Size: 10}, &resp, strings.NewReader("0123456789")))
		wait.Wait()
		// And one whose receiver vanishes ends.
		wait.Go(func() { <-trans.Consumer() })
		go func() {
			time.Sleep(time.Second)
			n.CutBoth("a.1", "b.1")
		}()
		began := time.Now()
		err := a.Raft(testGroup).InstallSnapshot("b.1", "b.1",
			&raft.InstallSnapshotRequest{RPCHeader: header(), Size: 10}, &resp, strings.NewReader("0123456789"))
		if took := time.Since(began); err == nil || took > SnapshotStall+2*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		wait.Wait()
		must(t, a.Close())
		must(t, b.Close())
	})
}

// TestShortSnapshotFails promises more data than there is.
func TestShortSnapshotFails(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		got := make(chan int64, 1)
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			size, err := io.Copy(io.Discard, rpc.Reader)
			got <- size
			rpc.Respond(&raft.InstallSnapshotResponse{}, err)
		})
		err := a.Raft(testGroup).InstallSnapshot("b.1", "b.1", &raft.InstallSnapshotRequest{Size: 2 * snapshotChunk},
			&raft.InstallSnapshotResponse{}, bytes.NewReader(make([]byte, snapshotChunk)))
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
		if size := receive(t, "what came", got); size != snapshotChunk {
			t.Errorf("%d bytes came", size)
		}
	})
}
