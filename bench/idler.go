package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

const (
	// idleDialers is how many connections are opened at a time.
	idleDialers = 32
	// idleDialTimeout is how long opening one may take.
	idleDialTimeout = 30 * time.Second
	// portsPerAddress is how many connections are opened from one loopback address:
	// fewer than there are ephemeral ports.
	portsPerAddress = 10_000
	idleReport      = 5 * time.Second
)

// idler is a connection that answers pings and nothing else. The Go client would do
// much more, and is not what is measured.
type idler struct {
	conn   net.Conn
	in     io.Reader
	secure bool
}

// dial opens so many sessions, as fast as the configuration lets it.
func (r *idle) dial(ctx context.Context, count int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next, opened atomic.Int64
	var mu sync.Mutex
	var dialers sync.WaitGroup
	begin := time.Now()
	for range idleDialers {
		dialers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= count || r.await(ctx, begin, n) != nil {
					return
				}
				c, err := r.openSession(ctx, n)
				if err != nil {
					stop(fmt.Errorf("connection %d: %w", n+1, err))
					return
				}
				mu.Lock()
				r.open = append(r.open, c)
				mu.Unlock()
				opened.Add(1)
				r.work.Go(func() { r.serve(c) })
			}
		})
	}
	done := make(chan struct{})
	var reporting sync.WaitGroup
	reporting.Go(func() { r.reportDial(done, &opened, count) })
	dialers.Wait()
	close(done)
	reporting.Wait()
	return context.Cause(ctx)
}

// await waits until connection n may be opened.
func (r *idle) await(ctx context.Context, begin time.Time, n int) error {
	if r.config.ConnectRate == 0 {
		return nil
	}
	due := time.Duration(float64(n) / r.config.ConnectRate * float64(time.Second))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(due - time.Since(begin)):
		return nil
	}
}

func (r *idle) reportDial(done <-chan struct{}, opened *atomic.Int64, count int) {
	ticker := time.NewTicker(idleReport)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			r.report("%d of %d connections open", opened.Load(), count)
		}
	}
}

// openSession connects, says hello and waits for welcome.
func (r *idle) openSession(ctx context.Context, n int) (*idler, error) {
	ctx, cancel := context.WithTimeout(ctx, idleDialTimeout)
	defer cancel()
	url := socketURL(r.config.Node)
	dialer := ws.Dialer{
		Timeout: idleDialTimeout, TLSConfig: r.config.TLS, NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: sourceAddress(address, n), KeepAliveConfig: net.KeepAliveConfig{Enable: false}}
			return d.DialContext(ctx, network, address)
		},
	}
	conn, early, _, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	c := &idler{conn: conn, in: conn, secure: strings.HasPrefix(url, "wss:")}
	if early != nil {
		c.in = bufio.NewReader(io.MultiReader(early, conn))
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if err := c.hello(r.helloOf(n)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

// sourceAddress spreads connections to this machine over its loopback addresses.
func sourceAddress(to string, n int) net.Addr {
	host, _, err := net.SplitHostPort(to)
	if block := n / portsPerAddress; err == nil && block > 0 && net.ParseIP(host).IsLoopback() && net.ParseIP(host).To4() != nil {
		return &net.TCPAddr{IP: net.IPv4(127, 0, byte(block>>8), byte(1+block))} //nolint:gosec // maxIdle bounds it
	}
	return nil
}

func (r *idle) helloOf(n int) []byte {
	m := wire.Hello{Token: []byte(r.config.Token), Tenant: []byte(r.config.Tenant)}
	if r.config.ClientIDs {
		m.ClientID = fmt.Appendf(nil, "idle-%s-%d", r.run, n)
	}
	return wire.AppendHello(wire.JSON.On(nil), &m).Bytes
}

var errNoWelcome = errors.New("the session was not opened")

func (c *idler) hello(hello []byte) error {
	if err := say(c.conn, hello); err != nil {
		return err
	}
	for {
		frame, err := readFrame(c.in)
		switch {
		case err != nil:
			return err
		case frame.Header.OpCode == ws.OpText && bytes.HasPrefix(frame.Payload, []byte(`{"type":"welcome"`)):
			return nil
		default:
			return fmt.Errorf("%w: %s", errNoWelcome, frame.Payload)
		}
	}
}

// serve answers pings until the connection ends.
func (r *idle) serve(c *idler) {
	for {
		frame, err := readFrame(c.in)
		if err == nil && frame.Header.OpCode == ws.OpPing {
			r.pings.Add(1)
			err = ws.WriteFrame(c.conn, ws.MaskFrameInPlace(ws.NewPongFrame(frame.Payload)))
		}
		if err != nil || frame.Header.OpCode == ws.OpClose {
			if !r.over.Load() {
				r.lost.Add(1)
			}
			_ = c.conn.Close()
			return
		}
	}
}
