package cluster

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/fsm/command"
)

// TestStatusOf is the outcome table: only what certainly is not in the log may be
// called not applied.
func TestStatusOf(t *testing.T) {
	for err, want := range map[error]status{
		nil:                                     statusDone,
		raft.ErrNotLeader:                       statusNotLeader,
		raft.ErrEnqueueTimeout:                  statusNotLeader,
		raft.ErrLeadershipTransferInProgress:    statusNotLeader,
		fmt.Errorf("in: %w", raft.ErrNotLeader): statusNotLeader,
		raft.ErrLeadershipLost:                  statusUnknown,
		raft.ErrRaftShutdown:                    statusUnknown,
		raft.ErrAbortedByRestore:                statusUnknown,
		errQuarantined:                          statusUnknown,
		errors.New("anything else"):             statusUnknown,
	} {
		if got := statusOf(err); got != want {
			t.Errorf("%v is %d, want %d", err, got, want)
		}
	}
}

// TestResultOf: what is not an answer says of the command whether it may be applied.
func TestResultOf(t *testing.T) {
	for how, want := range map[status]command.Reason{ //nolint:exhaustive // An answer is looked at below.
		statusNotLeader: command.NoLeader, statusOverloaded: command.Overloaded, statusUnknown: command.OutcomeUnknown,
		0: command.OutcomeUnknown, 99: command.OutcomeUnknown,
	} {
		if got := resultOf(how, &command.Reader{}); got.Reason != want {
			t.Errorf("status %d becomes %v, want %v", how, got.Reason, want)
		}
	}
	answer := command.NewReader([]byte(result(command.LeaseLost)))
	if got := resultOf(statusDone, &answer); got.Reason != command.LeaseLost {
		t.Errorf("an answer becomes %v", got.Reason)
	}
}

// terms is a Renewer that keeps its answer.
type terms struct {
	leases int
	terms  []uint32
}

// Renewed implements Renewer.
func (r *terms) Renewed(_ uint64, leases []command.LeaseID, termsMS []uint32) {
	r.leases, r.terms = len(leases), termsMS
}

// TestRenew: a leader's answer is a term for each lease; without one nothing is known.
func TestRenew(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	var got terms
	e.Renew(0, "", []command.LeaseID{leaseOf(0, 1), leaseOf(0, 2)}, &got, 1)
	e.answer(1, 0, statusDone, string(uints(1000, 0)(nil)))
	if got.leases != 2 || len(got.terms) != 2 || got.terms[0] != 1000 || got.terms[1] != 0 {
		t.Errorf("the answer is %+v", got)
	}
	e.Renew(1, "", []command.LeaseID{leaseOf(1, 1)}, &got, 1)
	if got.leases != 1 || got.terms != nil {
		t.Errorf("without a leader the answer is %+v", got)
	}
}
