package transport

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

const testGroup = 7

// serveGroup answers what comes to a group, in place of a Raft, until the
// test ends.
func serveGroup(tb testing.TB, trans raft.Transport, answer func(raft.RPC)) {
	tb.Helper()
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case rpc := <-trans.Consumer():
				answer(rpc)
			case <-stop:
				return
			}
		}
	})
	tb.Cleanup(func() {
		close(stop)
		wait.Wait()
	})
}

// accept answers every request with success.
func accept(rpc raft.RPC) {
	switch r := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		rpc.Respond(&raft.AppendEntriesResponse{Term: r.Term, Success: true}, nil)
	case *raft.RequestVoteRequest:
		rpc.Respond(&raft.RequestVoteResponse{Term: r.Term, Granted: true}, nil)
	case *raft.RequestPreVoteRequest:
		rpc.Respond(&raft.RequestPreVoteResponse{Term: r.Term, Granted: true}, nil)
	case *raft.TimeoutNowRequest:
		rpc.Respond(&raft.TimeoutNowResponse{}, nil)
	case *raft.InstallSnapshotRequest:
		_, err := io.Copy(io.Discard, rpc.Reader)
		rpc.Respond(&raft.InstallSnapshotResponse{Term: r.Term, Success: true}, err)
	}
}

func header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a.1"), Addr: []byte("a.1")}
}

func entriesOf(term, index uint64, sizes ...int) *raft.AppendEntriesRequest {
	r := &raft.AppendEntriesRequest{RPCHeader: header(), Term: term, PrevLogEntry: index - 1, PrevLogTerm: term}
	for i, size := range sizes {
		r.Entries = append(r.Entries, &raft.Log{Index: index + uint64(i), Term: term, Data: make([]byte, size)})
	}
	return r
}

// twoNodes are a, which asks, and b, which answers.
func twoNodes(tb testing.TB, n network) (a, b Transport) {
	tb.Helper()
	return start(tb, n, Config{Self: "a.1"}), start(tb, n, Config{Self: "b.1"})
}

// TestEveryRequestHasItsReply sends one of each.
func TestEveryRequestHasItsReply(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		serveGroup(t, b.Raft(testGroup), accept)
		from := a.Raft(testGroup)

		var appended raft.AppendEntriesResponse
		must(t, from.AppendEntries("b.1", "b.1", entriesOf(3, 10, 5, 6), &appended))
		var voted raft.RequestVoteResponse
		must(t, from.RequestVote("b.1", "b.1", &raft.RequestVoteRequest{RPCHeader: header(), Term: 4}, &voted))
		var preVoted raft.RequestPreVoteResponse
		must(t, from.(raft.WithPreVote).RequestPreVote("b.1", "b.1",
			&raft.RequestPreVoteRequest{RPCHeader: header(), Term: 5}, &preVoted))
		var installed raft.InstallSnapshotResponse
		must(t, from.InstallSnapshot("b.1", "b.1",
			&raft.InstallSnapshotRequest{RPCHeader: header(), Term: 6, Size: 3 << 20},
			&installed, io.LimitReader(zeros{}, 3<<20)))
		must(t, from.TimeoutNow("b.1", "b.1", &raft.TimeoutNowRequest{}, &raft.TimeoutNowResponse{}))
		if !appended.Success || appended.Term != 3 || !voted.Granted || voted.Term != 4 ||
			!preVoted.Granted || preVoted.Term != 5 || !installed.Success || installed.Term != 6 {
			t.Errorf("%+v %+v %+v %+v", appended, voted, preVoted, installed)
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestGroupThatIsNotHostedIsRefusedAtOnce asks before a group is opened, after it is closed, and again.
func TestGroupThatIsNotHostedIsRefusedAtOnce(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		from := a.Raft(testGroup)
		ask := func() error {
			return from.AppendEntries("b.1", "b.1", entriesOf(3, 10, 5), &raft.AppendEntriesResponse{})
		}
		if err := ask(); !errors.Is(err, ErrGroupNotHosted) {
			t.Fatalf("never opened: %v", err)
		}
		first := b.Raft(testGroup)
		if b.Raft(testGroup) != first {
			t.Fatal("an open group has one handle")
		}
		must(t, first.(raft.WithClose).Close())
		if err := ask(); !errors.Is(err, ErrGroupNotHosted) {
			t.Fatalf("closed: %v", err)
		}
		err := from.InstallSnapshot("b.1", "b.1", &raft.InstallSnapshotRequest{Size: 1 << 20},
			&raft.InstallSnapshotResponse{}, io.LimitReader(zeros{}, 1<<20))
		if !errors.Is(err, ErrGroupNotHosted) {
			t.Fatalf("a snapshot: %v", err)
		}
		serveGroup(t, b.Raft(testGroup), accept)
		must(t, ask())
	})
}

// TestClosingAHandleEndsItsRequests closes the asking side, then the asked one.
func TestClosingAHandleEndsItsRequests(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		asked := make(chan struct{}, 10)
		serveGroup(t, b.Raft(testGroup), func(raft.RPC) { asked <- struct{}{} }) // Never answers.
		from := a.Raft(testGroup)
		failed := make(chan error, 2)
		ask := func() {
			failed <- from.AppendEntries("b.1", "b.1", entriesOf(3, 10, 5), &raft.AppendEntriesResponse{})
		}
		go ask()
		receive(t, "the request", asked)
		must(t, from.(raft.WithClose).Close())
		if err := receive(t, "its end", failed); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		// The other way: the side that should answer closes.
		from = a.Raft(testGroup)
		go ask()
		receive(t, "the request", asked)
		must(t, b.Raft(testGroup).(raft.WithClose).Close())
		if err := receive(t, "its end", failed); !errors.Is(err, ErrGroupNotHosted) {
			t.Errorf("got %v", err)
		}
	})
}

// TestBrokenConnectionFailsEverythingAtOnce breaks it under a request and a pipeline.
func TestBrokenConnectionFailsEverythingAtOnce(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		asked := make(chan struct{}, 10)
		serveGroup(t, b.Raft(testGroup), func(raft.RPC) { asked <- struct{}{} })
		from := a.Raft(testGroup)
		failed := make(chan error, 1)
		go func() {
			failed <- from.AppendEntries("b.1", "b.1", entriesOf(3, 10, 5), &raft.AppendEntriesResponse{})
		}()
		receive(t, "the request", asked)
		pipeline, err := from.AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		defer func() { must(t, pipeline.Close()) }()
		future, err := pipeline.AppendEntries(entriesOf(3, 10, 5), &raft.AppendEntriesResponse{})
		must(t, err)
		receive(t, "the pipelined request", asked)
		began := time.Now()
		n.breakAll()
		if receive(t, "its end", failed) == nil || future.Error() == nil {
			t.Error("a request without a reply succeeded")
		}
		if took := time.Since(began); took > AppendTimeout/2 {
			t.Errorf("it took %v", took)
		}
		if _, err := pipeline.AppendEntries(entriesOf(3, 11, 5), &raft.AppendEntriesResponse{}); err == nil {
			t.Error("a broken pipeline goes on")
		}
		select {
		case f := <-pipeline.Consumer():
			t.Errorf("a failed append counts as a contact: %+v", f)
		default:
		}
	})
}

// TestPipelineAfterARejectedAppend is hashicorp/raft #611 and #612: the library's own pipeline hangs here.
func TestPipelineAfterARejectedAppend(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		const accepted = 10
		served := 0
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			served++
			rpc.Respond(&raft.AppendEntriesResponse{Term: 3, Success: served <= accepted}, nil)
		})
		pipeline, err := a.Raft(testGroup).AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		// Nobody takes from Consumer, as Raft does after a rejection: sending
		// must come to an end all the same.
		eventually(t, "sending fails", func() bool {
			_, err = pipeline.AppendEntries(entriesOf(3, 10, 100), &raft.AppendEntriesResponse{})
			return err != nil
		})
		if !errors.Is(err, ErrPipelineBroken) {
			t.Errorf("got %v", err)
		}
		for i := range accepted + 1 {
			f := receive(t, "an answered append", pipeline.Consumer())
			if f.Error() != nil || f.Response().Success != (i < accepted) {
				t.Errorf("append %d: %v %+v", i, f.Error(), f.Response())
			}
		}
		must(t, pipeline.Close())
	})
}

// TestPipelineIsBoundedAndKeepsOrder lets nobody take the answers for a while.
func TestPipelineIsBoundedAndKeepsOrder(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		release := make(chan struct{})
		var served atomic.Int64
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			<-release
			served.Add(1)
			accept(rpc)
		})
		pipeline, err := a.Raft(testGroup).AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		const appends = 5 * MaxInFlight // More than ready holds: the rest overflows.
		var sent atomic.Int64
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := range uint64(appends) {
				if _, err := pipeline.AppendEntries(entriesOf(3, i+1, 10), &raft.AppendEntriesResponse{}); err != nil {
					t.Errorf("append %d: %v", i, err)
					return
				}
				sent.Add(1)
			}
		})
		eventually(t, "the pipeline fills", func() bool { return sent.Load() == MaxInFlight })
		close(release)
		eventually(t, "it stops at what nobody takes", func() bool { return served.Load() == 2*MaxInFlight })
		for i := range uint64(appends) {
			f := receive(t, "an append", pipeline.Consumer())
			if got := f.Request().Entries[0].Index; got != i+1 {
				t.Fatalf("append %d came as %d", i+1, got)
			}
		}
		wait.Wait()
		must(t, pipeline.Close())
	})
}

// TestPipelineCloseUnblocks closes a pipeline under its sender.
func TestPipelineCloseUnblocks(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		_ = b.Raft(testGroup) // Hosted, and nobody at home.
		pipeline, err := a.Raft(testGroup).AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		ended := make(chan error, 1)
		sent := make(chan struct{}, 2*MaxInFlight)
		go func() {
			for {
				if _, err := pipeline.AppendEntries(entriesOf(3, 1, 10), &raft.AppendEntriesResponse{}); err != nil {
					ended <- err
					return
				}
				sent <- struct{}{}
			}
		}()
		for range MaxInFlight {
			receive(t, "the pipeline fills", sent)
		}
		must(t, pipeline.Close())
		if receive(t, "the sender returns", ended) == nil {
			t.Error("a closed pipeline took an append")
		}
	})
}

// TestOverduePipelineBreaks waits for an answer that never comes.
func TestOverduePipelineBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memoryNetwork{Network: NewNetwork(1)}
		a, b := n.Join(Config{Self: "a.1"}), n.Join(Config{Self: "b.1"})
		a.Start()
		b.Start()
		_ = b.Raft(testGroup)
		pipeline, err := a.Raft(testGroup).AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		began := time.Now()
		for err == nil { // It fills, and then it waits for the first.
			_, err = pipeline.AppendEntries(entriesOf(3, 1, 10), &raft.AppendEntriesResponse{})
		}
		if took := time.Since(began); took < AppendTimeout || took > 2*AppendTimeout || !errors.Is(err, ErrTimeout) {
			t.Errorf("%v after %v", err, took)
		}
		must(t, pipeline.Close())
		must(t, a.Close())
		must(t, b.Close())
	})
}

// TestSlowGroupHoldsUpNoOther fills one group and uses another, and its heartbeats.
func TestSlowGroupHoldsUpNoOther(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		const slow, quick = 1, 2
		stuck := b.Raft(slow) // Nobody takes its requests.
		stuck.SetHeartbeatHandler(accept)
		serveGroup(t, b.Raft(quick), accept)
		from := a.Raft(slow)
		broken := make(chan error, 4)
		for range cap(broken) { // Together more than the group's queue.
			pipeline, err := from.AppendEntriesPipeline("b.1", "b.1")
			must(t, err)
			defer func() { must(t, pipeline.Close()) }()
			go func() {
				for {
					if _, err := pipeline.AppendEntries(entriesOf(3, 1, 10), &raft.AppendEntriesResponse{}); err != nil {
						broken <- err
						return
					}
				}
			}()
		}
		if err := receive(t, "the queue is full", broken); !errors.Is(err, ErrGroupBusy) {
			t.Errorf("got %v", err)
		}
		for range 100 {
			must(t, a.Raft(quick).AppendEntries("b.1", "b.1", entriesOf(3, 1, 10), &raft.AppendEntriesResponse{}))
			beat := &raft.AppendEntriesRequest{RPCHeader: header(), Term: 3}
			must(t, from.AppendEntries("b.1", "b.1", beat, &raft.AppendEntriesResponse{}))
		}
		if b.Stats().GroupBusy == 0 {
			t.Error("GroupBusy counts nothing")
		}
		must(t, from.(raft.WithClose).Close()) // Ends the senders that still wait.
	})
}

// TestUnusedConnectionIsClosed waits, and asks again.
func TestUnusedConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memoryNetwork{Network: NewNetwork(1)}
		a, b := n.Join(Config{Self: "a.1"}), n.Join(Config{Self: "b.1"})
		a.Start()
		b.Start()
		b.Raft(testGroup).SetHeartbeatHandler(accept)
		beat := func() error {
			return a.Raft(testGroup).AppendEntries("b.1", "b.1",
				&raft.AppendEntriesRequest{RPCHeader: header(), Term: 3}, &raft.AppendEntriesResponse{})
		}
		for range 10 { // In use: it stays.
			must(t, beat())
			time.Sleep(RaftIdle / 2) // The bubble's time.
		}
		if dialed := a.Stats().Raft.Dialed; dialed != 1 {
			t.Errorf("%d connections", dialed)
		}
		time.Sleep(2 * RaftIdle)
		must(t, beat())
		if dialed := a.Stats().Raft.Dialed; dialed != 2 {
			t.Errorf("%d connections", dialed)
		}
		must(t, a.Close())
		must(t, b.Close())
	})
}

// TestHeartbeatGate holds back heartbeats, and only those.
func TestHeartbeatGate(t *testing.T) {
	n := NewNetwork(1)
	var open atomic.Bool
	a := n.Join(Config{Self: "a.1", HeartbeatGate: func(group uint32) bool { return group != testGroup || open.Load() }})
	b := n.Join(Config{Self: "b.1"})
	for _, node := range []*Memory{a, b} {
		node.Start()
		defer func() { must(t, node.Close()) }()
	}
	serveGroup(t, b.Raft(testGroup), accept)
	from := a.Raft(testGroup)
	beat := func() error {
		return from.AppendEntries("b.1", "b.1",
			&raft.AppendEntriesRequest{RPCHeader: header(), Term: 3}, &raft.AppendEntriesResponse{})
	}
	if err := beat(); !errors.Is(err, ErrHeartbeatGated) {
		t.Errorf("got %v", err)
	}
	must(t, from.AppendEntries("b.1", "b.1", entriesOf(3, 1, 10), &raft.AppendEntriesResponse{}))
	open.Store(true)
	must(t, beat())
}

// TestTimeoutNowOfAnOldTermIsDropped lets a deposed leader ask for an election.
func TestTimeoutNowOfAnOldTermIsDropped(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		var timeouts atomic.Int64
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			if _, ok := rpc.Command.(*raft.TimeoutNowRequest); ok {
				timeouts.Add(1)
			}
			accept(rpc)
		})
		c := start(t, n, Config{Self: "c.1"})
		transfer := func() error {
			return a.Raft(testGroup).TimeoutNow("b.1", "b.1", &raft.TimeoutNowRequest{RPCHeader: header()},
				&raft.TimeoutNowResponse{})
		}
		lead := func(node Transport, term uint64) {
			must(t, node.Raft(testGroup).AppendEntries("b.1", "b.1", entriesOf(term, 1, 1), &raft.AppendEntriesResponse{}))
		}
		lead(a, 3)
		must(t, transfer())
		lead(c, 4)
		if err := transfer(); !errors.Is(err, ErrStaleTerm) {
			t.Errorf("got %v", err)
		}
		if timeouts.Load() != 1 {
			t.Errorf("%d reached Raft, want 1", timeouts.Load())
		}
	})
}

// TestUnreachablePeerFailsFast asks in a loop, as Raft does.
func TestUnreachablePeerFailsFast(t *testing.T) {
	n := newTCPNetwork()
	a := start(t, n, Config{Self: "a.1"})
	from := a.Raft(testGroup)
	ask := func(to raft.ServerAddress) error {
		return from.AppendEntries("", to, entriesOf(3, 1, 1), &raft.AppendEntriesResponse{})
	}
	if err := ask("nobody"); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("got %v", err)
	}
	if err := ask("nobody"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	b := start(t, n, Config{Self: "b.1"})
	must(t, b.Close())
	for range 1000 {
		if ask("b.1") == nil {
			t.Error("nobody answered")
		}
	}
	if failures := a.Stats().Raft.DialFailures; failures == 0 || failures > 50 {
		t.Errorf("%d attempts for 1000 requests", failures)
	}
}
