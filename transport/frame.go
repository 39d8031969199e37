package transport

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// After the greeting, every connection but a snapshot's data carries frames:
//
//	0  4  length of what follows, big endian, at least 1
//	4  1  kind of frame
//	5  n  body
const frameHead = 5

// frameKind says how a frame's body is laid out. Values are part of the protocol.
type frameKind byte

const (
	framePing frameKind = 1 // no body; says that the sender lives

	frameAppend     frameKind = 2 // raft requests, see raftwire.go
	frameHeartbeat  frameKind = 3
	frameVote       frameKind = 4
	framePreVote    frameKind = 5
	frameTimeoutNow frameKind = 6
	frameReply      frameKind = 7 // raft replies
	frameFailure    frameKind = 8

	frameData frameKind = 16 // one frame given to Send

	frameInstall  frameKind = 32 // a snapshot's header; its data follows, unframed
	frameProgress frameKind = 33 // no body; the receiver is still at work
	frameDone     frameKind = 34 // the InstallSnapshot's reply

	frameCall      frameKind = 48 // a request
	frameCallReply frameKind = 49
)

// beginFrame appends a head whose length endFrame fills in.
func beginFrame(b []byte, kind frameKind) []byte {
	return append(b, 0, 0, 0, 0, byte(kind))
}

func endFrame(b []byte, start int) {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4)) //nolint:gosec // Checked against its limit by the caller.
}

// frameReader reads frames from r. One goroutine owns it.
type frameReader struct {
	r       *bufio.Reader
	limit   int // of a body
	consume int // bytes of r that the last body occupied
	scratch []byte
}

func newFrameReader(r io.Reader, limit, buffer int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, buffer), limit: limit}
}

// next returns a frame whose body is valid until the next call, except that an
// append's body is the caller's to keep: Raft keeps its entries.
func (f *frameReader) next() (frameKind, []byte, error) {
	if f.consume > 0 {
		if _, err := f.r.Discard(f.consume); err != nil {
			return 0, nil, err
		}
		f.consume = 0
	}
	head, err := f.r.Peek(frameHead)
	if err != nil {
		return 0, nil, err
	}
	length := int64(binary.BigEndian.Uint32(head))
	kind := frameKind(head[4])
	if length == 0 {
		return 0, nil, ErrMalformed
	}
	if length-1 > int64(f.limit) {
		return 0, nil, fmt.Errorf("frame of %d bytes, at most %d: %w", length-1, f.limit, ErrFrameTooLarge)
	}
	body, err := f.body(kind, int(length-1))
	return kind, body, err
}

func (f *frameReader) body(kind frameKind, size int) ([]byte, error) {
	if kind != frameAppend && frameHead+size <= f.r.Size() {
		whole, err := f.r.Peek(frameHead + size)
		if err != nil {
			return nil, noEOF(err)
		}
		f.consume = frameHead + size
		return whole[frameHead:], nil
	}
	if _, err := f.r.Discard(frameHead); err != nil {
		return nil, err
	}
	body := f.space(kind, size)
	_, err := io.ReadFull(f.r, body)
	return body, noEOF(err)
}

func (f *frameReader) space(kind frameKind, size int) []byte {
	switch {
	case kind == frameAppend:
		return make([]byte, size)
	case size > maxSpareBuffer:
		f.scratch = nil
		return make([]byte, size)
	case size > cap(f.scratch):
		f.scratch = make([]byte, size)
	}
	return f.scratch[:size]
}

// noEOF: the end of the stream inside a frame is not a clean end.
func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // The contract of io.Reader: never wrapped.
		return io.ErrUnexpectedEOF
	}
	return err
}
