package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// connect dials, greets and waits to be accepted. receiver "" accepts whoever
// answers. The result is tracked: the caller drops it.
func (t *TCP) connect(ctx context.Context, address string, kind connKind, receiver NodeID) (net.Conn, error) {
	counters := &t.counters.kinds[kind]
	raw, err := t.dial(ctx, address, kind, receiver)
	if err != nil {
		counters.dialFailures.Add(1)
		return nil, fmt.Errorf("connecting to %s for %s: %w", address, kind, err)
	}
	counters.dialed.Add(1)
	return raw, nil
}

// connectPeer finds the node's address first.
func (t *TCP) connectPeer(peer NodeID, kind connKind) (net.Conn, error) {
	address, ok := t.config.Resolver.PeerAddress(peer)
	if !ok {
		return nil, fmt.Errorf("%s: %w", peer, ErrUnknownPeer)
	}
	return t.connect(t.life, address, kind, peer)
}

func (t *TCP) dial(ctx context.Context, address string, kind connKind, receiver NodeID) (net.Conn, error) {
	cluster := t.config.ClusterID()
	if cluster == "" && kind != kindCall {
		return nil, ErrNotFormed
	}
	dialing, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	raw, err := t.config.Dial(dialing, address)
	if err != nil {
		return nil, err
	}
	if !t.track(raw) {
		return nil, ErrClosed
	}
	noDelay(raw)
	hello := greeting{
		kind: kind, incarnation: t.config.Incarnation, cluster: cluster, sender: t.config.Self, receiver: receiver,
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	err = greet(raw, &hello)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		t.drop(raw)
		t.logRefusal(raw, err) //nolint:contextcheck // A log line is not bound to the request.
		return nil, err
	}
	return raw, nil
}

func (t *TCP) logRefusal(raw net.Conn, err error) {
	refused, ok := errors.AsType[*RefusedError](err)
	if ok && refused.Reason != RefusedNotPeer && refused.Reason != RefusedNotFormed {
		t.refusals.warn(t.logger, "a greeting was refused",
			slog.String("remote", raw.RemoteAddr().String()), slog.Any("error", err))
	}
}

func greet(raw net.Conn, hello *greeting) error {
	if err := raw.SetDeadline(time.Now().Add(GreetingTimeout)); err != nil {
		return err
	}
	if _, err := raw.Write(hello.encode()); err != nil {
		return err
	}
	what, rest, err := readGreeting(raw)
	if err != nil {
		return err
	}
	reply, err := decodeGreetingReply(what, rest)
	if err != nil {
		return err
	}
	if err := hello.check(&reply); err != nil {
		return err
	}
	return raw.SetDeadline(time.Time{})
}

// check holds the accepting side to what the dialing side asked for.
func (g *greeting) check(reply *greetingReply) error {
	switch {
	case reply.refusal != 0:
		return &RefusedError{Reason: reply.refusal, Message: reply.message}
	case g.receiver != "" && reply.receiver != g.receiver:
		return &RefusedError{
			Reason: RefusedReceiver, Message: fmt.Sprintf("%s answered in place of %s", reply.receiver, g.receiver),
		}
	case !sameCluster(g.kind, g.cluster, reply.cluster):
		return &RefusedError{
			Reason: RefusedCluster, Message: fmt.Sprintf("it is of cluster %q, we of %q", reply.cluster, g.cluster),
		}
	}
	return nil
}

// sameCluster: a call may come before a cluster is formed, all else may not.
func sameCluster(kind connKind, ours, theirs string) bool {
	return ours == theirs || kind == kindCall && (ours == "" || theirs == "")
}

// serve owns an inbound connection to its end.
func (t *TCP) serve(raw net.Conn) {
	noDelay(raw)
	hello, err := t.hear(raw)
	<-t.greeters
	if err != nil {
		t.refuseQuietly(raw, err)
		return
	}
	defer t.drop(raw)
	switch hello.kind {
	case kindRaft:
		if t.welcome(raw) == nil {
			t.forgive(hello.sender)
			t.serveRaft(raw, hello.sender)
		}
	case kindSnapshot:
		if t.welcome(raw) == nil {
			t.serveSnapshot(raw, hello.sender)
		}
	case kindLink, kindChunks:
		t.serveLink(raw, &hello)
	case kindCall:
		if t.welcome(raw) == nil {
			t.serveCall(raw, hello.sender)
		}
	}
}

// hear reads and judges a greeting; what it refuses has been told so.
func (t *TCP) hear(raw net.Conn) (greeting, error) {
	if err := raw.SetDeadline(time.Now().Add(GreetingTimeout)); err != nil {
		return greeting{}, err
	}
	what, rest, err := readGreeting(raw)
	if err == nil {
		var hello greeting
		if hello, err = decodeGreeting(what, rest); err == nil {
			if err = t.judge(&hello); err == nil {
				return hello, nil
			}
			err = fmt.Errorf("from %s, incarnation %x, for %s: %w", hello.sender, hello.incarnation, hello.kind, err)
		}
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		_ = t.answer(raw, refused)
	}
	return greeting{}, err
}

func (t *TCP) judge(hello *greeting) error {
	ours := t.config.ClusterID()
	refuse := func(reason Refusal, format string, args ...any) error {
		return &RefusedError{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case hello.kind < kindRaft || hello.kind > kindChunks:
		return refuse(RefusedKind, "%s is not served", hello.kind)
	case hello.kind != kindCall && (ours == "" || hello.cluster == ""):
		return refuse(RefusedNotFormed, "cluster %q here, %q there", ours, hello.cluster)
	case !sameCluster(hello.kind, ours, hello.cluster):
		return refuse(RefusedCluster, "this node is of cluster %q, not %q", ours, hello.cluster)
	case hello.receiver != "" && hello.receiver != t.config.Self,
		hello.receiver == "" && hello.kind != kindCall:
		return refuse(RefusedReceiver, "this is %s, not %q", t.config.Self, hello.receiver)
	}
	return nil
}

// welcome accepts the greeting and lifts its deadline.
func (t *TCP) welcome(raw net.Conn) error {
	if err := t.answer(raw, &RefusedError{}); err != nil {
		return err
	}
	return raw.SetDeadline(time.Time{})
}

// answer replies to a greeting; reason 0 accepts it.
func (t *TCP) answer(raw net.Conn, verdict *RefusedError) error {
	reply := greetingReply{
		refusal: verdict.Reason, incarnation: t.config.Incarnation, cluster: t.config.ClusterID(),
		receiver: t.config.Self, message: verdict.Message,
	}
	_, err := raw.Write(reply.encode())
	return err
}

// noDelay: Go's default, said aloud because a hop depends on it. A TLS
// connection hides the method and has the default.
func noDelay(raw net.Conn) {
	if c, ok := raw.(interface{ SetNoDelay(noDelay bool) error }); ok {
		_ = c.SetNoDelay(true)
	}
}
