package gateway

import (
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// The frame header of RFC 6455, section 5.2:
//
//	byte 0   fin(1 bit) reserved(3) opcode(4)
//	byte 1   masked(1 bit) length(7)      126: 2 more bytes, 127: 8 more bytes
//	...      length(0, 2 or 8, big endian) mask(0 or 4)
const (
	maxHeaderBytes  = 14
	maxControlBytes = 125
)

// opcodeOf is the opcode of an encoding's data frames.
func opcodeOf(encoding wire.Encoding) ws.OpCode {
	if encoding == wire.Binary {
		return ws.OpBinary
	}
	return ws.OpText
}

// headerBytes is how long the header is that begins with these two bytes.
func headerBytes(first [2]byte) uint8 {
	size := uint8(2)
	switch first[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if first[1]&0x80 != 0 {
		size += 4
	}
	return size
}

// frameHeader is a decoded frame header.
type frameHeader struct {
	length uint64
	mask   [4]byte
	opcode ws.OpCode
	fin    bool
	masked bool
	rsv    byte
}

// decodeHeader reads a whole header, of headerBytes length.
func decodeHeader(raw []byte) frameHeader {
	h := frameHeader{
		fin:    raw[0]&0x80 != 0,
		rsv:    raw[0] >> 4 & 7,
		opcode: ws.OpCode(raw[0] & 0x0f),
		masked: raw[1]&0x80 != 0,
		length: uint64(raw[1] & 0x7f),
	}
	switch h.length {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(raw[2:]))
	case 127:
		h.length = binary.BigEndian.Uint64(raw[2:])
	}
	if h.masked {
		copy(h.mask[:], raw[len(raw)-4:])
	}
	return h
}

// reservedHeader is how much room a data frame's header is given before its
// length is known: right for 126 to 65535 bytes, moved otherwise.
const reservedHeader = 4

// sealFrame turns the message that begins reservedHeader bytes behind start
// into a final, unmasked frame with this opcode.
func sealFrame(buf []byte, start int, opcode ws.OpCode) []byte {
	length := len(buf) - start - reservedHeader
	first := 0x80 | byte(opcode)
	switch {
	case length < 126:
		copy(buf[start+2:], buf[start+reservedHeader:])
		buf = buf[:len(buf)-2]
		buf[start], buf[start+1] = first, byte(length) //nolint:gosec // below 126
	case length <= 0xffff:
		buf[start], buf[start+1] = first, 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(length))
	default:
		buf = append(buf, 0, 0, 0, 0, 0, 0)
		copy(buf[start+10:], buf[start+reservedHeader:len(buf)-6])
		buf[start], buf[start+1] = first, 127
		binary.BigEndian.PutUint64(buf[start+2:], uint64(length))
	}
	return buf
}
