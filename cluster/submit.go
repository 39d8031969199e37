package cluster

import (
	"context"

	"github.com/batonmq/baton/fsm/command"
)

// submission is a command's way back to its Replier.
type submission struct {
	to   Replier
	slot uint64
}

func (s *submission) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	s.to.Reply(s.slot, &result)
}

// resultOf is a command's result, or the refusal that stands for its status.
func resultOf(how status, body *command.Reader) command.Result {
	switch how {
	case statusDone:
		return body.Result()
	case statusNotLeader:
		return command.Result{Reason: command.NoLeader, Message: "no leader could be reached; nothing was changed"}
	case statusOverloaded:
		return command.Result{Reason: command.Overloaded, Message: "too much waits for this partition already", RetryAfterMS: 200}
	case statusUnknown:
	}
	return command.Result{
		Reason:  command.OutcomeUnknown,
		Message: "the answer was lost; send the same again, an event with the same idempotency key, to learn it",
	}
}

// relayer carries a leader's relays to other partitions, over the lanes that
// everything else takes: it implements duty.Relayer.
type relayer struct{ cluster *Cluster }

// Relay implements duty.Relayer.
func (r relayer) Relay(target uint32, encoded []byte, answered func(*command.Result)) bool {
	l := r.cluster.laneOf(target)
	return l != nil && l.ask(opCommand, 0, encoded, relayed(answered))
}

// relayed is a relay's way back to the duties that sent it.
type relayed func(*command.Result)

func (to relayed) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	to(&result)
}

// renewal is a renewal's way back to its Renewer.
type renewal struct {
	to     Renewer
	slot   uint64
	leases []command.LeaseID
}

func (r *renewal) answered(how status, body *command.Reader) {
	if how != statusDone {
		r.to.Renewed(r.slot, r.leases, nil)
		return
	}
	terms := make([]uint32, 0, len(r.leases))
	for range r.leases {
		terms = append(terms, body.Uint32())
	}
	r.to.Renewed(r.slot, r.leases, terms)
}

// reply is the way back of an ask that a goroutine waits for.
type reply struct {
	done chan replied
}

type replied struct {
	how  status
	body []byte
}

func newReply() *reply { return &reply{done: make(chan replied, 1)} }

// wait waits for the answer's body.
func (r *reply) wait(ctx context.Context) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case answer := <-r.done:
		if answer.how != statusDone {
			return nil, noAnswerError{answer.how}
		}
		return answer.body, nil
	}
}

func (r *reply) answered(how status, body *command.Reader) {
	r.done <- replied{how: how, body: append([]byte(nil), body.Rest()...)}
}
