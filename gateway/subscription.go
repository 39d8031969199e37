package gateway

import (
	"strings"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// subscription writes the jobs of one subscription to its socket.
type subscription struct {
	connection *connection
	id         string
	channel    string
	group      string
	// open means that the client was told its name, credit is what it gave last;
	// the table guards both.
	open   bool
	credit uint32
	// handle is the reader's: set once Subscribe returned, which may be after
	// the first job.
	handle Subscription
	// known is set once handle is, for goroutines that have not got it from the reader.
	known atomic.Bool
	// token is where leases are spelled; calls of the sink come one at a time.
	token []byte
}

// Job implements JobSink.
func (s *subscription) Job(job *command.Job) {
	c := s.connection
	var text [command.EventIDLength]byte
	s.token = c.gateway.broker.AppendLease(s.token[:0], job.Lease)
	m := wire.Job{
		Subscription:   aliasBytes(s.id),
		Lease:          s.token,
		Fence:          job.Lease.Fence,
		EventID:        job.Lease.Event.Append(text[:0]),
		Channel:        aliasBytes(job.Event.Channel),
		Group:          aliasBytes(job.Group),
		Attempt:        uint64(job.Lease.Attempt),
		LeaseMs:        int64(job.LeaseMS),
		Key:            aliasBytes(job.Event.Key),
		IdempotencyKey: aliasBytes(job.Event.IdempotencyKey),
		CorrelationID:  aliasBytes(job.CorrelationID),
		CausationID:    aliasBytes(job.CausationID),
		ClientID:       aliasBytes(job.Event.ClientID),
		Tenant:         aliasBytes(job.Event.Tenant),
		ContentType:    aliasBytes(job.Event.ContentType),
		Payload:        wirePayload(job.Event.Payload),
	}
	if len(m.Group) == 0 {
		m.Group = aliasBytes(s.group)
	}
	if len(m.IdempotencyKey) == 0 {
		m.IdempotencyKey = m.EventID
	}
	if len(job.Checkpoint) > 0 {
		m.Checkpoint = job.Checkpoint
	}
	var run [command.EventIDLength]byte
	if of := job.Event.Task.Run; !of.IsZero() {
		m.Run = of.Append(run[:0])
		m.Step = aliasBytes(stepIn(job.Event.IdempotencyKey, alias(m.Run)))
	}
	var headers wire.Raw
	if len(job.Event.Headers) > 0 {
		headers = job.Event.Headers
	}
	// The job is in the table before the worker can know of it.
	c.tables().jobs.add(s, job)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendJobRaw(buf, &m, headers), at, wire.TypeJob)
	}
}

// stepIn is the name of the step in the idempotency key of a run's job, which is
// [compensate/]run/step/iteration/item; empty where it is another key.
func stepIn(key, run string) string {
	rest, ofRun := strings.CutPrefix(strings.TrimPrefix(key, "compensate/"), run+"/")
	for range 2 {
		at := strings.LastIndexByte(rest, '/')
		if !ofRun || at < 0 {
			return ""
		}
		rest = rest[:at]
	}
	return rest
}

// CancelJob implements JobSink.
func (s *subscription) CancelJob(lease command.LeaseID, reason string, graceMS uint64) {
	c := s.connection
	if graceMS == 0 {
		c.tables().jobs.drop(lease)
		c.silent.Store(true)
	}
	s.token = c.gateway.broker.AppendLease(s.token[:0], lease)
	m := wire.Cancel{Lease: s.token, Reason: aliasBytes(reason), GraceMs: int64(min(graceMS, wire.MaxInteger))}
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendCancel(buf, &m), at, wire.TypeCancel)
	}
	if graceMS == 0 {
		c.out.control(ws.OpPing, nil)
	}
}

// heard has jobs pushed again to a worker that let a lease go: it is alive. Any
// bytes will do, the answer to the ping that came with the cancel too.
func (c *connection) heard() {
	c.silent.Store(false)
	c.tables().subscriptions.each(func(s *subscription) { s.handle.Heard() })
}
