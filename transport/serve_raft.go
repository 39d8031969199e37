package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/hashicorp/raft"
)

// inbound is one Raft request that came over a `raft` connection.
type inbound struct {
	conn    *conn
	id      uint64
	command any
}

// pendingReply is a request that Raft has been given.
type pendingReply struct {
	inbound

	answer chan raft.RPCResponse // one slot, from the pool
}

// serveRaft reads the requests of one node, of all groups. It never waits for
// a group: what a group cannot take is refused.
func (t *TCP) serveRaft(raw net.Conn, peer NodeID) {
	c := newConn(raw, peer, &t.counters.kinds[kindRaft], MaxRaftFrame)
	c.limit = MaxRaftBuffer // A peer that asks and never reads loses its replies.
	t.injectFaults(c)
	dialer := []byte(peer)
	err := c.run(func(kind frameKind, body []byte) error {
		return t.receiveRaft(c, kind, body, dialer)
	})
	t.logger.Debug("inbound raft connection ended", "peer", string(peer), "error", err)
}

func (t *TCP) receiveRaft(c *conn, kind frameKind, body, dialer []byte) error {
	if len(body) < requestHead {
		return ErrMalformed
	}
	id, group := binary.BigEndian.Uint64(body), binary.BigEndian.Uint32(body[8:])
	in := inbound{conn: c, id: id}
	h := t.hosted(group)
	if h == nil {
		in.refuse(ErrGroupNotHosted)
		return nil
	}
	command, led, err := decodeRequest(kind, body[requestHead:], dialer)
	if err != nil {
		return fmt.Errorf("a request of kind %d for group %d: %w", kind, group, err)
	}
	in.command = command
	if err := h.admit(command, led); err != nil {
		in.refuse(err)
		return nil
	}
	if err := h.offer(kind, in); err != nil {
		t.counters.groupBusy.Add(1)
		in.refuse(err)
	}
	return nil
}

// decodeRequest also returns the term that goes with a TimeoutNow. An unknown
// kind is answered, not an end of the connection: it may be a later version's.
func decodeRequest(kind frameKind, body, dialer []byte) (command any, led uint64, err error) {
	d := decoder{b: body}
	switch kind {
	case frameAppend:
		command = d.appendEntries(dialer)
	case frameHeartbeat:
		command = d.heartbeat(dialer)
	case frameVote:
		command = d.vote(dialer)
	case framePreVote:
		command = d.preVote(dialer)
	case frameTimeoutNow:
		command, led = d.timeoutNow(dialer)
	case framePing, frameReply, frameFailure, frameData, frameInstall, frameProgress, frameDone,
		frameCall, frameCallReply:
		return nil, 0, ErrMalformed
	default:
		return nil, 0, nil
	}
	return command, led, d.end()
}

// admit learns the term, and drops what Raft would take at its word.
func (h *handle) admit(command any, led uint64) error {
	switch r := command.(type) {
	case *raft.AppendEntriesRequest:
		raise(&h.group.newest, r.Term)
	case *raft.RequestVoteRequest:
		raise(&h.group.newest, r.Term)
	case *raft.RequestPreVoteRequest:
		// Its term is only what the candidate would ask for.
	case *raft.TimeoutNowRequest:
		if led != 0 && led < h.group.newest.Load() {
			return fmt.Errorf("timeout now of term %d, the newest is %d: %w", led, h.group.newest.Load(), ErrStaleTerm)
		}
		raise(&h.group.newest, led)
	default:
		return errors.New("unknown request")
	}
	return nil
}

// offer gives the request to the group without waiting.
func (h *handle) offer(kind frameKind, in inbound) error {
	if kind == frameHeartbeat && h.fastPath.Load() != nil {
		select {
		case h.heartbeats <- in:
		default:
			return ErrGroupBusy
		}
		if h.isClosed() {
			h.refuseRest()
		}
		return nil
	}
	pending := pendingReply{inbound: in, answer: h.t.replies.Get().(chan raft.RPCResponse)} //nolint:forcetypeassert // Our pool.
	select {
	case h.consumer <- raft.RPC{Command: in.command, RespChan: pending.answer}:
	default:
		return ErrGroupBusy
	}
	// This waits only for the reply goroutine: when the queue is full, it holds
	// more than the consumer can, so that Raft has answered the oldest, which waits
	// for the disk at most; all groups share it.
	select {
	case h.replies <- pending:
	case <-h.done:
		return ErrGroupNotHosted
	}
	if h.isClosed() {
		h.refuseRest() // The reply goroutine may have ended before it saw this one.
	}
	return nil
}

// reply waits for Raft's answers, in the order in which it was asked.
func (h *handle) reply() {
	for {
		select {
		case pending := <-h.replies:
			select {
			case answer := <-pending.answer:
				h.t.replies.Put(pending.answer)
				if err := h.settle(pending.command, answer.Response); err != nil {
					pending.refuse(err)
					continue
				}
				pending.respond(answer)
			case <-h.done:
				pending.refuse(ErrGroupNotHosted)
			}
		case <-h.done:
			h.refuseRest()
			return
		}
	}
}

// settle waits until the entries of an append that Raft has stored are synced.
func (h *handle) settle(command, response any) error {
	durable := h.t.config.Durable
	if durable == nil {
		return nil
	}
	request, ok := command.(*raft.AppendEntriesRequest)
	if !ok || len(request.Entries) == 0 {
		return nil
	}
	if r, ok := response.(*raft.AppendEntriesResponse); !ok || !r.Success {
		return nil
	}
	return durable.WaitDurable(h.group.id, request.Entries[len(request.Entries)-1].Index)
}

func (h *handle) refuseRest() {
	for {
		select {
		case pending := <-h.replies:
			pending.refuse(ErrGroupNotHosted)
		case in := <-h.heartbeats:
			in.refuse(ErrGroupNotHosted)
		default:
			return
		}
	}
}

// beat runs the fast path, which may write a new term to the stable store and
// so may not run on a connection's reader.
func (h *handle) beat() {
	answer := make(chan raft.RPCResponse, 1)
	for {
		select {
		case in := <-h.heartbeats:
			f := h.fastPath.Load()
			if f == nil {
				in.refuse(ErrGroupNotHosted)
				continue
			}
			(*f)(raft.RPC{Command: in.command, RespChan: answer})
			select {
			case response := <-answer:
				in.respond(response)
			default: // A Raft that is shutting down returns without an answer.
				in.refuse(ErrGroupNotHosted)
			}
		case <-h.done:
			h.refuseRest()
			return
		}
	}
}

func (in *inbound) respond(answer raft.RPCResponse) {
	if answer.Error != nil {
		in.refuse(answer.Error)
		return
	}
	b, err := in.conn.begin(frameReply, 0)
	if err != nil {
		return // The connection ended: so did the request.
	}
	head := len(b)
	b = binary.BigEndian.AppendUint64(b, in.id)
	b, err = appendReply(b, answer.Response)
	if err != nil {
		b = binary.BigEndian.AppendUint64(b[:head], in.id)
		b[head-1] = byte(frameFailure)
		b = appendFailure(b, err)
	}
	in.conn.end(b)
}

func (in *inbound) refuse(reason error) {
	b, err := in.conn.begin(frameFailure, 0)
	if err != nil {
		return
	}
	b = binary.BigEndian.AppendUint64(b, in.id)
	in.conn.end(appendFailure(b, reason))
}
