package gateway

import (
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// frameParser cuts a client's byte stream into messages and control frames,
// however the stream is cut into reads. It holds no more than the bytes that it
// was given of an unfinished message: a length is believed only as far as its
// bytes have come, and refused from the header when it is over the limit.
type frameParser struct {
	limit uint64
	done  uint64 // bytes of the frame's payload seen so far

	message []byte // of the unfinished message
	control []byte // of the unfinished control frame

	frame       frameHeader
	head        [maxHeaderBytes]byte
	headLen     uint8
	binary      bool // messages are binary frames, else text
	inFrame     bool
	inMessage   bool // between its first frame and its last
	messageKind ws.OpCode

	// fresh is the owner's note that a message ended since it last looked.
	fresh bool
}

// frameEvent is a whole message or a control frame. Its payload is valid until
// the parser is given more.
type frameEvent struct {
	opcode  ws.OpCode
	payload []byte
}

// parseError closes the connection.
type parseError struct {
	code   ws.StatusCode
	reason string
}

func (e *parseError) Error() string { return e.reason }

func protocolError(reason string) *parseError { return &parseError{closeProtocol, reason} }

// next consumes data up to the end of the next event, or all of it. Without an
// event, event.opcode is noEvent. It unmasks in place.
func (p *frameParser) next(data []byte) (event frameEvent, rest []byte, err *parseError) {
	event.opcode = noEvent
	for len(data) > 0 || (p.inFrame && p.done == p.frame.length) {
		if !p.inFrame {
			if data = p.readHeader(data); !p.inFrame {
				return event, data, nil
			}
			if err = p.checkHeader(); err != nil {
				return event, nil, err
			}
		}
		part := data[:min(uint64(len(data)), p.frame.length-p.done)]
		data = data[len(part):]
		ws.Cipher(part, p.frame.mask, int(p.done&3))
		p.done += uint64(len(part))
		event, err = p.take(part)
		if event.opcode != noEvent || err != nil {
			return event, data, err
		}
	}
	return event, nil, nil
}

const noEvent ws.OpCode = 0xff

// midMessage tells whether the stream stands within a message or a frame.
func (p *frameParser) midMessage() bool { return p.headLen > 0 || p.inFrame || p.inMessage }

// park gives back what an idle connection need not keep.
func (p *frameParser) park() {
	if len(p.message) == 0 {
		p.message = nil
	}
	if len(p.control) == 0 {
		p.control = nil
	}
}

func (p *frameParser) readHeader(data []byte) []byte {
	want := uint8(2)
	if p.headLen >= 2 {
		want = headerBytes([2]byte(p.head[:2]))
	}
	for {
		n := copy(p.head[p.headLen:want], data)
		p.headLen += uint8(n) //nolint:gosec // at most maxHeaderBytes
		data = data[n:]
		if p.headLen < want {
			return data
		}
		if full := headerBytes([2]byte(p.head[:2])); full != want {
			want = full
			continue
		}
		p.frame = decodeHeader(p.head[:want])
		p.headLen, p.done, p.inFrame = 0, 0, true
		return data
	}
}

func (p *frameParser) checkHeader() *parseError {
	h := &p.frame
	switch {
	case h.rsv != 0:
		return protocolError("reserved bits are set")
	case h.opcode.IsReserved():
		return protocolError("reserved opcode")
	case !h.masked:
		return protocolError("frame is not masked")
	case h.length>>63 != 0:
		return protocolError("frame length has its highest bit set")
	case h.opcode.IsControl():
		return p.beginControl()
	default:
		return p.beginData()
	}
}

func (p *frameParser) beginControl() *parseError {
	switch {
	case p.frame.length > maxControlBytes:
		return protocolError("control frame is longer than 125 bytes")
	case !p.frame.fin:
		return protocolError("control frame is fragmented")
	default:
		return nil
	}
}

func (p *frameParser) beginData() *parseError {
	h := &p.frame
	switch {
	case h.opcode == ws.OpContinuation && !p.inMessage:
		return protocolError("continuation of nothing")
	case h.opcode != ws.OpContinuation && p.inMessage:
		return protocolError("new message within a fragmented one")
	case h.opcode == ws.OpBinary && !p.binary:
		return protocolError("binary frame on a " + wire.JSON.Protocol() + " connection")
	case h.opcode == ws.OpText && p.binary:
		return protocolError("text frame on a " + wire.Binary.Protocol() + " connection")
	case uint64(len(p.message))+h.length > p.limit:
		return &parseError{closeTooLarge, "message is longer than max_message_bytes"}
	}
	if h.opcode != ws.OpContinuation {
		p.messageKind, p.inMessage = h.opcode, true
		p.message = p.message[:0]
	}
	return nil
}

// take adds part to what the frame belongs to, and ends what is complete.
func (p *frameParser) take(part []byte) (frameEvent, *parseError) {
	nothing := frameEvent{opcode: noEvent}
	ended := p.done == p.frame.length
	if p.frame.opcode.IsControl() {
		return p.takeControl(part, ended), nil
	}
	// The common case: one whole frame in one read is handed on where it lies.
	whole := ended && p.frame.fin && len(p.message) == 0 && uint64(len(part)) == p.frame.length
	if !whole {
		p.message = append(p.message, part...)
	}
	if !ended {
		return nothing, nil
	}
	p.inFrame = false
	if !p.frame.fin {
		return nothing, nil
	}
	p.inMessage = false
	message := part
	if !whole {
		message = p.message
		p.message = p.message[:0]
		if cap(p.message) > maxKeptMessage {
			p.message = nil
		}
	}
	if !p.binary && !utf8.Valid(message) {
		return nothing, protocolError("text is not valid UTF-8")
	}
	return frameEvent{p.messageKind, message}, nil
}

// takeControl is take for a control frame: one that comes whole, as nearly all do, is
// handed on where it lies.
//
//nolint:revive // A frame has ended or not.
func (p *frameParser) takeControl(part []byte, ended bool) frameEvent {
	if !ended {
		p.control = append(p.control, part...)
		return frameEvent{opcode: noEvent}
	}
	p.inFrame = false
	if len(p.control) > 0 {
		part = append(p.control, part...)
		p.control = p.control[:0]
	}
	return frameEvent{p.frame.opcode, part}
}

// maxKeptMessage is how large a buffer a busy connection keeps for messages
// that come in pieces.
const maxKeptMessage = 64 << 10
