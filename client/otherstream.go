package client

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// otherStream is one ListenFor: its subscription in the current session, and what was
// received in it. As with the client's own stream, the queue is of the current socket:
// the next one begins again behind the last notification that was handled.
type otherStream struct {
	client  *Client
	options ListenForOptions
	wake    chan struct{} // room for one

	mu           sync.Mutex // guards the rest; before flight.mu and outbox.mu
	session      *session   // the last one listened in
	subscription string     // empty until it is answered
	of           string     // the epoch of the subscription's numbers
	items        []item
	failed       error

	// Where the stream stands, as in stream.
	known    bool
	epoch    string
	position uint64
	acked    uint64
	unsaid   int // acknowledgements that the node was not told of
}

func newOtherStream(c *Client, options ListenForOptions) *otherStream {
	return &otherStream{client: c, options: options, wake: make(chan struct{}, 1)}
}

// addOther makes one known, so that sessions to come listen, and listens in the
// one there is.
func (c *Client) addOther(o *otherStream) error {
	c.mu.Lock()
	if c.closed != nil {
		defer c.mu.Unlock()
		return c.closed
	}
	if c.others == nil {
		c.others = make(map[*otherStream]struct{})
		c.otherOf = make(map[string]*otherStream)
	}
	c.others[o] = struct{}{}
	s := c.session
	c.mu.Unlock()
	if s != nil {
		o.attach(s)
	}
	return nil
}

func (c *Client) dropOther(o *otherStream) {
	c.mu.Lock()
	delete(c.others, o)
	c.mu.Unlock()
	o.leave()
}

// allOthers are the streams of other clients that are listened to.
func (c *Client) allOthers() []*otherStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*otherStream, 0, len(c.others))
	for o := range c.others {
		all = append(all, o)
	}
	return all
}

// heard hands what a node sent to the stream that it is of; false where it is for
// none.
func (c *Client) heard(s *session, subscription []byte, m *wire.Message) bool {
	c.mu.Lock()
	o := c.otherOf[string(subscription)]
	c.mu.Unlock()
	if o == nil {
		return false
	}
	o.receive(s, m)
	return true
}

// attach listens in a session, once.
func (o *otherStream) attach(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil || o.session != nil && o.session.number >= s.number {
		return
	}
	o.forget()
	o.session, o.items = s, nil
	if o.client.listens.begin(s, o) {
		o.listen()
	}
}

// listen asks for what comes behind the last notification that was handled.
func (o *otherStream) listen() {
	s := o.session
	m := wire.Listen{
		ID: o.client.flight.id(), ClientID: alias(o.options.ClientID), DeviceID: alias(o.options.DeviceID),
		Window: uint64(o.options.Window), Resume: o.options.Resume.fields(), //nolint:gosec // Not negative: see check.
	}
	if o.known {
		m.Resume = wire.Resume{Kind: wire.ResumeAfter, Epoch: alias(o.epoch), Seq: o.position}
	}
	r := &request{id: m.ID, bound: true, encoded: wire.AppendListen(o.client.flight.blank(), &m)}
	r.done = func(a answer) {
		switch refused, ok := errors.AsType[*Error](a.err); {
		case a.err == nil:
			o.began(s, a.ok)
			o.client.listens.ended(s)
		case !ok: // The session is lost, or the client closed: another will come, or none.
		case refused.Retryable:
			time.AfterFunc(max(refused.RetryAfter, leastRetry), func() { o.again(s) })
		default:
			o.fail(refused)
			o.client.listens.ended(s)
		}
	}
	// Done may be called at once, without an answer: it takes no lock then.
	o.client.flight.submit(r)
}

// again begins a listen whose turn has come, or repeats one that was refused for now.
func (o *otherStream) again(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session == s && o.failed == nil {
		o.listen()
		return
	}
	o.client.listens.skip(s)
}

// began takes note of the subscription; what it brings comes behind the answer, on the
// same goroutine.
func (o *otherStream) began(s *session, ok *wire.OK) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != s {
		return
	}
	o.subscription, o.of = string(ok.Subscription), string(ok.Epoch)
	if o.failed != nil {
		o.unlisten()
		return
	}
	o.client.mu.Lock()
	o.client.otherOf[o.subscription] = o
	o.client.mu.Unlock()
	if o.options.Resume.live && !o.known {
		o.known, o.epoch, o.position = true, o.of, ok.Seq
	}
	if o.acked > 0 && o.epoch == o.of {
		o.sayAck()
	}
}

// forget takes the subscription's name out of use.
func (o *otherStream) forget() {
	o.client.mu.Lock()
	if o.client.otherOf[o.subscription] == o {
		delete(o.client.otherOf, o.subscription)
	}
	o.client.mu.Unlock()
	o.subscription = ""
}

func (o *otherStream) unlisten() {
	if o.subscription == "" {
		return
	}
	m := wire.Unlisten{ID: o.client.flight.id(), Subscription: []byte(o.subscription)}
	o.forget()
	o.client.flight.submit(&request{
		id: m.ID, bound: true, encoded: wire.AppendUnlisten(o.client.flight.blank(), &m), done: func(answer) {},
	})
}

// receive queues what the node sent; it runs on the reading goroutine.
func (o *otherStream) receive(s *session, m *wire.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != s {
		return
	}
	i := item{session: s}
	switch m.Type { //nolint:exhaustive // nothing else comes here
	case wire.TypeNotify:
		i.seq, i.notification = m.Notify.Seq, notificationOf(&m.Notify)
	case wire.TypeGap:
		i.seq, i.gap = m.Gap.To, &Gap{From: m.Gap.From, To: m.Gap.To, Reason: m.Gap.Reason.String()}
	case wire.TypeSynced:
		i.seq = m.Synced.Seq
	}
	if len(o.items) > 2*max(o.options.Window, s.window)+64 {
		s.end(fmt.Errorf("client: %s sends more notifications than the window allows", s.url))
		return
	}
	o.items = append(o.items, i)
	o.signal()
}

func (o *otherStream) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take is the next item that was not handled, with the epoch of its number. It stays
// in the queue until done.
func (o *otherStream) take() (i item, epoch string, found bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.items) > 0 {
		i = o.items[0]
		if i.notification == nil || !o.known || o.of != o.epoch || i.seq > o.position {
			break
		}
		o.items = o.items[1:] // It came before, over another socket.
	}
	return i, o.of, len(o.items) > 0 && o.failed == nil, o.failed
}

// done takes a handled item off the queue.
func (o *otherStream) done(i *item, epoch string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) > 0 && i.session == o.session {
		o.items = o.items[1:]
	}
	switch {
	case i.gap != nil && i.gap.Reason == wire.GapEpoch.String():
		// The numbers begin anew; what the gap names is of the old ones.
	case !o.known || o.epoch != epoch:
		o.known, o.epoch, o.position, o.acked = true, epoch, i.seq, 0
	default:
		o.position = max(o.position, i.seq)
	}
}

// ack acknowledges everything up to seq of the epoch.
func (o *otherStream) ack(epoch string, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known && o.epoch != epoch {
		return // of a stream that is no more
	}
	o.acked = max(o.acked, seq)
	o.unsaid++
	if len(o.items) == 0 || o.options.ManualAck || o.unsaid >= max(o.options.Window/ackShare, 1) {
		o.sayAck()
	}
}

func (o *otherStream) sayAck() {
	if o.session != nil && o.subscription != "" {
		o.unsaid = 0
		m := wire.Ack{Subscription: []byte(o.subscription), Seq: o.acked}
		o.session.out.add(wire.AppendAck(o.session.out.blank(), &m))
	}
}

// fail ends ListenFor with err.
func (o *otherStream) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil {
		o.failed = err
	}
	o.signal()
}

// leave ends the subscription, after the last acknowledgement.
func (o *otherStream) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsaid > 0 {
		o.sayAck()
	}
	if o.failed == nil {
		o.failed = ErrStop // Whatever answer comes now is for nobody.
	}
	o.items = nil
	o.unlisten()
}

// listenTurns keeps the listens of a session below what a node takes at a time: a
// backend that comes back may have thousands to ask for.
type listenTurns struct {
	mu      sync.Mutex // guards the rest; a leaf
	session *session
	asked   int
	waiting []*otherStream
}

// turns is how many listens may be asked for in a session, and not answered.
func turns(s *session) int { return max(s.maxInFlight/2, 1) }

// begin tells whether a listen may be asked for now; otherwise it has its turn later.
func (t *listenTurns) begin(s *session, o *otherStream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != s {
		t.session, t.asked, t.waiting = s, 0, nil
	}
	if t.asked >= turns(s) {
		t.waiting = append(t.waiting, o)
		return false
	}
	t.asked++
	return true
}

// ended gives the turn of a listen that was answered to the next one.
func (t *listenTurns) ended(s *session) {
	if next := t.next(s); next != nil {
		next.again(s)
	}
}

// skip is ended for a listen that is not asked for any more. It may be called with a
// stream's lock held.
func (t *listenTurns) skip(s *session) { go t.ended(s) }

func (t *listenTurns) next(s *session) *otherStream {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != s {
		return nil
	}
	if len(t.waiting) == 0 {
		t.asked--
		return nil
	}
	next := t.waiting[0]
	t.waiting = t.waiting[1:]
	return next
}
