package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// maxReadFrame bounds what a node may send in one message.
const maxReadFrame = 32 << 20

// opcodeOf is the opcode of an encoding's data frames.
func opcodeOf(encoding wire.Encoding) ws.OpCode {
	if encoding == wire.Binary {
		return ws.OpBinary
	}
	return ws.OpText
}

// appendFrame appends one masked frame: RFC 6455, section 5.2.
func appendFrame(dst []byte, opcode ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(opcode))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	mask := ws.NewMask()
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}

// frameReader reads a node's frames into one buffer, used again and again.
type frameReader struct {
	in      *bufio.Reader
	data    ws.OpCode // of the frames that hold messages
	message []byte
	control [125]byte
	within  bool // a fragmented message
}

var errBadFrame = errors.New("client: the node sent a bad frame")

// next is the next whole message or control frame; its payload is valid until
// the next call.
func (r *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		head, err := r.in.Peek(2)
		if err != nil {
			return 0, nil, err
		}
		fin, opcode := head[0]&0x80 != 0, ws.OpCode(head[0]&0x0f)
		if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
			return 0, nil, errBadFrame
		}
		length, err := r.length(head[1] & 0x7f)
		if err != nil {
			return 0, nil, err
		}
		if opcode.IsControl() {
			if !fin || length > len(r.control) {
				return 0, nil, errBadFrame
			}
			_, err = io.ReadFull(r.in, r.control[:length])
			return opcode, r.control[:length], err
		}
		if err := r.more(opcode, length); err != nil {
			return 0, nil, err
		}
		if r.within = !fin; fin {
			return r.data, r.message, nil
		}
	}
}

// length consumes the header.
func (r *frameReader) length(short byte) (int, error) {
	size := 2
	switch short {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	head, err := r.in.Peek(size)
	if err != nil {
		return 0, err
	}
	length := uint64(short)
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 10:
		length = binary.BigEndian.Uint64(head[2:])
	}
	if length > maxReadFrame {
		return 0, fmt.Errorf("%w: of %d bytes", errBadFrame, length)
	}
	_, err = r.in.Discard(size)
	return int(length), err
}

// more reads a data frame's payload behind what the message has so far.
func (r *frameReader) more(opcode ws.OpCode, length int) error {
	switch {
	case opcode == r.data && !r.within:
		r.message = r.message[:0]
	case opcode == ws.OpContinuation && r.within:
	default:
		return fmt.Errorf("%w: opcode %d", errBadFrame, opcode)
	}
	at := len(r.message)
	if at+length > maxReadFrame {
		return fmt.Errorf("%w: a message of more than %d bytes", errBadFrame, maxReadFrame)
	}
	if cap(r.message) > keptBuffer && at+length <= keptBuffer && at == 0 {
		r.message = nil
	}
	if at+length > cap(r.message) {
		grown := make([]byte, at, max(at+length, 4096))
		copy(grown, r.message)
		r.message = grown
	}
	r.message = r.message[:at+length]
	_, err := io.ReadFull(r.in, r.message[at:])
	return err
}
