package transport

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

// heldDisk is a Durability whose disk is synced when the test says so.
type heldDisk struct {
	index  uint64
	asked  chan uint64
	synced chan error
}

func newHeldDisk(index uint64) *heldDisk {
	return &heldDisk{index: index, asked: make(chan uint64, 8), synced: make(chan error, 8)}
}

func (d *heldDisk) DurableIndex(uint32) uint64 { return d.index }

func (d *heldDisk) WaitDurable(_ uint32, index uint64) error {
	d.asked <- index
	return <-d.synced
}

// TestAppendIsAnsweredWhenItIsSynced lets Raft store an append whose disk is
// slow, and one whose disk fails.
func TestAppendIsAnsweredWhenItIsSynced(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		disk := newHeldDisk(0)
		a, b := start(t, n, Config{Self: "a.1"}), start(t, n, Config{Self: "b.1", Durable: disk})
		serveGroup(t, b.Raft(testGroup), accept)
		from := a.Raft(testGroup)
		answered := make(chan error, 1)
		ask := func() {
			answered <- from.AppendEntries("b.1", "b.1", entriesOf(3, 10, 5, 6), &raft.AppendEntriesResponse{})
		}
		go ask()
		if index := <-disk.asked; index != 11 {
			t.Fatalf("waits for %d, the last entry is 11", index)
		}
		select {
		case err := <-answered:
			t.Fatalf("answered before the sync: %v", err)
		default:
		}
		disk.synced <- nil
		must(t, <-answered)

		go ask()
		<-disk.asked
		disk.synced <- errors.New("no disk")
		if err := <-answered; err == nil {
			t.Fatal("an append that was never synced counts")
		}
		// What stored nothing waits for nothing.
		var voted raft.RequestVoteResponse
		must(t, from.RequestVote("b.1", "b.1", &raft.RequestVoteRequest{RPCHeader: header(), Term: 4}, &voted))
		must(t, from.AppendEntries("b.1", "b.1", entriesOf(3, 12), &raft.AppendEntriesResponse{}))
	})
}

// TestCommitThatIsNotSyncedIsNotTold sends a commit index beyond what is synced
// at the sender, alone and in a pipeline.
func TestCommitThatIsNotSyncedIsNotTold(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := start(t, n, Config{Self: "a.1", Durable: newHeldDisk(10)}), start(t, n, Config{Self: "b.1"})
		told := make(chan uint64, 8)
		serveGroup(t, b.Raft(testGroup), func(rpc raft.RPC) {
			if r, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
				told <- r.LeaderCommitIndex
			}
			accept(rpc)
		})
		from := a.Raft(testGroup)
		pipeline, err := from.AppendEntriesPipeline("b.1", "b.1")
		must(t, err)
		defer func() { must(t, pipeline.Close()) }()
		for commit, expected := range map[uint64]uint64{9: 9, 10: 10, 11: 10} {
			single, piped := entriesOf(3, 11, 1), entriesOf(3, 11, 1)
			single.LeaderCommitIndex, piped.LeaderCommitIndex = commit, commit
			must(t, from.AppendEntries("b.1", "b.1", single, &raft.AppendEntriesResponse{}))
			future, err := pipeline.AppendEntries(piped, &raft.AppendEntriesResponse{})
			must(t, err)
			must(t, future.Error())
			if alone, inPipeline := <-told, <-told; alone != expected || inPipeline != expected {
				t.Errorf("commit %d, synced 10: told %d and %d", commit, alone, inPipeline)
			}
		}
	})
}
