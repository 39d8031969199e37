package gateway

import (
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// checkpointNow keeps a worker's progress and answers when it is kept. One that was
// held back before is older, and void.
func (c *connection) checkpointNow(m *wire.Checkpoint) {
	if len(m.Checkpoint) > c.gateway.limits.MaxPayloadBytes {
		c.refuse(m.ID, wire.ReasonTooLarge, c.gateway.tooLarge.message)
		return
	}
	if c.denied(m.ID, refuseEnding(c.who.Load())) {
		return
	}
	lease, route, ok := c.readLease(m.ID, m.Lease)
	if !ok {
		return
	}
	slot, ok := c.take(request{kind: requestKeep, id: m.ID, lease: lease})
	if !ok {
		return
	}
	c.tables().jobs.takeCheckpoint(lease)
	checkpoint := command.Checkpoint{Route: route, Lease: lease, Data: m.Checkpoint, Tenant: c.bound()}
	c.bench.encoded = checkpoint.Append(c.bench.encoded[:0])
	c.gateway.broker.Submit(uint32(lease.Event.Partition), c.bench.encoded, c, slot)
}

// keep takes a checkpoint over for a job the session holds. It returns the
// bytes to replicate now, if they are due; others wait for flushCheckpoints,
// and a newer one takes their place.
func (t *jobTable) keep(lease command.LeaseID, data []byte, limits *Limits) (due []byte) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	job, ok := t.held[lease]
	if !ok || job.ending {
		return nil
	}
	t.kept -= len(job.checkpoint)
	job.checkpoint = nil
	if now.Sub(job.replicated) >= limits.CheckpointInterval || t.kept+len(data) > limits.MaxCheckpointBytes {
		job.replicated = now
		due = data
	} else {
		job.checkpoint = append([]byte(nil), data...)
		t.kept += len(data)
	}
	t.held[lease] = job
	return due
}

// checkpointsWait tells whether any checkpoint is kept back.
func (t *jobTable) checkpointsWait() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept > 0
}

// takeCheckpoint removes and returns the checkpoint that is kept for a lease.
func (t *jobTable) takeCheckpoint(lease command.LeaseID) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	job, ok := t.held[lease]
	if !ok || job.checkpoint == nil {
		return nil
	}
	return t.uncheck(lease, job, time.Now())
}

// keptCheckpoint is one that became due.
type keptCheckpoint struct {
	lease command.LeaseID
	data  []byte
}

// dueCheckpoints removes those last replicated before then.
func (t *jobTable) dueCheckpoints(before, now time.Time) []keptCheckpoint {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == 0 {
		return nil
	}
	var due []keptCheckpoint
	for lease, job := range t.held {
		if job.checkpoint != nil && !job.ending && !job.replicated.After(before) {
			due = append(due, keptCheckpoint{lease, t.uncheck(lease, job, now)})
		}
	}
	return due
}

func (t *jobTable) uncheck(lease command.LeaseID, job heldJob, now time.Time) []byte {
	data := job.checkpoint
	t.kept -= len(data)
	job.checkpoint, job.replicated = nil, now
	t.held[lease] = job
	return data
}

// flushCheckpoints replicates what is due by now. It never waits: what finds no
// slot is lost, as if the worker had not sent it.
func (c *connection) flushCheckpoints(now time.Time) {
	for _, kept := range c.tables().jobs.dueCheckpoints(now.Add(-c.gateway.limits.CheckpointInterval), now) {
		c.submitCheckpoint(kept.lease, kept.data)
	}
}

// checkpointBefore replicates a job's last checkpoint before the job is ended
// in a way that lets another attempt follow.
func (c *connection) checkpointBefore(lease command.LeaseID) {
	if data := c.tables().jobs.takeCheckpoint(lease); data != nil {
		c.submitCheckpoint(lease, data)
	}
}

func (c *connection) submitCheckpoint(lease command.LeaseID, data []byte) {
	route, ok := c.gateway.leaseRoute(lease)
	if !ok {
		return
	}
	slot, ok := c.tables().requests.take(request{kind: requestCheckpoint, lease: lease})
	if !ok {
		return
	}
	checkpoint := command.Checkpoint{Route: route, Lease: lease, Data: data, Tenant: c.bound()}
	buf := c.gateway.buffers.get()
	buf = checkpoint.Append(buf)
	c.gateway.broker.Submit(uint32(lease.Event.Partition), buf, c, slot)
	c.gateway.buffers.put(buf)
}
