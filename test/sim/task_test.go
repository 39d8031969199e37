package sim

import (
	"fmt"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/test/history"
)

// task is a job in a worker's hands.
type task struct {
	shift        *shift
	lease        command.LeaseID
	client, data string
}

// Renewed implements cluster.Renewer.
func (t *task) Renewed(_ uint64, leases []command.LeaseID, termsMS []uint32) {
	t.shift.life.hear(func() {
		for i, term := range termsMS {
			if term == 0 {
				t.shift.handle.Lost(leases[i])
			}
		}
	})
}

// do is what becomes of the job.
func (t *task) do() {
	<-t.shift.opened
	w := t.shift.worker
	e := w.episode
	fate := w.draw(100)
	if e.calm.Load() {
		fate = 0
	}
	switch {
	case fate < 65:
		t.wait(time.Duration(w.draw(200)) * time.Millisecond)
		t.complete()
	case fate < 75 && t.lease.Attempt <= mayFail:
		t.wait(time.Duration(w.draw(500)) * time.Millisecond)
		fail := command.Fail{Route: t.route(), Lease: t.lease, Code: "by_chance", RetryAfterMS: uint64(1 + w.draw(1000))}
		t.end("failed", fail.Append(nil))
	case fate < 80:
		release := command.Release{Route: t.route(), Leases: []command.LeaseID{t.lease}}
		t.end("released", release.Append(nil))
	case fate < 88: // It is busy for longer than its lease, and renews it.
		for range 1 + w.draw(5) {
			t.wait(leaseMS / 3 * time.Millisecond)
			t.shift.life.cluster.Renew(uint32(t.lease.Event.Partition), "", []command.LeaseID{t.lease}, t, 0)
		}
		t.complete()
	case fate < 95: // It stalls, and comes too late.
		t.wait(time.Duration(leaseMS+w.draw(2*leaseMS)) * time.Millisecond)
		t.complete()
	default: // It forgets the job.
		e.tally.count("jobs forgotten", 1)
	}
}

func (t *task) wait(d time.Duration) { t.shift.worker.episode.pause(d) }

func (t *task) route() command.Route { return command.Route{SlotMap: command.SlotMapVersion} }

// complete ends the job with the client's answer, or with the next step.
func (t *task) complete() {
	w := t.shift.worker
	done := command.Complete{Route: t.route(), Lease: t.lease}
	data := command.Payload{Bytes: []byte(t.data)}
	if w.step == steps || w.draw(2) == 0 {
		done.Notifies = []command.Notify{{Name: "done", Payload: data}}
	} else {
		next := command.Event{Channel: channel(w.step + 1), Payload: data}
		switch w.draw(3) {
		case 0: // With the key of its own that the job has.
		case 1:
			next.Key = fmt.Sprintf("key-%d", w.draw(8))
		case 2:
			next.Key, next.IdempotencyKey = fmt.Sprintf("key-%d", w.draw(8)), t.data
		}
		done.Emits = []command.Event{next}
	}
	if result := t.end("completed", done.Append(nil)); result != nil {
		t.shift.worker.episode.history.Add(history.Answered{
			Worker: t.shift.name, EventID: t.lease.Event.String(), Fence: t.lease.Fence,
			Completed: result.Reason == command.Done, Repeated: result.Duplicate, Reason: result.Reason.String(),
		})
	}
}

// end asks until it is answered, elsewhere when the connection is gone; nil when
// nobody will know.
func (t *task) end(how string, encoded []byte) *command.Result {
	e := t.shift.worker.episode
	for {
		result, heard := t.ask(encoded)
		switch {
		case heard && result.Reason == command.Done:
			e.tally.count("jobs "+how, 1)
			return result
		case heard && result.Reason == command.LeaseLost:
			e.tally.count("ends refused", 1)
			return result
		case heard && result.Reason != command.NoLeader && result.Reason != command.OutcomeUnknown && result.Reason != command.Overloaded:
			e.faultf("%s: job %s cannot be %s: %v %s", t.shift.name, t.lease.Event, how, result.Reason, result.Message)
			return nil
		}
		if t.vanished() || !e.pause(time.Duration(20+t.shift.worker.draw(1000))*time.Millisecond) {
			return nil
		}
	}
}

func (t *task) vanished() bool {
	t.shift.mu.Lock()
	defer t.shift.mu.Unlock()
	return t.shift.vanished
}

// ask sends the end on the job's connection, or on any node's when that is gone.
func (t *task) ask(encoded []byte) (result *command.Result, heard bool) {
	e := t.shift.worker.episode
	l := t.shift.life
	var to *answers
	select {
	case <-t.shift.gone:
		for _, n := range e.nodes {
			if l = n.current(); l != nil {
				break
			}
		}
		if l == nil {
			return nil, false
		}
		to = newAnswers(l, 1)
		l.cluster.Submit(uint32(t.lease.Event.Partition), encoded, to, 0)
	default:
		to = newAnswers(l, 1)
		t.shift.handle.End(t.lease, encoded, to, 0)
	}
	select {
	case <-to.all:
	case <-l.over:
	case <-e.ending:
	}
	result = to.close()[0]
	return result, result != nil
}
