package gateway

import (
	"errors"
	"io"

	"github.com/batonmq/baton/transport/wire"
)

// receive handles the messages of one frame, in order.
func (c *connection) receive(frame []byte) {
	decoder, message := c.bench.decoder, &c.bench.message
	decoder.ResetAs(c.out.encoding, frame, &c.handles)
	for !c.closing() {
		c.awaitRoom()
		err := decoder.Next(message)
		switch {
		case err == nil:
			c.gateway.meter.got(message.Type)
			c.dispatch(message)
		case errors.Is(err, io.EOF):
			return
		default:
			c.undecodable(err)
		}
	}
}

// undecodable answers a message that is none. Only what is not JSON at all, or no
// record, closes the connection: what comes behind it cannot be told apart.
func (c *connection) undecodable(err error) {
	bad, ok := errors.AsType[*wire.DecodeError](err)
	if !ok {
		bad = &wire.DecodeError{Kind: wire.ErrMalformed, Message: err.Error()}
	}
	c.gateway.meter.got(wire.TypeUnknown)
	reply := bad.Reply()
	c.sendError(&reply)
	switch {
	case errors.Is(bad.Kind, wire.ErrMalformed):
		c.close(wire.CloseProtocolError, bad.Message)
	case c.phaseNow() != phaseHello:
	case bad.Type == wire.TypeHello:
		c.close(wire.CloseProtocolError, bad.Message)
	default:
		c.close(wire.CloseNoHello, "the first message must be hello")
	}
}

// dispatch is where every message goes to its handler.
//
//nolint:revive,funlen // one case per type
func (c *connection) dispatch(m *wire.Message) {
	if c.phaseNow() == phaseHello && m.Type != wire.TypeHello {
		c.beforeHello(m)
		return
	}
	switch m.Type {
	case wire.TypeHello:
		c.hello(&m.Hello)
	case wire.TypeReady:
		c.ready()
	case wire.TypeBye:
		c.bye()
	case wire.TypePing:
		c.ping(&m.Ping)
	case wire.TypePong:
	case wire.TypeAuth:
		c.refresh(&m.Auth)
	case wire.TypePublish:
		c.publish(&m.Publish)
	case wire.TypeAck:
		c.ack(&m.Ack)
	case wire.TypeSubscribe:
		c.subscribe(&m.Subscribe)
	case wire.TypeCredit:
		c.credit(&m.Credit)
	case wire.TypeRenew:
		c.renew(&m.Renew)
	case wire.TypeComplete:
		c.complete(&m.Complete)
	case wire.TypeFail:
		c.fail(&m.Fail)
	case wire.TypeRelease:
		c.release(&m.Release)
	case wire.TypeCheckpoint:
		c.checkpointNow(&m.Checkpoint)
	case wire.TypePark:
		c.park(&m.Park)
	case wire.TypeCancel:
		c.cancel(&m.Cancel)
	case wire.TypeUnsubscribe:
		c.unsubscribe(&m.Unsubscribe)
	case wire.TypeFollow:
		c.follow(&m.Follow)
	case wire.TypeCommit:
		c.commitCursor(&m.Commit)
	case wire.TypeChunk:
		c.chunk(&m.Chunk)
	case wire.TypeRead:
		c.read(&m.Read)
	case wire.TypeListen:
		c.listen(&m.Listen)
	case wire.TypeUnlisten:
		c.unlisten(&m.Unlisten)
	case wire.TypeBroadcast:
		c.broadcast(&m.Broadcast)
	case wire.TypeUnknown, wire.TypeWelcome, wire.TypeOK, wire.TypeError, wire.TypeNotify, wire.TypeGap,
		wire.TypeSynced, wire.TypeJob, wire.TypeRenewed, wire.TypeEvent, wire.TypeReset:
		c.refuseUnasked(wire.ReasonBadRequest, m.Type.String()+" is not for clients to send")
	}
}

// beforeHello refuses whatever comes first and is not hello.
func (c *connection) beforeHello(m *wire.Message) {
	const sentence = "the first message must be hello"
	if id, ok := requestID(m); ok {
		c.refuse(id, wire.ReasonBadRequest, sentence)
	} else {
		c.refuseUnasked(wire.ReasonBadRequest, sentence)
	}
	c.close(wire.CloseNoHello, sentence)
}

// requestID is the id of a message that has one.
//
//nolint:exhaustive,revive // the others have none; one case per type
func requestID(m *wire.Message) (id uint64, ok bool) {
	switch m.Type {
	case wire.TypeAuth:
		return m.Auth.ID, true
	case wire.TypePublish:
		return m.Publish.ID, true
	case wire.TypeSubscribe:
		return m.Subscribe.ID, true
	case wire.TypeComplete:
		return m.Complete.ID, true
	case wire.TypeFail:
		return m.Fail.ID, true
	case wire.TypeCheckpoint:
		return m.Checkpoint.ID, true
	case wire.TypePark:
		return m.Park.ID, true
	case wire.TypeCancel:
		return m.Cancel.ID, true
	case wire.TypeUnsubscribe:
		return m.Unsubscribe.ID, true
	case wire.TypeFollow:
		return m.Follow.ID, true
	case wire.TypeRead:
		return m.Read.ID, true
	case wire.TypeListen:
		return m.Listen.ID, true
	case wire.TypeUnlisten:
		return m.Unlisten.ID, true
	case wire.TypeBroadcast:
		return m.Broadcast.ID, true
	default:
		return 0, false
	}
}

func (c *connection) phaseNow() phase { return phase(c.phase.Load()) }
