package fsm

import (
	"cmp"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/batonmq/baton/fsm/command"
)

// The retry policy of a channel without one of its own.
const (
	// DefaultMaxAttempts is how many failures a job may have.
	DefaultMaxAttempts = 5
	// DefaultBackoff is the delay after the first failure; it doubles up to
	// DefaultMaxBackoff.
	DefaultBackoff    = time.Second
	DefaultMaxBackoff = 2 * time.Minute
	// MaxAttemptsLimit is the highest number of attempts, or of lost leases, that a
	// channel can be given.
	MaxAttemptsLimit = 1_000_000
)

// fail ends a lease with an error: the job is tried again later, or is dead.
func (m *Machine) fail(c *command.Fail) command.Result {
	how := endFailed
	if c.Throttled {
		how = endThrottled
	}
	if m.foreign(c.Lease.Event, c.Tenant) {
		return lostLease()
	}
	j, answer := m.inForce(c.Lease, how)
	if j == nil {
		return answer
	}
	if c.Throttled {
		m.pausePlaces(j, m.counters.timeMS+cmp.Or(delayMS(c.RetryAfterMS), m.policyOf(j).firstMS))
	}
	m.end(j, &attemptRow{how: how, code: c.Code, message: c.Message, detail: c.Detail})
	m.failed(j, c)
	return command.Result{}
}

// failed decides what becomes of a job whose attempt has failed.
func (m *Machine) failed(j *job, c *command.Fail) {
	now, policy := m.counters.timeMS, m.policyOf(j)
	j.failure = &jobFailure{c.Code, c.Message}
	switch {
	case j.canceling:
		m.bury(j, jobCanceled, j.reason)
	case c.Throttled && len(j.event.Uses) > 0:
		j.attempt--
		j.line, j.holder = 1, Holder{}
		m.enterLine(j)
	case c.Throttled:
		j.attempt--
		m.delay(j, now+cmp.Or(delayMS(c.RetryAfterMS), policy.firstMS))
	case c.Final || policy.final(c.Code, now):
		m.bury(j, jobDead, diedFinal+c.Code)
	default:
		j.failures++
		if j.failures >= policy.maxFailures {
			m.bury(j, jobDead, diedExhausted+c.Code)
			break
		}
		wait := backoff(&policy, j)
		if c.RetryAfterMS > 0 {
			wait = delayMS(c.RetryAfterMS)
		}
		m.delay(j, now+wait)
	}
}

// firstBackoff is the delay after a job's first failure, and of a throttled one that
// does not say for how long: at once it would be refused again, and again.
func firstBackoff(s *command.ChannelSettings) int64 {
	return cmp.Or(delayMS(s.BackoffMS), DefaultBackoff.Milliseconds())
}

// backoff is the delay before a failed job's next attempt in milliseconds:
// exponential, with the upper half of it spread by the job's own numbers, since
// a state machine has no randomness.
func backoff(p *jobPolicy, j *job) int64 {
	longest := max(p.firstMS, p.maxMS)
	full := p.firstMS
	for range min(j.failures-1, maxBackoffSteps) {
		full = min(full*p.factor/100, longest)
	}
	full = min(full, longest)
	seed := appendU64(appendU64(make([]byte, 0, 16), j.key.position), j.fence)
	fixed := full / 2
	if p.fullJitter {
		fixed = 0
	}
	return fixed + int64(xxhash.Sum64(seed)%uint64(full-fixed+1)) //nolint:gosec // Both are small and positive.
}

// maxBackoffSteps is after how many failures a delay does not grow any more.
const maxBackoffSteps = 64

// release hands jobs back, uncounted, or those of a lost socket, counted as lost.
// Leases that are over are passed by.
func (m *Machine) release(c *command.Release) command.Result {
	for _, id := range c.Leases {
		if m.foreign(id.Event, c.Tenant) {
			continue
		}
		if c.Lost {
			if j, _ := m.leased(id, endExpired); j != nil {
				m.lose(j, "the worker's socket was lost")
			}
			continue
		}
		j, _ := m.inForce(id, endReleased)
		if j == nil {
			continue
		}
		m.end(j, &attemptRow{how: endReleased})
		if j.canceling {
			m.bury(j, jobCanceled, j.reason)
			continue
		}
		j.attempt--
		m.requeue(j)
	}
	return command.Result{}
}

// expire takes leases away whose time is over, if the leader that says so is
// still the leader.
func (m *Machine) expire(c *command.Expire) command.Result {
	if c.Generation != m.counters.generation {
		return refuse(command.LeaseLost, "a former leader's expiry")
	}
	for _, id := range c.Leases {
		j, _ := m.leased(id, endExpired)
		if j == nil {
			continue
		}
		m.lose(j, "")
	}
	return command.Result{}
}

// lose ends an attempt that its worker did not: the job waits again, unless it
// was lost as often as it may be.
func (m *Machine) lose(j *job, why string) {
	m.end(j, &attemptRow{how: endExpired, message: why})
	if j.canceling {
		m.bury(j, jobCanceled, j.reason)
		return
	}
	j.losses++
	if limit := m.policyOf(j).maxLosses; limit != 0 && j.losses >= limit {
		m.bury(j, jobDead, diedLost+strconv.FormatUint(uint64(j.losses), 10))
		return
	}
	m.requeue(j)
}

// checkpoint keeps a worker's progress with its lease.
func (m *Machine) checkpoint(c *command.Checkpoint) command.Result {
	if m.foreign(c.Lease.Event, c.Tenant) {
		return lostLease()
	}
	j, answer := m.leased(c.Lease, 0)
	if j == nil {
		return answer
	}
	j.checkpoint = append([]byte(nil), c.Data...)
	m.saveActive(j)
	return command.Result{}
}
