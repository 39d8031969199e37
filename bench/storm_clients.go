package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// StormClientsConfig describes the clients of a storm.
type StormClientsConfig struct {
	Nodes  []string    `json:"nodes"`
	Token  string      `json:"token,omitempty"`
	Tenant string      `json:"tenant,omitempty"`
	Name   string      `json:"name"` // begins their client ids
	TLS    *tls.Config `json:"-"`
	// Clients connect spread over Within, in each of so many Rounds.
	Clients int           `json:"clients"`
	Within  time.Duration `json:"within"`
	Rounds  int           `json:"rounds"`
}

// StormCount is what the clients of a storm saw.
type StormCount struct {
	Clients   int `json:"clients"`
	Connected int `json:"connected"` // welcomes, of all rounds
	Refused   int `json:"refused"`   // sent away, to come again
	Failed    int `json:"failed"`    // never welcomed in a round
	// Seconds are those from the first connect of a round to its last welcome, of all
	// rounds together.
	Seconds float64    `json:"seconds"`
	Welcome Percentile `json:"welcome_ms"` // from the connect
}

// Rate is how many were welcomed each second.
func (c *StormCount) Rate() float64 { return float64(c.Connected) / max(c.Seconds, 0.001) }

// stormers are the clients of a storm.
type stormers struct {
	config *StormClientsConfig
	all    []stormer

	mu    sync.Mutex // guards the rest
	count StormCount
	took  *hdrhistogram.Histogram
}

// stormer is one client. It has no goroutine while it is connected and nothing is
// said.
type stormer struct {
	conn  net.Conn
	id    string
	epoch string
	seq   uint64
}

// StormClients connects many clients, has each say hello and answered a ping, cuts all of
// them off, and again: then they resume.
func StormClients(ctx context.Context, config StormClientsConfig) (*StormCount, error) {
	s := &stormers{config: &config, all: make([]stormer, config.Clients), took: newHistogram()}
	s.count.Clients = config.Clients
	for i := range s.all {
		s.all[i].id = fmt.Sprintf("%s-%d", config.Name, i)
	}
	defer s.hangUp()
	for range config.Rounds {
		begin := time.Now()
		s.round(ctx, begin)
		s.count.Seconds += time.Since(begin).Seconds()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		s.hangUp()
	}
	s.count.Welcome = percentiles(s.took)
	return &s.count, nil
}

// round connects all of them, each at its time.
func (s *stormers) round(ctx context.Context, begin time.Time) {
	order := rand.Perm(len(s.all)) //nolint:gosec // No secret.
	var wait sync.WaitGroup
	for k, i := range order {
		due := begin.Add(s.config.Within * time.Duration(k) / time.Duration(len(order)))
		if pause := time.Until(due); pause > 0 {
			time.Sleep(pause)
		}
		wait.Go(func() { s.come(ctx, i) })
	}
	wait.Wait()
}

// hangUp cuts every socket, without a word, as a network that fails does.
func (s *stormers) hangUp() {
	for i := range s.all {
		if conn := s.all[i].conn; conn != nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			s.all[i].conn = nil
		}
	}
}

const (
	// stormTries is how often a client comes in a round.
	stormTries = 20
	// stormPatience is how long it waits for its welcome.
	stormPatience = 20 * time.Second
)

// come has a client connect, and again where it is sent away.
func (s *stormers) come(ctx context.Context, i int) {
	for try := range stormTries {
		begin := time.Now()
		after, err := s.greet(ctx, &s.all[i], s.config.Nodes[(i+try)%len(s.config.Nodes)])
		s.mu.Lock()
		if err == nil {
			s.count.Connected++
			record(s.took, time.Since(begin).Nanoseconds())
			s.mu.Unlock()
			return
		}
		s.count.Refused++
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Failed++
}

var errSentAway = errors.New("sent away")

// greet connects, says hello, and has a ping answered. Where it fails, after says when to try again.
func (s *stormers) greet(ctx context.Context, c *stormer, node string) (after time.Duration, err error) {
	after = time.Duration(rand.Int64N(int64(500*time.Millisecond))) + 100*time.Millisecond //nolint:gosec // No secret.
	ctx, cancel := context.WithTimeout(ctx, stormPatience)
	defer cancel()
	dialer := ws.Dialer{Protocols: []string{"baton.v1.json"}, TLSConfig: s.config.TLS, ReadBufferSize: 512, WriteBufferSize: 512}
	conn, early, _, err := dialer.Dial(ctx, socketURL(node))
	if err != nil {
		return after, err
	}
	in := io.Reader(conn)
	if early != nil {
		in = early // Who is sent away may be told with the handshake.
		defer ws.PutReader(early)
	}
	_ = conn.SetDeadline(time.Now().Add(stormPatience))
	hello := wire.Hello{ClientID: []byte(c.id), Token: []byte(s.config.Token), Tenant: []byte(s.config.Tenant)}
	if c.epoch != "" {
		hello.Resume = wire.Resume{Kind: wire.ResumeAfter, Epoch: []byte(c.epoch), Seq: c.seq}
	}
	if err = say(conn, wire.AppendHello(wire.JSON.On(nil), &hello).Bytes); err == nil {
		if err = s.answer(c, conn, in, &after); err == nil {
			_ = conn.SetDeadline(time.Time{})
			c.conn = conn
			return 0, nil
		}
	}
	_ = conn.Close()
	return after, err
}

// answer reads until the ping is answered that follows the welcome.
func (s *stormers) answer(c *stormer, conn net.Conn, in io.Reader, after *time.Duration) error {
	decoder, welcomed := wire.NewDecoder(wire.FromServer), false
	for {
		frame, err := readFrame(in)
		if err != nil {
			return err
		}
		if frame.Header.OpCode == ws.OpClose {
			return errSentAway
		}
		if frame.Header.OpCode != ws.OpText {
			continue
		}
		decoder.Reset(frame.Payload)
		for {
			var m wire.Message
			if decoder.Next(&m) != nil {
				break
			}
			switch m.Type { //nolint:exhaustive // the rest is not for a client that asks nothing
			case wire.TypeWelcome:
				welcomed = true
				c.epoch, c.seq = string(m.Welcome.Epoch), m.Welcome.Seq
				if err := say(conn, []byte(`{"type":"ping","time":1}`)); err != nil {
					return err
				}
			case wire.TypeBye:
				*after = time.Duration(m.Bye.AfterMs) * time.Millisecond
			case wire.TypePong:
				if welcomed {
					return nil
				}
			}
		}
	}
}
