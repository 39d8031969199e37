package duty

import (
	"errors"
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

var errDeaf = errors.New("the gateway cannot be reached")

// gateways is a Pusher that writes down what gateways are told, a line each:
// the node, the subscription or stream, and what.
type gateways struct {
	heard []string
	// deaf are the nodes that cannot be reached, with what is said to them.
	deaf map[string]bool
	// missing is which of the next pushes does not arrive, from 1; 0 for none.
	missing int
	// jobs are the jobs that arrived and did not end.
	jobs []delivery
	// took is called for each job that arrives, returned for credit.
	took     func(loanKey)
	returned func(loanKey, uint32)
	// registered is called for the answer to a registration.
	registered func(loanKey)
	// said is called for what arrives at a stream.
	said func(attachmentKey, message)
	// fed is called for what arrives at a follower.
	fed func(followerKey, uint64, *fsm.FollowPiece)
}

type delivery struct {
	to  loanKey
	job command.Job
}

// message is what a stream was told.
type message struct {
	kind        string
	from, to    uint64
	redelivered bool
}

// PushJob implements Pusher.
func (g *gateways) PushJob(node string, subscription uint64, job *command.Job) error {
	if err := g.hear(node, subscription, "job %s, fence %d", job.Event.Payload.Bytes, job.Lease.Fence); err != nil {
		return err
	}
	to := loanKey{node, subscription}
	g.jobs = append(g.jobs, delivery{to, *job})
	if g.took != nil {
		g.took(to)
	}
	return nil
}

// PushCancel implements Pusher.
func (g *gateways) PushCancel(node string, subscription uint64, lease command.LeaseID, reason string, graceMS uint64) error {
	return g.hear(node, subscription, "cancel fence %d, %s, grace %d", lease.Fence, reason, graceMS)
}

// PushRegistered implements Pusher. It is not written down: each registration has one.
func (g *gateways) PushRegistered(node string, subscription, _ uint64) error {
	if g.registered != nil {
		g.registered(loanKey{node, subscription})
	}
	return nil
}

// PushWant implements Pusher.
func (g *gateways) PushWant(node string, subscription uint64) error {
	return g.hear(node, subscription, "want")
}

// PushReturned implements Pusher.
func (g *gateways) PushReturned(node string, subscription uint64, credit uint32) error {
	err := g.hear(node, subscription, "returned %d", credit)
	if err == nil && g.returned != nil {
		g.returned(loanKey{node, subscription}, credit)
	}
	return err
}

// PushAttached implements Pusher.
func (g *gateways) PushAttached(node string, stream uint64, s StreamState) error {
	return g.hearStream(attachmentKey{node, stream}, message{kind: "attached", from: s.Next},
		"attached, head %d, oldest %d, next %d, resumed %d", s.Head, s.Oldest, s.Next, s.Resumed)
}

// PushNotification implements Pusher.
func (g *gateways) PushNotification(node string, stream uint64, n *command.Notification, redelivered bool) error {
	again := map[bool]string{true: " again"}[redelivered]
	return g.hearStream(attachmentKey{node, stream}, message{kind: "notify", from: n.Seq, to: n.Seq, redelivered: redelivered},
		"notify %d%s", n.Seq, again)
}

// PushGap implements Pusher.
func (g *gateways) PushGap(node string, stream, from, to uint64, reason string) error {
	return g.hearStream(attachmentKey{node, stream}, message{kind: "gap", from: from, to: to}, "gap %d to %d, %s", from, to, reason)
}

// PushSynced implements Pusher.
func (g *gateways) PushSynced(node string, stream, seq uint64) error {
	return g.hearStream(attachmentKey{node, stream}, message{kind: "synced", from: seq}, "synced %d", seq)
}

// PushEvents implements Pusher.
func (g *gateways) PushEvents(node string, follower, after uint64, piece *fsm.FollowPiece) error {
	var names []string
	for i := range piece.Events {
		names = append(names, string(piece.Events[i].Event.Payload.Bytes))
	}
	err := g.hear(node, follower, "events after %d: %s", after, strings.Join(names, " "))
	if err == nil && g.fed != nil {
		g.fed(followerKey{node, follower}, after, piece)
	}
	return err
}

func (g *gateways) hear(node string, id uint64, format string, args ...any) error {
	missed := g.missing == 1
	g.missing = max(g.missing-1, 0)
	if missed || g.deaf[node] {
		return errDeaf
	}
	g.heard = append(g.heard, fmt.Sprintf("%s/%d %s", node, id, fmt.Sprintf(format, args...)))
	return nil
}

func (g *gateways) hearStream(key attachmentKey, m message, format string, args ...any) error {
	err := g.hear(key.node, key.stream, format, args...)
	if err == nil && g.said != nil {
		g.said(key, m)
	}
	return err
}
