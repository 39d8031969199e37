package process

import (
	"testing"

	"github.com/batonmq/baton/test/fleet"
)

// TestUnderLoad: what goes wrong outside of the nodes, while they have others to
// serve.
func TestUnderLoad(t *testing.T) {
	needProcesses(t)
	f := fleet.Start(t, binary)
	l := startLoad(t, f)
	l.awaitNotified(t, underWay)
	t.Run("a worker is killed", func(t *testing.T) { workerIsKilled(t, f) })
	t.Run("a worker is paused", func(t *testing.T) { workerIsPaused(t, f) })
	t.Run("a complete comes late", func(t *testing.T) { completeComesLate(t, f) })
	t.Run("a key is sent a hundred times", func(t *testing.T) { keyIsSentOften(t, f) })
	t.Run("a client goes away", func(t *testing.T) { clientGoesAway(t, f) })
	l.finish(t)
	f.AwaitAgreement(t)
}
