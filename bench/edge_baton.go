package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// batonDialect is Baton's protocol in one encoding.
type batonDialect struct {
	edge     *edge
	encoding wire.Encoding
	opcode   ws.OpCode
	channel  []byte
	data     []byte
	slow     bool // sessions have a client id each, and so a stream, and are not read
}

// edgeKeys is how many keys the events of a connection have, and so spread over the
// partitions.
const edgeKeys = 1000

// maxEdgeAnswer is longer than anything that a server tells a line that does not follow.
const maxEdgeAnswer = 1 << 20

var errRefused = errors.New("the server refused")

func newBatonDialect(e *edge, encoding wire.Encoding) *batonDialect {
	d := &batonDialect{edge: e, encoding: encoding, opcode: ws.OpText, data: edgeData(e.config.Size)}
	if encoding == wire.Binary {
		d.opcode = ws.OpBinary
	}
	d.channel = fmt.Appendf(nil, "edge.%s.%s", e.run, strings.TrimPrefix(encoding.Protocol(), "baton.v1."))
	return d
}

// edgeData is a JSON string of so many bytes, quotes included: every server is given
// the same bytes.
func edgeData(size int) []byte { return []byte(`"` + strings.Repeat("x", size-2) + `"`) }

func (d *batonDialect) name() string { return d.encoding.Protocol() + " (durable)" }

func (d *batonDialect) url() string                              { return socketURL(d.edge.config.Baton.URL) }
func (d *batonDialect) protocol() string                         { return d.encoding.Protocol() }
func (*batonDialect) prepare(*edgeLine) error                    { return nil }
func (*batonDialect) publisher(*edgeLine) error                  { return nil }
func (d *batonDialect) stingy() bool                             { return d.slow }
func (*batonDialect) perAnswer() int                             { return 1 }
func (d *batonDialect) use(ctx context.Context) (edgeUse, error) { return d.edge.batonUse(ctx) }

func (d *batonDialect) greet(l *edgeLine) error {
	var hello wire.Hello
	if d.slow {
		hello.ClientID = fmt.Appendf(nil, "edge-%s-%d", d.edge.run, l.number)
	}
	return d.ask(l, wire.AppendHello(d.encoding.On(nil), &hello).Bytes, wire.TypeWelcome)
}

func (d *batonDialect) follower(l *edgeLine) error {
	return d.ask(l, wire.AppendFollow(d.encoding.On(nil), &wire.Follow{ID: 1, Channel: d.channel}).Bytes, wire.TypeOK)
}

// ask sends a message and waits for what answers it.
func (d *batonDialect) ask(l *edgeLine, message []byte, want wire.Type) error {
	if err := l.send(d.opcode, message); err != nil {
		return err
	}
	for {
		header, err := l.header()
		if err != nil {
			return err
		}
		text, err := l.payload(header)
		if err != nil {
			return err
		}
		said, err := d.told(text)
		if err != nil || said == want {
			return err
		}
	}
}

func (d *batonDialect) publish(dst []byte, l *edgeLine, count int) []byte {
	var key [24]byte
	for range count {
		l.sent++
		m := wire.Publish{ID: l.sent, EventFields: wire.EventFields{
			Channel: d.channel, Key: strconv.AppendUint(append(key[:0], 'k'), (uint64(l.number)*7919+l.sent)%edgeKeys, 10), //nolint:gosec // Not negative.
			Payload: wire.Payload{Bytes: d.data, Kind: wire.PayloadJSON},
		}}
		l.scratch = wire.AppendPublish(d.encoding.On(l.scratch[:0]), &m).Bytes
		dst = appendEdgeFrame(dst, d.opcode, l.scratch)
	}
	return dst
}

// receive implements edgeDialect. A node sends each message in a frame of its own, so
// that its type is all there is to look at.
func (d *batonDialect) receive(l *edgeLine) (int, error) {
	header, err := l.header()
	if err != nil {
		return 0, err
	}
	head, err := l.frames.Peek(int(min(header.Length, batonHead)))
	if err != nil {
		return 0, err
	}
	if d.counts(head) {
		_, err = l.frames.Discard(int(header.Length))
		return 1, err
	}
	text, err := l.payload(header)
	if err != nil {
		return 0, err
	}
	_, err = d.told(text)
	return 0, err
}

// batonHead is how much of a message is looked at: enough for its type.
const batonHead = 16

// counts tells whether a message is an answer or a delivery, by how it begins.
func (d *batonDialect) counts(head []byte) bool {
	if d.encoding == wire.Binary {
		return len(head) > 4 && (wire.Type(head[4]) == wire.TypeOK || wire.Type(head[4]) == wire.TypeEvent)
	}
	return bytes.HasPrefix(head, []byte(`{"type":"ok"`)) || bytes.HasPrefix(head, []byte(`{"type":"event"`))
}

// told is what a message is, and the error that it tells of, if any.
func (d *batonDialect) told(text []byte) (wire.Type, error) {
	decoder, m := wire.NewDecoder(wire.FromServer), new(wire.Message)
	decoder.ResetAs(d.encoding, text, nil)
	if err := decoder.Next(m); err != nil {
		return m.Type, err
	}
	switch m.Type { //nolint:exhaustive // The rest tells of nothing wrong.
	case wire.TypeError:
		return m.Type, fmt.Errorf("%w: %s %s", errRefused, m.Error.Reason, m.Error.Message)
	case wire.TypeBye:
		return m.Type, fmt.Errorf("%w: it says bye, to come back in %d ms", errRefused, m.Bye.AfterMs)
	}
	return m.Type, nil
}

// payload reads a frame's payload.
func (l *edgeLine) payload(header ws.Header) ([]byte, error) {
	if header.Length > maxEdgeAnswer {
		return nil, fmt.Errorf("the server sent a frame of %d bytes", header.Length)
	}
	payload := make([]byte, header.Length)
	_, err := io.ReadFull(l.frames, payload)
	return payload, err
}
