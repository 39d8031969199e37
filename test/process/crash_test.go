package process

import (
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

// underWay is how many notifications there were before the first fault.
const underWay = 200

// Publishing goes on that soon after a node died. The promise of 3 s is asserted
// for the service as a whole: somebody's publish is acknowledged. One client may
// have lost its connection and wait for its partition's election, and by chance
// an election takes a second round: mostly it waits 1.5 to 2.4 s, now and then
// more than 3 s.
const (
	resumeWithin       = 3 * time.Second
	clientResumeWithin = 5 * time.Second
)

// TestEachNodeIsKilled: whichever node dies, also the leader of most partitions,
// publishing goes on, and nothing is lost or done twice.
func TestEachNodeIsKilled(t *testing.T) {
	needProcesses(t)
	f := fleet.Start(t, binary)
	l := startLoad(t, f)
	l.awaitNotified(t, underWay)
	nodes, _ := f.ByLeadership(t)
	for _, n := range nodes {
		_, leads := f.ByLeadership(t)
		killed := time.Now()
		n.Process.Kill()
		l.awaitResumed(t, killed)
		resumed := time.Now()
		f.Start(t, n)
		f.AwaitReady(t)
		l.awaitResumed(t, time.Now())
		anybody, worst := l.silence(killed, resumed)
		_, after := l.silence(resumed, time.Now())
		t.Logf("%s, leader of %d groups, was killed: no publish was acknowledged for %v, to one client for %v; after its restart for %v",
			n.Name, leads[n], anybody.Round(time.Millisecond), worst.Round(time.Millisecond), after.Round(time.Millisecond))
		if anybody > resumeWithin {
			t.Errorf("no publish was acknowledged for %v, want at most %v", anybody, resumeWithin)
		}
		if waited := max(worst, after); waited > clientResumeWithin {
			t.Errorf("no publish of one client was acknowledged for %v, want at most %v", waited, clientResumeWithin)
		}
	}
	l.finish(t)
	f.AwaitAgreement(t)
}

// TestAllNodesAreKilled: everything that was acknowledged is on disk, and the
// cluster that comes back is the one that was killed.
func TestAllNodesAreKilled(t *testing.T) {
	needProcesses(t)
	f := fleet.Start(t, binary)
	identity := f.Identity(t)
	l := startLoad(t, f)
	for round := range 2 {
		l.awaitNotified(t, (round+1)*underWay)
		killed := time.Now()
		f.KillAll()
		before := l.receipts()
		f.Start(t, f.Nodes...)
		f.AwaitReady(t)
		ready := time.Now()
		l.awaitResumed(t, ready)
		_, worst := l.silence(killed, time.Now())
		t.Logf("killed with %d publishes acknowledged, ready after %v; no publish of one client was acknowledged for %v",
			len(before), ready.Sub(killed).Round(time.Millisecond), worst.Round(time.Millisecond))
		if now := f.Identity(t); now != identity {
			t.Errorf("the cluster was %s, and is %s", identity, now)
		}
		l.sendAgain(t, before)
	}
	l.finish(t)
	f.AwaitAgreement(t)
}

// sendAgain publishes with keys that were acknowledged: they must be known.
func (l *load) sendAgain(t *testing.T, receipts []history.Published) {
	t.Helper()
	clients := make(map[string]*client.Client)
	for _, s := range l.sources {
		clients[s.name] = s.client
	}
	for _, p := range receipts {
		receipt, err := clients[p.Client].Publish(t.Context(), client.Event{Channel: channel(1), IdempotencyKey: p.Key, Data: p.Key})
		if err != nil || !receipt.Duplicate || receipt.EventID != p.EventID {
			t.Errorf("%s of %s sent again: %+v, %v; want a duplicate of event %s", p.Key, p.Client, receipt, err, p.EventID)
			return
		}
	}
}
