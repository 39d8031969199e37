package story

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// "A worker hangs in its model, or the machine kills it. Its job is gone or, when
// we try again by hand, done twice; and everybody else's stands still until
// somebody restarts the lot."
//
// A worker process is stopped (SIGSTOP) in the middle of a job, another is killed
// (kill -9) and started again. The others are answered all the while, and the job
// comes to another worker, which completes it once.
func workerFailsAlone(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	t.Run("it hangs", func(t *testing.T) {
		s := newShift(t, f, "hangs")
		fleet.Pause(t, s.first.Process)
		s.takenOver(t)
		s.first.Finish(t)
		fleet.Resume(t, s.first.Process)
		if state := s.first.Ended(t, s.event); state != "lost" {
			t.Errorf("the worker that hung says that its job is %s, want lost", state)
		}
		s.first.Process.Kill()
		s.finish(t)
	})
	t.Run("it dies and comes back", func(t *testing.T) {
		s := newShift(t, f, "dies")
		s.first.Process.Kill()
		s.takenOver(t)
		s.stopSecond()
		again := fleet.StartOutsider(t, f.Nodes[2], "first", s.channel, "next")
		next := s.owner.Publish(t, s.client, s.channel, "next")
		job := again.Started(t, "first")
		s.owner.History.Add(job)
		if job.EventID != next.EventID || job.Attempt != 1 {
			t.Errorf("the worker that came back got %+v, want the first attempt of %s", job, next.EventID)
		}
		again.Finish(t)
		if keys := s.owner.Listen(t, s.client, 1); keys[0] != "next" {
			t.Errorf("the answer is %s, want that of the worker that came back", keys[0])
		}
		if state := again.Ended(t, next.EventID); state != "completed" {
			t.Errorf("the job of the worker that came back is %s", state)
		}
		again.Process.Kill()
		s.finish(t)
	})
}

// shift is two workers of a channel, the first of which has a job.
type shift struct {
	channel, event string
	first          *fleet.Outsider
	owner          *fleet.Person // whose job it is
	client         *client.Client
	others         *fleet.Person
	asking         *client.Client
	stopSecond     func()
}

func newShift(t *testing.T, f *fleet.Fleet, how string) *shift {
	t.Helper()
	s := &shift{
		channel: "worker." + how,
		owner:   &fleet.Person{Name: "owner-" + how, Fleet: f},
		others:  &fleet.Person{Name: "others-" + how, Fleet: f},
	}
	s.client, s.asking = s.owner.Connect(t, 0), s.others.Connect(t, 2)
	s.first = fleet.StartOutsider(t, f.Nodes[1], "first", s.channel, "late")
	s.event = s.owner.Publish(t, s.client, s.channel, "job").EventID
	job := s.first.Started(t, "first")
	s.owner.History.Add(job)
	if job.EventID != s.event || job.Attempt != 1 {
		t.Fatalf("the worker got %+v, want the first attempt of %s", job, s.event)
	}
	s.stopSecond = s.owner.Worker(t, 2, "second", s.channel)
	return s
}

// takenOver has others ask and be answered, before and after the job came to the
// second worker. It comes once, and nobody else's job is given to the first.
func (s *shift) takenOver(t *testing.T) {
	t.Helper()
	s.othersAsk(t, "at once")
	second := s.owner.AwaitGrant(t, "second", s.event)
	if second.Attempt != 2 {
		t.Errorf("the second worker got %+v, want the second attempt", second)
	}
	if keys := s.owner.Listen(t, s.client, 1); keys[0] != "job" {
		t.Errorf("the answer is %s, want the second worker's", keys[0])
	}
	s.othersAsk(t, "afterwards")
}

// othersAsk asks one question after the other, as many as there are partitions
// and more.
func (s *shift) othersAsk(t *testing.T, when string) {
	t.Helper()
	for i := range 20 {
		key := fmt.Sprintf("question %d %s", i+1, when)
		receipt := s.others.Publish(t, s.asking, s.channel, key)
		if keys := s.others.Listen(t, s.asking, 1); keys[0] != key {
			t.Errorf("the answer to %s is %s", key, keys[0])
		}
		if n := fleet.Marks(t, s.asking, receipt.EventID, "leased"); n != 1 {
			t.Errorf("%s was leased %d times", key, n)
		}
	}
}

func (s *shift) finish(t *testing.T) {
	t.Helper()
	if n := fleet.Marks(t, s.client, s.event, "completed"); n != 1 {
		t.Errorf("the job was completed %d times", n)
	}
	s.owner.Check(t)
	s.others.Check(t)
}
