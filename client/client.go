package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/batonmq/baton/transport/wire"
)

// Client is a connection to a cluster that outlives its sockets. Its methods
// may be called from any goroutine.
type Client struct {
	options Options
	http    *HTTP
	flight  *flight
	stream  *stream // nil without a client id
	// listens have their turns when ListenFor asks a node.
	listens listenTurns
	// room is taken by every event that is published and unanswered.
	room chan struct{}

	// Idempotency keys: a prefix nobody else has, and a number.
	prefix string
	keys   atomic.Uint64

	mu       sync.Mutex // guards the rest; held while nothing else is called
	session  *session   // nil while there is none
	sessions uint64     // so far
	workers  []*worker  // copied on every change
	// followers are those of each Follow that runs, copied on every change.
	followers []*follower
	// readers are those of each ReadStream that runs, copied on every change.
	readers []*streamReader
	// others are the streams of each ListenFor that runs, otherOf those that have a
	// subscription, by its name.
	others  map[*otherStream]struct{}
	otherOf map[string]*otherStream
	closed  error
	// maxMessage is the last session's.
	maxMessage int

	stop    context.CancelFunc // ends the connecting goroutine
	done    chan struct{}      // closed when it has ended
	closing sync.Once
}

// Dial connects to one of the nodes. It returns a *RejectedError when a node
// refuses for good, and a *ConnectError when none could be reached, or none had
// a leader for the client's stream, before the context or ConnectAttempts ended.
// The context does not bound the life of the Client.
func Dial(ctx context.Context, options Options) (*Client, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	places, err := newNodes(&o)
	if err != nil {
		return nil, err
	}
	web, err := NewHTTP(o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		options: o, http: web, flight: newFlight(), prefix: newPrefix(), done: make(chan struct{}),
		room: make(chan struct{}, o.MaxPending),
	}
	if o.ClientID != "" {
		c.stream = newStream(&o)
	}
	l := &link{client: c, nodes: places, backoff: backoff{least: o.MinBackoff, most: o.MaxBackoff}}
	first, err := l.connect(ctx, o.ConnectAttempts)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.attach(first)
	go func() {
		defer close(c.done)
		l.run(life, first)
	}()
	return c, nil
}

func newPrefix() string {
	var random [10]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:]) + "-"
}

// Close says goodbye and ends everything: what was not answered fails with
// ErrClosed, jobs go back to the cluster at once. It waits for the socket to be
// closed, two seconds at most.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.fail(ErrClosed)
		c.mu.Lock()
		s := c.session
		c.mu.Unlock()
		if s != nil {
			s.out.finish(wire.AppendBye(s.out.blank(), &wire.Bye{}))
		}
		c.stop()
	})
	<-c.done
	c.http.close()
	return nil
}

// Done is closed when the Client is of no use any more: closed, or refused for
// good. Err says which.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the Client ended: ErrClosed or a *RejectedError; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Node is the name of the node connected to, empty while there is none.
func (c *Client) Node() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.node
}

// MaxMessageBytes is the largest message the node takes, data and all.
func (c *Client) MaxMessageBytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.maxMessage
}

// newKey makes an idempotency key.
func (c *Client) newKey() string {
	var digits [32]byte
	key := append(digits[:0], c.prefix...)
	return string(strconv.AppendUint(key, c.keys.Add(1), 36))
}

// fail ends everything that runs, with err.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.closed != nil {
		c.mu.Unlock()
		return
	}
	c.closed = err
	workers, followers, readers := c.workers, c.followers, c.readers
	c.mu.Unlock()
	c.flight.close(err)
	if c.stream != nil {
		c.stream.close(err)
	}
	for _, w := range workers {
		w.fail(err)
	}
	for _, f := range followers {
		f.fail(err)
	}
	for _, r := range readers {
		r.fail(err)
	}
	for _, o := range c.allOthers() {
		o.fail(err)
	}
}

// hello is what to say to the next node.
func (c *Client) hello(token string) *wire.Hello {
	o := &c.options
	h := wire.Hello{
		Token: alias(token), Tenant: alias(o.Tenant), ClientID: alias(o.ClientID), DeviceID: alias(o.DeviceID),
		Name: alias(o.Name), Version: alias(Version), Window: uint64(o.Window), //nolint:gosec // checked by withDefaults
	}
	if c.stream != nil {
		h.Resume = c.stream.resume()
		h.Ready = wire.No
	}
	return &h
}

// attach takes a new session into use. It runs before the session is read.
func (c *Client) attach(s *session) {
	if c.stream != nil {
		c.stream.attach(s)
	}
	for _, w := range c.staff() {
		w.restream(s) // Before the ends of jobs, which end their streams.
	}
	c.flight.attach(s)
	c.mu.Lock()
	c.sessions++
	s.number = c.sessions
	c.session, c.maxMessage = s, s.maxMessage
	workers, followers, readers := c.workers, c.followers, c.readers
	c.mu.Unlock()
	for _, w := range workers {
		w.attach(s)
	}
	for _, f := range followers {
		f.attach(s)
	}
	for _, r := range readers {
		r.attach(s)
	}
	for _, o := range c.allOthers() {
		o.attach(s)
	}
}

// detach takes a session out of use, after its goroutines have ended.
func (c *Client) detach() {
	c.mu.Lock()
	c.session = nil
	c.mu.Unlock()
	if c.stream != nil {
		c.stream.detach()
	}
	c.flight.detach()
}

// handle is where every message of a node goes to whom it is for.
func (c *Client) handle(s *session, m *wire.Message) {
	switch m.Type { //nolint:exhaustive // what is not here asks for nothing
	case wire.TypeOK:
		if m.OK.ID == refreshID {
			s.refreshed(m.OK.TokenExpiresMs)
			return
		}
		c.flight.answered(m.OK.ID, &m.OK, nil)
	case wire.TypeError:
		c.refused(&m.Error)
	case wire.TypeEvent:
		c.followed(s, m.Event.Subscription, func(f *follower) { f.receive(&m.Event) })
	case wire.TypeChunk:
		c.streamed(s, m.Chunk.Stream, func(r *streamReader) { r.receive(&m.Chunk) })
	case wire.TypeReset:
		c.streamed(s, m.Reset.Stream, func(r *streamReader) { r.reset(&m.Reset) })
	case wire.TypeNotify:
		c.notified(s, m.Notify.Subscription, m)
	case wire.TypeSynced:
		c.notified(s, m.Synced.Subscription, m)
	case wire.TypeGap:
		c.notified(s, m.Gap.Subscription, m)
	case wire.TypeJob:
		c.job(s, &m.Job)
	case wire.TypeRenewed:
		c.renewed(&m.Renewed)
	case wire.TypeCancel:
		c.canceled(&m.Cancel)
	case wire.TypePing:
		s.out.add(wire.AppendPong(s.out.blank(), &wire.Pong{Time: m.Ping.Time}))
	case wire.TypeBye:
		s.farewell(&m.Bye)
	}
}

// notified hands on what is of a stream: the client's own, another's, or a channel's.
func (c *Client) notified(s *session, subscription []byte, m *wire.Message) {
	switch {
	case len(subscription) == 0:
		if c.stream != nil {
			c.stream.receive(m)
		}
	case !c.heard(s, subscription, m) && m.Type == wire.TypeGap:
		c.followed(s, subscription, (*follower).gap)
	}
}

func (c *Client) refused(e *wire.Error) {
	if e.HasID && e.ID == refreshID {
		c.options.Logger.Warn("the node refused a fresh token", "error", errorOf(e))
		return
	}
	if e.HasID {
		c.flight.answered(e.ID, nil, errorOf(e))
		return
	}
	c.options.Logger.Warn("the node refused a message", "error", errorOf(e))
}
