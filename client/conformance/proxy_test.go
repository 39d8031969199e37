package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// proxy is how clients reach one node. It can do to a connection what networks
// do, at the moment that a scenario asks for it.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu        sync.Mutex // guards the rest
	pairs     map[*pair]struct{}
	blocked   bool // connections are refused
	muted     bool // what the node says is lost
	overstate bool // the node's limit of requests in flight is told too high
	seen      map[string]int
}

// pair is one connection: the client's half and the node's.
type pair struct{ client, node net.Conn }

func (p *pair) close() {
	_ = p.client.Close()
	_ = p.node.Close()
}

// The texts that are counted in what nodes say.
const (
	seenRenewed = `"type":"renewed"`
	seenRefused = `"reason":"too_many_in_flight"`
)

// inRecord is how a record says what one of these texts says: the header behind its
// size and the first field's number, or a field's value with its length.
func inRecord(text string) []byte {
	if text == seenRenewed {
		record := wire.AppendRenewed(wire.Binary.On(nil), &wire.Renewed{}).Bytes
		return record[4:17]
	}
	return []byte("\x12too_many_in_flight")
}

// limitsInRecord are the fields max_in_flight and, up to its value, the next one.
func limitsInRecord(limit byte) []byte { return []byte{25, 1, limit, 26, 1} }

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, pairs: make(map[*pair]struct{}), seen: make(map[string]int)}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		node, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close() // The node is down.
			continue
		}
		both := &pair{client, node}
		p.set(func() {
			if p.pairs[both] = struct{}{}; p.blocked {
				both.close()
			}
		})
		p.running.Go(func() { p.carry(both, client, node, p.heard) })
		p.running.Go(func() { p.carry(both, node, client, p.said) })
	}
}

// carry copies one direction; change is what becomes of each piece.
func (p *proxy) carry(both *pair, from, to net.Conn, change func([]byte) []byte) {
	defer func() {
		both.close()
		p.set(func() { delete(p.pairs, both) })
	}()
	buffer := make([]byte, 256<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, failed := to.Write(change(buffer[:n])); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// heard is what a client said.
func (p *proxy) heard(piece []byte) []byte { return piece }

// said is what the node said. Its frames are neither masked nor compressed.
func (p *proxy) said(piece []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range []string{seenRenewed, seenRefused} {
		p.seen[text] += bytes.Count(piece, []byte(text)) + bytes.Count(piece, inRecord(text))
	}
	switch {
	case p.muted:
		return nil
	case p.overstate:
		limit := `"max_in_flight":%d,`
		piece = bytes.ReplaceAll(piece, limitsInRecord(maxInFlight), limitsInRecord(overstated))
		return bytes.ReplaceAll(piece, fmt.Appendf(nil, limit, maxInFlight), fmt.Appendf(nil, limit, overstated))
	default:
		return piece
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for both := range p.pairs {
		both.close()
	}
}

// set changes what becomes of connections.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *proxy) count(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[text]
}

// awaitCount waits until the node has said something so many times.
func (p *proxy) awaitCount(ctx context.Context, text string, atLeast int) error {
	return await(ctx, func() error {
		if said := p.count(text); said < atLeast {
			return fmt.Errorf("the node said %s %d times, want %d", text, said, atLeast)
		}
		return nil
	})
}
