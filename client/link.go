package client

import (
	"context"
	"errors"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// link keeps a client connected: it belongs to one goroutine, first Dial's,
// then its own.
type link struct {
	client  *Client
	nodes   *nodes
	backoff backoff
}

// connect tries the nodes in turn until one says welcome, for ever where
// attempts is 0.
func (l *link) connect(ctx context.Context, attempts int) (*session, error) {
	o := &l.client.options
	failed := &ConnectError{}
	for attempt := 1; ; attempt++ {
		url := l.nodes.current()
		token, err := o.token(ctx)
		var s *session
		if err == nil {
			s, err = openSession(ctx, url, o, l.client.hello(token))
		}
		if err == nil {
			l.backoff.succeeded()
			if !o.GivenOnly {
				l.nodes.learn(s.nodes)
			}
			o.Logger.Debug("connected", "node", s.node, "url", url, "session", s.id)
			return s, nil
		}
		if _, rejected := errors.AsType[*RejectedError](err); rejected {
			return nil, err
		}
		failed.Nodes, failed.Err = l.nodes.all(), err
		if refusal, refused := errors.AsType[*Error](err); refused {
			failed.Refusal, failed.Refuser = refusal, url
		}
		if ctx.Err() != nil {
			failed.Err = ctx.Err()
			return nil, failed
		}
		o.Logger.Info("connecting failed", "url", url, "error", err)
		l.nodes.advance()
		if attempt == attempts {
			return nil, failed
		}
		pause := l.backoff.pause()
		if away, turned := errors.AsType[*awayError](err); turned {
			pause = max(pause, away.bye.after)
		}
		if sleep(ctx, pause) != nil {
			return nil, failed
		}
	}
}

// run serves session after session until the client is closed, or refused for
// good.
func (l *link) run(ctx context.Context, s *session) {
	for {
		reason := l.serve(ctx, s)
		if err := l.final(ctx, s, reason); err != nil {
			l.client.fail(err)
			return
		}
		l.client.options.Logger.Info("connection lost", "url", s.url, "error", reason)
		if s.bye != nil && sleep(ctx, s.bye.after) != nil {
			return
		}
		l.nodes.advance()
		next, err := l.connect(ctx, 0)
		if err != nil {
			// Closed in the meantime, or refused for good.
			l.client.fail(err)
			return
		}
		l.client.attach(next)
		s = next
	}
}

// serve runs one attached session to its end.
func (l *link) serve(ctx context.Context, s *session) (reason error) {
	c := l.client
	s.start(func(m *wire.Message) { c.handle(s, m) })
	l.watch(ctx, s)
	s.done.Wait()
	c.detach()
	return s.reason
}

// final is the error that ends the client, nil to connect again.
func (l *link) final(ctx context.Context, s *session, reason error) error {
	if ctx.Err() != nil {
		return ErrClosed
	}
	if rejected, ok := errors.AsType[*RejectedError](reason); ok {
		if l.client.options.TokenSource != nil && rejected.Code == int(wire.CloseUnauthenticated) {
			return nil // Its token has ended, and there may be a fresh one.
		}
		return rejected
	}
	if s.bye != nil && !s.bye.reconnect {
		return &RejectedError{Reason: s.bye.reason}
	}
	return nil
}

// A node is asked for a sign of life when it was silent for idleProbes
// intervals, or one while it owes an answer; it is given up when the probe is
// unanswered for idlePatience intervals, or one while it owes an answer.
const (
	idleProbes   = 5
	idlePatience = 3
)

// watch waits for the session's end, and ends it when the node is silent: a
// node that hangs does not close its sockets.
func (l *link) watch(ctx context.Context, s *session) {
	ticker := time.NewTicker(l.client.options.ProbeInterval)
	defer ticker.Stop()
	defer s.refresh.Stop()
	var heard int64
	silent, probed := 0, 0 // intervals: without a word, since the probe
	for {
		select {
		case <-s.ended:
			return
		case <-ctx.Done():
			l.part(s)
			return
		case <-ticker.C:
		case <-s.refresh.C:
			l.client.refresh(ctx, s)
			continue
		}
		if last := s.lastRead.Load(); last != heard {
			heard, silent, probed = last, 0, 0
			continue
		}
		owes := !l.client.flight.idle()
		silent++
		switch {
		case probed > idlePatience, probed > 0 && owes:
			s.end(errSilent)
		case probed > 0:
			probed++
		case owes, silent >= idleProbes:
			s.out.add(wire.AppendPing(s.out.blank(), &wire.Ping{}))
			probed = 1
		}
	}
}

var errSilent = errors.New("client: the node was silent for too long")

// part gives what is still to be written its time.
func (l *link) part(s *session) {
	s.out.finish(wire.AppendBye(s.out.blank(), &wire.Bye{}))
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.end(ErrClosed)
	}
}
