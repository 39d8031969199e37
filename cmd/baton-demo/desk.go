package main

import (
	"context"
	"errors"

	"github.com/batonmq/baton/client"
)

// codePress is the error code of an answer that cannot be published.
const codePress = "press_jammed"

// newDesk is the service of the steps that have effects outside: each writes to the
// ledger.
func newDesk(l ledger) service {
	return service{
		channelCharge: handlerOf(func(_ context.Context, job *client.Job, c *chargeJob) error {
			job.Result(c.Answer)
			return l.put(pageCharged, c.Run, len(c.Answer.Answer))
		}),
		channelRefund: handlerOf(func(_ context.Context, _ *client.Job, c *chargeJob) error {
			return l.remove(pageCharged, c.Run)
		}),
		channelPublish: handlerOf(func(_ context.Context, _ *client.Job, p *publishJob) error {
			if p.Question.Fail {
				return &client.JobError{Code: codePress, Err: errors.New("the press is jammed, as the question wanted")}
			}
			return l.put(pagePublished, p.Run, p.Answer)
		}),
		channelEnded: handlerOf(func(_ context.Context, _ *client.Job, e *ended) error {
			return l.put(pageEnded, e.Run, e)
		}),
	}
}
