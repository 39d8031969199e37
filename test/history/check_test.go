package history_test

import (
	"slices"
	"testing"

	"github.com/batonmq/baton/test/history"
)

// good is a history without a fault, and with everything that is allowed: a
// second attempt, a late answer, a repeated key, an outcome nobody knows, and a
// client that comes back and is sent again what it had, but for what is gone.
func good() []history.Record {
	return []history.Record{
		history.Attached{Client: "ana"},
		history.Published{Client: "ana", Key: "k1", EventID: "e1"},
		history.Published{Client: "ana", Key: "k1", EventID: "e1", Duplicate: true},
		history.Published{Client: "ana", Key: "k2", EventID: "e2", Duplicate: true},
		history.Published{Client: "ana", Key: "k3"},
		history.Published{Client: "ben", Key: "k1", EventID: "e9"},
		history.Granted{Worker: "w1", EventID: "e1", Attempt: 1, Fence: 5},
		history.Granted{Worker: "w2", EventID: "e1", Attempt: 2, Fence: 8},
		history.Answered{Worker: "w2", EventID: "e1", Fence: 8, Completed: true},
		history.Answered{Worker: "w2", EventID: "e1", Fence: 8, Completed: true, Repeated: true},
		history.Answered{Worker: "w1", EventID: "e1", Fence: 5, Reason: "lease_lost"},
		history.Granted{Worker: "w2", EventID: "e2", Attempt: 1, Fence: 6},
		history.Answered{Worker: "w2", EventID: "e2", Fence: 6, Completed: true},
		history.Notified{Client: "ana", Key: "k1", Seq: 1, EventID: "e1", CorrelationID: "e1"},
		history.Notified{Client: "ana", Key: "k2", Seq: 2, EventID: "e2", CorrelationID: "e2"},
		history.Notified{Client: "ben", Key: "k1", Seq: 1, EventID: "e9", CorrelationID: "e9"},
		history.Attached{Client: "ana"},
		history.Gapped{Client: "ana", From: 1, To: 1, Reason: "trimmed"},
		history.Notified{Client: "ana", Key: "k2", Seq: 2, EventID: "e2", CorrelationID: "e2"},
		history.Notified{Client: "ana", Key: "k2", Seq: 2, EventID: "e2", CorrelationID: "e2", Redelivered: true},
		history.Notified{Client: "ana", Key: "k3", Seq: 3, EventID: "e3", CorrelationID: "e3"},
	}
}

// TestAGoodHistoryHasNoFault: what is allowed is not called a fault.
func TestAGoodHistoryHasNoFault(t *testing.T) {
	for _, fault := range history.Check(good()) {
		t.Error(fault)
	}
}

// without leaves out the last record that equals one.
func without(records []history.Record, one history.Record) []history.Record {
	for i, r := range slices.Backward(records) {
		if r == one {
			return slices.Delete(records, i, i+1)
		}
	}
	return nil // Nothing is found in an empty history, so the test fails.
}

// TestPlantedFaultsAreFound: a fault of every rule, in an else good history.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, test := range []struct {
		name    string
		records []history.Record
		want    history.Rule
	}{
		{"an event without its notification", without(good(), history.Notified{Client: "ben", Key: "k1", Seq: 1, EventID: "e9", CorrelationID: "e9"}), history.Lost},
		{"the only event of a client that heard nothing", append(good(), history.Published{Client: "cyd", Key: "k", EventID: "e7"}), history.Lost},
		{"a notification to the wrong client", append(good(), history.Notified{Client: "ben", Key: "k2", Seq: 2, EventID: "e2", CorrelationID: "e2"}), history.Stray},
		{"a notification of another event", append(good(),
			history.Published{Client: "ben", Key: "k2", EventID: "e10"},
			history.Notified{Client: "ben", Key: "k2", Seq: 2, EventID: "e2", CorrelationID: "e2"}), history.Stray},
		{"one key, two events", append(good(), history.Published{Client: "ana", Key: "k1", EventID: "e5", Duplicate: true}), history.StoredTwice},
		{"one key, stored anew twice", append(good(), history.Published{Client: "ana", Key: "k1", EventID: "e1"}), history.StoredTwice},
		{"one event under two numbers", append(good(), history.Notified{Client: "ana", Key: "k1", Seq: 4, EventID: "e1", CorrelationID: "e1"}), history.NotifiedTwice},
		{"one event of unknown outcome under two numbers", append(good(), history.Notified{Client: "ana", Key: "k3", Seq: 4, EventID: "e3", CorrelationID: "e3"}), history.NotifiedTwice},
		{"one number, two notifications", append(good(), history.Notified{Client: "ana", Key: "k1", Seq: 3, EventID: "e1", CorrelationID: "e1", Redelivered: true}), history.Renumbered},
		{"a number left out", append(good(),
			history.Published{Client: "ana", Key: "k4"},
			history.Notified{Client: "ana", Key: "k4", Seq: 5, EventID: "e4", CorrelationID: "e4"}), history.Hole},
		{"a number left out at the beginning", append(good(),
			history.Published{Client: "cyd", Key: "k"},
			history.Notified{Client: "cyd", Key: "k", Seq: 2, EventID: "e7", CorrelationID: "e7"}), history.Hole},
		{"a number left out after connecting anew", append(good(),
			history.Published{Client: "ana", Key: "k4"},
			history.Attached{Client: "ana"},
			history.Notified{Client: "ana", Key: "k4", Seq: 5, EventID: "e4", CorrelationID: "e4"}), history.Hole},
		{"a number left out among those sent again", append(good(),
			history.Attached{Client: "ana"},
			history.Notified{Client: "ana", Key: "k1", Seq: 1, EventID: "e1", CorrelationID: "e1", Redelivered: true},
			history.Notified{Client: "ana", Key: "k3", Seq: 3, EventID: "e3", CorrelationID: "e3", Redelivered: true}), history.Hole},
		{"a lower number after a higher one", append(good(), history.Notified{Client: "ana", Key: "k1", Seq: 1, EventID: "e1", CorrelationID: "e1"}), history.Reordered},
		{"a new number below the highest", append(without(good(), history.Notified{Client: "ben", Key: "k1", Seq: 1, EventID: "e9", CorrelationID: "e9"}),
			history.Published{Client: "ben", Key: "k2"},
			history.Notified{Client: "ben", Key: "k2", Seq: 2, EventID: "e10", CorrelationID: "e10"},
			history.Notified{Client: "ben", Key: "k1", Seq: 1, EventID: "e9", CorrelationID: "e9"}), history.Reordered},
		{"a gap", append(good(), history.Gapped{Client: "ana", From: 4, To: 6, Reason: "trimmed"}), history.Gap},
		{"two leases that completed one event", append(good(), history.Answered{Worker: "w1", EventID: "e1", Fence: 5, Completed: true}), history.CompletedTwice},
		{"one lease that completed twice", append(good(), history.Answered{Worker: "w2", EventID: "e2", Fence: 6, Completed: true}), history.CompletedTwice},
		{"a repeated answer of a lease that did not complete", append(good(), history.Answered{Worker: "w1", EventID: "e1", Fence: 5, Completed: true, Repeated: true}), history.CompletedTwice},
		{"one fence, two workers", append(good(), history.Granted{Worker: "w1", EventID: "e2", Attempt: 1, Fence: 6}), history.SharedLease},
		{"a complete after the job was granted anew", append(good(), history.Granted{Worker: "w1", EventID: "e2", Attempt: 2, Fence: 7}), history.LateComplete},
		{"a later lease with a lower attempt", append(good(),
			history.Granted{Worker: "w1", EventID: "e4", Attempt: 2, Fence: 3},
			history.Granted{Worker: "w1", EventID: "e4", Attempt: 1, Fence: 4}), history.Attempts},
		{"an attempt before the first", append(good(), history.Granted{Worker: "w1", EventID: "e4", Fence: 3}), history.Attempts},
	} {
		t.Run(test.name, func(t *testing.T) {
			faults := history.Check(test.records)
			if !slices.ContainsFunc(faults, func(f history.Fault) bool { return f.Rule == test.want }) {
				t.Errorf("found %v, want a fault of %q", faults, test.want)
			}
		})
	}
}
