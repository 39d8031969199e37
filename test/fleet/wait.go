package fleet

import (
	"testing"
	"time"
)

// Patience is how long anything may take that must happen in the end.
const Patience = 40 * time.Second

// WaitFor looks again until done returns nil, and fails with what was missing.
func WaitFor(t *testing.T, what string, done func() error) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}
