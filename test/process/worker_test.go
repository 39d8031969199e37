package process

import (
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

// takeOver publishes, has a worker process take the job, and stops it when another
// worker is there, idle: that one must get the job.
func takeOver(t *testing.T, p *fleet.Person, c *client.Client, channel string, stop func(*fleet.Outsider)) (*fleet.Outsider, history.Granted) {
	t.Helper()
	o := fleet.StartOutsider(t, p.Fleet.Nodes[1], "first", channel, "late")
	receipt := p.Publish(t, c, channel, "job")
	first := o.Started(t, "first")
	p.History.Add(first)
	if first.EventID != receipt.EventID || first.Attempt != 1 {
		t.Errorf("the worker got %+v, want the first attempt of %s", first, receipt.EventID)
	}
	p.Worker(t, 2, "second", channel)
	ready := p.Publish(t, c, channel, "ready")
	p.AwaitGrant(t, "second", ready.EventID)
	if keys := p.Listen(t, c, 1); keys[0] != "ready" {
		t.Errorf("the first answer is %s", keys[0])
	}
	stop(o)
	second := p.AwaitGrant(t, "second", receipt.EventID)
	if second.Attempt < 2 || second.Fence <= first.Fence {
		t.Errorf("the other worker got %+v, want a later attempt with a fence above %d", second, first.Fence)
	}
	if keys := p.Listen(t, c, 1); keys[0] != "job" {
		t.Errorf("the answer is %s, want the second worker's", keys[0])
	}
	return o, second
}

func workerIsKilled(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	p := &fleet.Person{Name: "killed", Fleet: f}
	c := p.Connect(t, 0)
	_, second := takeOver(t, p, c, "killed", func(o *fleet.Outsider) { o.Process.Kill() })
	if second.Attempt != 2 {
		t.Errorf("the other worker has attempt %d, want 2", second.Attempt)
	}
	if n := fleet.Marks(t, c, second.EventID, "expired"); n != 1 {
		t.Errorf("%d leases expired, want 1", n)
	}
	p.Lastly(t, c, "killed")
}

func workerIsPaused(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	p := &fleet.Person{Name: "paused", Fleet: f}
	c := p.Connect(t, 0)
	o, second := takeOver(t, p, c, "paused", func(o *fleet.Outsider) { fleet.Pause(t, o.Process) })
	// A lease that is lost makes room for another job: as long as its connection
	// is open, a worker that is paused may be given the same one again.
	t.Logf("the other worker has attempt %d", second.Attempt)
	o.Finish(t)
	fleet.Resume(t, o.Process)
	if state := o.Ended(t, second.EventID); state != "lost" {
		t.Errorf("the paused worker's job is %s, want lost", state)
	}
	o.Process.Kill()
	p.Lastly(t, c, "paused")
	if n := fleet.Marks(t, c, second.EventID, "completed"); n != 1 {
		t.Errorf("the event was completed %d times", n)
	}
}

// completeComesLate is what a paused worker says, word by word: before and after
// the other worker completed, through another node.
func completeComesLate(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	p := &fleet.Person{Name: "late", Fleet: f}
	c := p.Connect(t, 0)
	receipt := p.Publish(t, c, "late", "job")
	one, two := fleet.OpenSession(t, f.Nodes[1], fleet.Fields{"name": "one"}), fleet.OpenSession(t, f.Nodes[2], fleet.Fields{"name": "two"})
	first := one.Job(t, "late", fleet.Short)
	second := two.Job(t, "late", fleet.Patience)
	if first.EventID != receipt.EventID || second.EventID != receipt.EventID || first.Attempt != 1 || second.Attempt != 2 || second.Fence <= first.Fence {
		t.Fatalf("event %s was granted as %+v and %+v", receipt.EventID, first, second)
	}
	refused := func(when string) {
		t.Helper()
		if m := one.Complete(t, first, "late"); m.Type != "error" || m.Code != 409 || m.Reason != "lease_lost" {
			t.Errorf("complete %s: %+v, want 409 lease_lost", when, m)
		}
	}
	refused("while the other one works")
	if m := two.Complete(t, second, "job"); m.Type != "ok" || m.Duplicate {
		t.Errorf("complete of the lease that counts: %+v, want ok", m)
	}
	refused("when the other one has completed")
	if m := two.Complete(t, second, "job"); m.Type != "ok" || !m.Duplicate {
		t.Errorf("complete again: %+v, want ok as a duplicate", m)
	}
	if keys := p.Listen(t, c, 1); keys[0] != "job" {
		t.Errorf("the answer is %s, want the second worker's", keys[0])
	}
	one.Close()
	two.Close()
	p.Worker(t, 2, "third", "late")
	p.Lastly(t, c, "late")
	if n := fleet.Marks(t, c, receipt.EventID, "completed"); n != 1 {
		t.Errorf("the event was completed %d times", n)
	}
}
