package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Call connects to address, asks, and waits for the reply: one connection per
// call, so it is for what is rare. It works before a cluster is formed. The
// error of the other side's handler comes back as a RemoteError. request and
// reply have at most MaxCallFrame bytes.
func (t *TCP) Call(ctx context.Context, address string, request []byte) ([]byte, error) {
	if len(request) > MaxCallFrame {
		return nil, fmt.Errorf("call of %d bytes: %w", len(request), ErrFrameTooLarge)
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	raw, err := t.connect(ctx, address, kindCall, "")
	if err != nil {
		return nil, err
	}
	defer t.drop(raw)
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	reply, err := t.ask(raw, request)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", address, err)
	}
	return reply, nil
}

func (t *TCP) ask(raw net.Conn, request []byte) ([]byte, error) {
	counters := &t.counters.kinds[kindCall]
	if err := writeFrame(raw, counters, frameCall, request); err != nil {
		return nil, err
	}
	kind, body, err := newFrameReader(raw, MaxCallFrame, rareBufferBytes).next()
	if err != nil {
		return nil, noEOF(err)
	}
	counters.read(frameHead + len(body))
	switch kind { //nolint:exhaustive // The rest is malformed.
	case frameCallReply:
		return append([]byte(nil), body...), nil
	case frameFailure:
		return nil, decodeFailure(body)
	}
	return nil, ErrMalformed
}

func (t *TCP) serveCall(raw net.Conn, peer NodeID) {
	counters := &t.counters.kinds[kindCall]
	select {
	case t.callers <- struct{}{}:
		defer func() { <-t.callers }()
	default:
		_ = writeFrame(raw, counters, frameFailure, appendFailure(nil, ErrBusy))
		return
	}
	if raw.SetDeadline(time.Now().Add(CallTimeout)) != nil {
		return
	}
	kind, body, err := newFrameReader(raw, MaxCallFrame, rareBufferBytes).next()
	if err != nil || kind != frameCall {
		t.logger.Debug("call connection without a call", "peer", string(peer), "error", err)
		return
	}
	counters.read(frameHead + len(body))
	reply, err := t.handleCall(peer, append([]byte(nil), body...))
	kind = frameCallReply
	if err == nil && len(reply) > MaxCallFrame {
		err = ErrFrameTooLarge
	}
	if err != nil {
		kind, reply = frameFailure, appendFailure(nil, err)
	}
	if err := writeFrame(raw, counters, kind, reply); err != nil {
		t.logger.Debug("cannot answer a call", "peer", string(peer), "error", err)
	}
}

func (t *TCP) handleCall(peer NodeID, request []byte) ([]byte, error) {
	if t.config.Calls == nil {
		return nil, errors.New("this node serves no calls")
	}
	ctx, cancel := context.WithTimeout(t.life, CallTimeout)
	defer cancel()
	return t.config.Calls(ctx, peer, request)
}

// writeFrame is one Write, for connections without a writer.
func writeFrame(raw net.Conn, counters *kindCounters, kind frameKind, body []byte) error {
	frame := append(beginFrame(make([]byte, 0, frameHead+len(body)), kind), body...)
	endFrame(frame, 0)
	n, err := raw.Write(frame)
	counters.wrote(1, n)
	return err
}
