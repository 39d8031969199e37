package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/gobwas/ws"
)

// natsReader reads NATS's text protocol out of a line's frames: what the server says is
// a stream of bytes, which it cuts into frames where it likes.
type natsReader struct {
	line *edgeLine
	left int64 // of the frame being read
	in   *bufio.Reader
}

// natsKind is what the server says.
type natsKind uint8

const (
	natsOther natsKind = iota
	natsInfo
	natsMessage
	natsPing
	natsPong
)

// maxNATSLine is more than the longest line: INFO of a small server.
const maxNATSLine = 16 << 10

var errBadNATS = errors.New("the NATS server says what is not in its protocol")

func newNATSReader(l *edgeLine) *natsReader {
	r := &natsReader{line: l}
	r.in = bufio.NewReaderSize(r, maxNATSLine)
	return r
}

// Read implements io.Reader: the payloads of the frames.
func (r *natsReader) Read(into []byte) (int, error) {
	for r.left == 0 {
		header, err := r.line.header()
		if err != nil {
			return 0, err
		}
		r.left = header.Length
	}
	n, err := r.line.frames.Read(into[:min(int64(len(into)), r.left)])
	r.left -= int64(n)
	return n, err
}

// next reads one thing the server says. The payload of a message is valid until the next
// call, and empty where it is longer than keep, or nothing is kept.
func (r *natsReader) next(keep int) (kind natsKind, payload []byte, err error) {
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		return natsOther, nil, err
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return natsOther, nil, fmt.Errorf("%w: a line that ends without a return: %.60q", errBadNATS, line)
	}
	line = line[:len(line)-2]
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")):
		payload, err = r.message(line, keep)
		return natsMessage, payload, err
	case string(line) == "PING":
		return natsPing, nil, nil
	case string(line) == "PONG":
		return natsPong, nil, nil
	case bytes.HasPrefix(line, []byte("INFO ")):
		return natsInfo, nil, nil
	case string(line) == "+OK":
		return natsOther, nil, nil
	case bytes.HasPrefix(line, []byte("-ERR")):
		return natsOther, nil, fmt.Errorf("%w: %s", errRefused, line)
	}
	return natsOther, nil, fmt.Errorf("%w: %.60q", errBadNATS, line)
}

// message reads what follows MSG subject sid [reply] size.
func (r *natsReader) message(line []byte, keep int) ([]byte, error) {
	size, err := strconv.Atoi(string(line[bytes.LastIndexByte(line, ' ')+1:]))
	if err != nil || size < 0 {
		return nil, fmt.Errorf("%w: %.60q", errBadNATS, line)
	}
	if size+2 > min(keep, maxNATSLine) {
		_, err = r.in.Discard(size + 2)
		return nil, err
	}
	payload, err := r.in.Peek(size + 2)
	if err != nil {
		return nil, err
	}
	_, err = r.in.Discard(size + 2)
	return payload[:size], err
}

// buffered tells whether something was received that is not looked at.
func (l *edgeLine) buffered() bool { return l.frames.Buffered() > 0 || l.nats.in.Buffered() > 0 }

// command writes what a client says to NATS, in a frame of its own.
func (l *edgeLine) command(text string) error { return l.send(ws.OpBinary, []byte(text)) }

var _ io.Reader = (*natsReader)(nil)
