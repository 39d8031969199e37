package fleet

import (
	"context"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/history"
)

// Granted is a job that a worker was given.
func Granted(worker string, job *client.Job) history.Granted {
	return history.Granted{Worker: worker, EventID: job.EventID, Attempt: job.Attempt, Fence: job.Fence}
}

// Reporter writes down how jobs ended.
func Reporter(to *history.Log, worker string) func(*client.Job, error) {
	return func(job *client.Job, err error) {
		answer := history.Answered{Worker: worker, EventID: job.EventID, Fence: job.Fence, Completed: err == nil}
		if err != nil {
			answer.Reason = err.Error()
		}
		to.Add(answer)
	}
}

// Notified is a notification that a client was given.
func Notified(name string, n *client.Notification) history.Notified {
	r := history.Notified{
		Client: name, Seq: n.Seq, Name: n.Name, EventID: n.EventID, CorrelationID: n.CorrelationID, Redelivered: n.Redelivered,
	}
	if n.Data.Decode(&r.Key) != nil {
		r.Key = n.Data.String()
	}
	return r
}

// Listen writes down a client's notifications.
func Listen(ctx context.Context, to *history.Log, name string, c *client.Client) error {
	options := client.ListenOptions{OnGap: func(g client.Gap) {
		to.Add(history.Gapped{Client: name, From: g.From, To: g.To, Reason: g.Reason})
	}}
	return c.Listen(ctx, options, func(_ context.Context, n *client.Notification) error {
		to.Add(Notified(name, n))
		return nil
	})
}
