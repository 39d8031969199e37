package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/batonmq/baton/test/history"
)

// AwaitNothingLost waits until what was acknowledged has come back: whatever is
// under way would count as lost. It gives up in the end, and with the first fault
// of another kind; what is missing is for Check to say.
func AwaitNothingLost(t *testing.T, log *history.Log) {
	t.Helper()
	deadline := time.Now().Add(Patience / 2)
	WaitFor(t, "every event comes back", func() error {
		faults := history.Check(log.Records())
		other := slices.ContainsFunc(faults, func(f history.Fault) bool { return f.Rule != history.Lost })
		if len(faults) == 0 || other || time.Now().After(deadline) {
			return nil
		}
		return fmt.Errorf("%d events did not", len(faults))
	})
}

// Check holds a complete history to the promises.
func Check(t *testing.T, log *history.Log) {
	t.Helper()
	records := log.Records()
	for i, fault := range history.Check(records) {
		if i == 20 {
			t.Error("and more")
			break
		}
		t.Error(fault)
	}
	again := 0
	for _, r := range records {
		if g, ok := r.(history.Granted); ok && g.Attempt > 1 {
			again++
		}
	}
	t.Logf("%d publishes answered, %d jobs granted (%d of them again), %d notifications", Count[history.Published](records),
		Count[history.Granted](records), again, Count[history.Notified](records))
}

// Count is how many records of a kind there are.
func Count[R history.Record](records []history.Record) int {
	n := 0
	for _, r := range records {
		if _, ok := r.(R); ok {
			n++
		}
	}
	return n
}
