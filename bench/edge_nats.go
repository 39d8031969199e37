package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/gobwas/ws"
)

// natsMode is what of NATS is measured.
type natsMode uint8

const (
	// natsCore publishes without storage. Nothing is acknowledged: half of what may be in
	// flight is followed by a PING, whose PONG says that the server has read it.
	natsCore natsMode = iota
	// natsJetStream publishes to streams of files, synced before the acknowledgement,
	// which comes to an inbox.
	natsJetStream
	// natsFanOut publishes without storage to many subscribers.
	natsFanOut
)

// natsDialect is NATS's text protocol over a WebSocket.
type natsDialect struct {
	edge *edge
	mode natsMode
	data []byte
}

func (e *edge) natsDialect(mode natsMode) *natsDialect {
	return &natsDialect{edge: e, mode: mode, data: edgeData(e.config.Size)}
}

func (d *natsDialect) name() string {
	if d.mode == natsJetStream {
		return "NATS JetStream (file, acked)"
	}
	return "NATS core (not stored)"
}

// url implements edgeDialect.
func (d *natsDialect) url() string                              { return d.edge.config.NATS.URL }
func (*natsDialect) protocol() string                           { return "" }
func (*natsDialect) stingy() bool                               { return false }
func (d *natsDialect) use(ctx context.Context) (edgeUse, error) { return d.edge.natsUse(ctx) }

// greet waits for the server's INFO, and for the answer that shows that it took CONNECT.
func (d *natsDialect) greet(l *edgeLine) error {
	kind, _, err := l.nats.next(0)
	if err != nil {
		return err
	}
	if kind != natsInfo {
		return fmt.Errorf("%w: it does not begin with INFO", errBadNATS)
	}
	if err := l.command(`CONNECT {"verbose":false,"pedantic":false,"lang":"go","version":"1","protocol":1,"echo":true}` + "\r\n"); err != nil {
		return err
	}
	return d.flushed(l)
}

// flushed waits until the server has taken all that was said.
func (*natsDialect) flushed(l *edgeLine) error {
	if err := l.command("PING\r\n"); err != nil {
		return err
	}
	for {
		kind, _, err := l.nats.next(0)
		if err != nil || kind == natsPong {
			return err
		}
	}
}

func (d *natsDialect) stream(n int) string {
	return fmt.Sprintf("edge-%s-%d", d.edge.run, n%d.edge.config.Streams)
}

func (d *natsDialect) subject(n int) string {
	if d.mode == natsJetStream {
		return d.stream(n)
	}
	return "edge." + d.edge.run
}

func (d *natsDialect) inbox(n int) string { return fmt.Sprintf("_INBOX.%s.%d", d.edge.run, n) }

// prepare creates the streams.
func (d *natsDialect) prepare(l *edgeLine) error {
	if d.mode != natsJetStream {
		return nil
	}
	inbox := d.inbox(-1)
	if err := l.command("SUB " + inbox + " 1\r\n"); err != nil {
		return err
	}
	for n := range d.edge.config.Streams {
		name := d.stream(n)
		request := fmt.Sprintf(`{"name":%q,"subjects":[%q],"storage":"file","retention":"limits","num_replicas":1}`, name, name)
		if err := l.command(fmt.Sprintf("PUB $JS.API.STREAM.CREATE.%s %s %d\r\n%s\r\n", name, inbox, len(request), request)); err != nil {
			return err
		}
		if err := d.created(l); err != nil {
			return fmt.Errorf("creating a stream: %w", err)
		}
	}
	return nil
}

func (*natsDialect) created(l *edgeLine) error {
	for {
		kind, payload, err := l.nats.next(maxNATSLine)
		if err != nil {
			return err
		}
		if kind != natsMessage {
			continue
		}
		var answer struct {
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(payload, &answer); err != nil {
			return err
		}
		if answer.Error != nil {
			return fmt.Errorf("%w: %s", errRefused, answer.Error.Description)
		}
		return nil
	}
}

func (d *natsDialect) publisher(l *edgeLine) error {
	if d.mode != natsJetStream {
		return nil
	}
	if err := l.command("SUB " + d.inbox(l.number) + " 1\r\n"); err != nil {
		return err
	}
	return d.flushed(l)
}

func (d *natsDialect) follower(l *edgeLine) error {
	if err := l.command("SUB " + d.subject(0) + " 1\r\n"); err != nil {
		return err
	}
	return d.flushed(l)
}

func (d *natsDialect) perAnswer() int {
	switch d.mode {
	case natsCore:
		return d.edge.config.InFlight / 2
	case natsFanOut:
		return 0
	case natsJetStream:
	}
	return 1
}

// publish implements edgeDialect: each command in a frame of its own, as Baton's.
func (d *natsDialect) publish(dst []byte, l *edgeLine, count int) []byte {
	head := "PUB " + d.subject(l.number) + " "
	if d.mode == natsJetStream {
		head += d.inbox(l.number) + " "
	}
	head += strconv.Itoa(len(d.data)) + "\r\n"
	for range count {
		l.sent++
		l.scratch = append(append(append(l.scratch[:0], head...), d.data...), "\r\n"...)
		dst = appendEdgeFrame(dst, ws.OpBinary, l.scratch)
		if d.mode == natsCore && l.sent%uint64(d.perAnswer()) == 0 { //nolint:gosec // Positive.
			dst = appendEdgeFrame(dst, ws.OpBinary, []byte("PING\r\n"))
		}
	}
	return dst
}

func (d *natsDialect) receive(l *edgeLine) (counts int, err error) {
	keep := 0
	if d.mode == natsJetStream {
		keep = maxNATSLine
	}
	kind, payload, err := l.nats.next(keep)
	switch {
	case err != nil:
		return 0, err
	case kind == natsPing:
		return 0, l.command("PONG\r\n")
	case kind == natsPong && d.mode == natsCore:
		return 1, nil
	case kind != natsMessage:
		return 0, nil
	case d.mode == natsJetStream && !bytes.Contains(payload, []byte(`"seq":`)):
		return 0, fmt.Errorf("%w: %s", errRefused, strings.TrimSpace(string(payload)))
	}
	return 1, nil
}
