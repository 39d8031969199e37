package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// Reply implements Replier: an answer of the cluster goes back to the client
// that asked.
//
//nolint:revive // a case for each kind
func (c *connection) Reply(slot uint64, result *command.Result) {
	r, ok := c.tables().requests.finish(slot)
	if !ok {
		return
	}
	if !r.kind.quiet() {
		c.gateway.end(c.tenant)
	}
	switch r.kind {
	case requestComplete, requestFail, requestPark, requestRelease:
		c.tables().jobs.ended(r.lease, result.Reason)
	case requestSubscribe:
		c.ensured(&r, result)
		return
	case requestUnfollow:
		c.unfollowed(r.id, result)
	case requestCancel:
		if r.target != "" {
			c.auditCancel(r.target, result.Reason)
		}
	case requestPublish, requestKeep, requestFollow, requestRead, requestListen, requestBroadcast, requestCheckpoint, requestRenew:
	}
	if r.kind.quiet() {
		return
	}
	if result.Reason != command.Done {
		c.replyRefusal(r.id, result)
		return
	}
	switch r.kind {
	case requestPublish:
		c.replyPublish(r.id, result)
	case requestComplete:
		c.replyComplete(r.id, result)
	case requestBroadcast:
		c.replyBroadcast(r.id, result)
	case requestFail, requestPark, requestCancel, requestKeep:
		c.sendOK(&wire.OK{ID: r.id, Duplicate: result.Duplicate})
	case requestSubscribe, requestFollow, requestRead, requestListen, requestRelease, requestCheckpoint, requestRenew, requestUnfollow:
	}
}

func (c *connection) replyRefusal(id uint64, result *command.Result) {
	c.gateway.meter.refusedByState(result.Reason)
	e := resultError(result)
	e.ID, e.HasID = id, true
	c.sendError(&e)
}
