package gateway

import (
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// retryInFlightMs and retryLeaderMs are what a refused client waits.
	retryInFlightMs = 50
	retryLeaderMs   = 500
	// retryTenantMs is for what has to end first, nobody knows when.
	retryTenantMs = 1000
)

// refusal is why a message is refused; the zero value is no refusal.
type refusal struct {
	reason  wire.Reason
	message string
}

func (r refusal) any() bool { return r.reason != "" }

// wireError is the refusal as clients see it.
func (r refusal) wireError() wire.Error {
	info := r.reason.Info()
	e := wire.Error{Code: info.Code, Reason: r.reason, Message: aliasBytes(r.message), Retryable: info.Retryable}
	switch r.reason { //nolint:exhaustive // the others have no time of their own
	case wire.ReasonTooManyInFlight:
		e.RetryAfterMs = retryInFlightMs
	case wire.ReasonNoLeader, wire.ReasonOverloaded, wire.ReasonDraining, wire.ReasonOutcomeUnknown:
		e.RetryAfterMs = retryLeaderMs
	}
	return e
}

// excess is a refusal by a limit, which says when to try again; the zero value is no
// refusal.
type excess struct {
	refusal

	limit   limitName
	retryMs int64
}

func (x excess) wireError() wire.Error {
	e := x.refusal.wireError()
	e.RetryAfterMs = x.retryMs
	return e
}

// resultError is a refusal by the state as clients see it.
func resultError(result *command.Result) wire.Error {
	reason := wire.Reason(result.Reason.String())
	message := result.Message
	if message == "" {
		message = reason.Info().Meaning
	}
	e := refusal{reason, message}.wireError()
	if result.RetryAfterMS > 0 {
		e.RetryAfterMs = int64(min(result.RetryAfterMS, wire.MaxInteger))
	}
	return e
}

// refuse answers a request with an error.
func (c *connection) refuse(id uint64, reason wire.Reason, message string) {
	e := refusal{reason, message}.wireError()
	e.ID, e.HasID = id, true
	c.sendError(&e)
}

// refuseUnasked is refuse for a message without an id.
func (c *connection) refuseUnasked(reason wire.Reason, message string) {
	e := refusal{reason, message}.wireError()
	c.sendError(&e)
}

func (c *connection) unavailable(id uint64, message string) {
	c.refuse(id, wire.ReasonNotAvailable, message)
}

func (c *connection) sendError(e *wire.Error) {
	c.gateway.meter.refuse(e.Reason)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendError(buf, e), at, wire.TypeError)
	}
}

func (c *connection) sendOK(ok *wire.OK) {
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendOK(buf, ok), at, wire.TypeOK)
	}
}

// commit ends a message begun in the outbox, and cuts a connection that is
// owed more than may wait for it.
func (c *connection) commit(buf wire.Buffer, at int, t wire.Type) (end uint64) {
	end, ok := c.out.commit(buf, at, t)
	if !ok {
		c.abort(wire.CloseWriteStall)
	}
	return end
}

// take makes a slot for a request with an id, or refuses it at once.
func (c *connection) take(r request) (slot uint64, ok bool) {
	if slot, ok = c.tables().requests.take(r); !ok {
		c.refuseMore(r.id, excess{refusal{
			wire.ReasonTooManyInFlight, "too many requests wait for their answer: see limits.max_in_flight in welcome",
		}, limitInFlight, retryInFlightMs})
		return 0, false
	}
	if no := c.gateway.begin(c.tenant, !r.kind.ends()); no.any() {
		c.tables().requests.finish(slot)
		c.refuseMore(r.id, no)
		return 0, false
	}
	return slot, true
}

// takeBack ends a request that was taken and goes no further.
func (c *connection) takeBack(slot uint64) {
	if _, ok := c.tables().requests.finish(slot); ok {
		c.gateway.end(c.tenant)
	}
}

// refuseMore refuses a request for how many there are, or how fast they come, and
// closes the connection of who goes on and on.
func (c *connection) refuseMore(id uint64, x excess) {
	c.gateway.meter.refusedBy(x.limit)
	e := x.wireError()
	e.ID, e.HasID = id, true
	c.sendError(&e)
	if c.abuse == nil {
		c.abuse = new(abuse)
	}
	if c.abuse.refused(time.Now(), &c.gateway.limits) {
		c.gateway.meter.refusedBy(limitAbuse)
		c.close(wire.CloseAbuse, "requests went on far above the limits")
	}
}

// abuse counts refusals by the second.
type abuse struct {
	second time.Time
	count  int
	since  time.Time // when the seconds of abuse began; zero for none
}

// refused tells whether abuse has lasted for AbuseTime.
func (a *abuse) refused(now time.Time, limits *Limits) bool {
	if elapsed := now.Sub(a.second); elapsed >= time.Second {
		switch {
		case a.count < limits.AbuseFactor*limits.MaxInFlight || elapsed >= 2*time.Second:
			a.since = time.Time{}
		case a.since.IsZero():
			a.since = a.second
		}
		a.second, a.count = now, 0
	}
	a.count++
	return !a.since.IsZero() && now.Sub(a.since) >= limits.AbuseTime
}
