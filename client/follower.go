package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// Bounds of what waits for a handler. A follower without a name is sent whatever its
// socket takes: beyond these it ends its subscription, and follows again from where
// it is when its handler has come that far.
const (
	maxFollowedEvents = 4096
	maxFollowedBytes  = 4 << 20
)

// rememberedEvents is of how many events a follower with a name knows that it had
// them: after a lost socket the cluster begins behind the last commit that it got.
const rememberedEvents = 2 * maxFollowedEvents

// follower is one Follow: its subscription in the current session, and what was
// received in it. When the socket is lost, what waits is, and the next session
// begins behind the last event that the handler was given.
type follower struct {
	client  *Client
	options FollowOptions
	wake    chan struct{} // room for one

	mu           sync.Mutex // guards the rest; before flight.mu and outbox.mu
	session      *session   // the last one followed in
	subscription string     // empty until it is answered
	items        []followItem
	bytes        int
	// over means that more came than may wait.
	over   bool
	begun  bool
	failed error
	// position is behind the last event that the handler was given.
	position string
	// committed is the last commit, unsaid how many the node was not told of.
	committed string
	unsaid    int
	// had are the last events that the handler was given, order in which order.
	had   map[string]struct{}
	order []string
}

// followItem is an event, a beginning, or else a gap.
type followItem struct {
	event  *FollowedEvent
	begun  bool
	cursor string
	size   int
}

func newFollower(c *Client, options FollowOptions) *follower {
	return &follower{client: c, options: options, wake: make(chan struct{}, 1), had: make(map[string]struct{})}
}

// enroll makes a follower known, so that sessions to come follow, and follows in the
// one there is.
func (c *Client) enroll(f *follower) error {
	c.mu.Lock()
	if c.closed != nil {
		defer c.mu.Unlock()
		return c.closed
	}
	c.followers = append(slices.Clone(c.followers), f)
	s := c.session
	c.mu.Unlock()
	if s != nil {
		f.attach(s)
	}
	return nil
}

// dropFollower ends a follower. It waits until the last commit is kept, as long as
// ctx says.
func (c *Client) dropFollower(ctx context.Context, f *follower) {
	c.mu.Lock()
	c.followers = slices.DeleteFunc(slices.Clone(c.followers), func(other *follower) bool { return other == f })
	c.mu.Unlock()
	select {
	case <-f.leave():
	case <-ctx.Done():
	}
}

// followed hands what a node sent to the follower that it is for. One that came on
// its way when the subscription ended is for nobody.
func (c *Client) followed(s *session, subscription []byte, take func(*follower)) {
	c.mu.Lock()
	followers := c.followers
	c.mu.Unlock()
	for _, f := range followers {
		if f.is(s, subscription) {
			take(f)
			return
		}
	}
}

func (f *follower) is(s *session, subscription []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session == s && f.subscription != "" && f.subscription == string(subscription)
}

// attach follows in a session, once.
func (f *follower) attach(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil || f.session != nil && f.session.number >= s.number {
		return
	}
	f.session, f.subscription, f.over = s, "", false
	f.items = slices.DeleteFunc(f.items, func(i followItem) bool { return !i.begun })
	f.bytes = 0
	f.follow()
}

// follow asks for what comes behind the last event that was handled.
func (f *follower) follow() {
	s := f.session
	m := wire.Follow{
		ID: f.client.flight.id(), Channel: alias(f.options.Channel), Name: alias(f.options.Name),
		Window: uint64(f.options.Window), From: f.options.from(), //nolint:gosec // Not negative: see check.
	}
	if f.position != "" {
		m.From = wire.From{Kind: wire.FromCursor, Cursor: alias(f.position)}
	}
	r := &request{id: m.ID, bound: true, encoded: wire.AppendFollow(f.client.flight.blank(), &m)}
	r.done = func(a answer) {
		switch refused, ok := errors.AsType[*Error](a.err); {
		case a.err == nil:
			f.following(s, a.ok)
		case !ok: // The session is lost, or the client closed: another will come, or none.
		case refused.Retryable:
			time.AfterFunc(max(refused.RetryAfter, leastRetry), func() { f.again(s) })
		default:
			f.fail(refused)
		}
	}
	// Done may be called at once, without an answer: it takes no lock then.
	f.client.flight.submit(r)
}

// again repeats a follow that was refused for now.
func (f *follower) again(s *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session == s && f.failed == nil {
		f.follow()
	}
}

// following takes note of the subscription.
func (f *follower) following(s *session, ok *wire.OK) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != s {
		return
	}
	f.subscription = string(ok.Subscription)
	if f.failed != nil {
		f.unsubscribe()
		return
	}
	if f.position == "" {
		f.position = string(ok.Cursor)
	}
	if !f.begun && f.options.OnBegin != nil {
		f.items = append(f.items, followItem{begun: true, cursor: string(ok.Cursor)})
		f.signal()
	}
	f.begun = true
	if f.committed != "" { // The session before may have lost it.
		f.sayCommit()
	}
}

// unsubscribe ends the subscription; the channel is closed when that is answered.
func (f *follower) unsubscribe() (answered <-chan struct{}) {
	done := make(chan struct{})
	if f.subscription == "" {
		close(done)
		return done
	}
	m := wire.Unsubscribe{ID: f.client.flight.id(), Subscription: alias(f.subscription)}
	f.subscription = ""
	f.client.flight.submit(&request{
		id: m.ID, bound: true, encoded: wire.AppendUnsubscribe(f.client.flight.blank(), &m), done: func(answer) { close(done) },
	})
	return done
}

// receive queues an event; it runs on the reading goroutine.
func (f *follower) receive(m *wire.Event) {
	f.add(followItem{event: followedOf(m), size: len(m.Payload.Bytes)})
}

// gap queues the news of a gap.
func (f *follower) gap() {
	if f.options.OnGap != nil {
		f.add(followItem{})
	}
}

func (f *follower) add(i followItem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.items = append(f.items, i)
	f.bytes += i.size
	if f.options.Name == "" && (len(f.items) >= maxFollowedEvents || f.bytes >= maxFollowedBytes) {
		f.over = true
		f.unsubscribe()
	}
	f.signal()
}

func (f *follower) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// next waits for the next item that is new to the handler.
func (f *follower) next(ctx context.Context) (followItem, error) {
	for {
		if i, found, err := f.take(); found || err != nil {
			return i, err
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return followItem{}, ctx.Err()
		}
		if ctx.Err() != nil {
			return followItem{}, ctx.Err()
		}
	}
}

func (f *follower) take() (i followItem, found bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.failed == nil && len(f.items) > 0 {
		i, f.items = f.items[0], f.items[1:]
		f.bytes -= i.size
		if i.event == nil {
			return i, true, nil
		}
		f.position = i.event.Cursor
		if f.remember(i.event.EventID) {
			i.event.commit = f.commit
			return i, true, nil
		}
		// It came again, and would fill the window for ever if nobody committed it.
		if !f.options.ManualCommit {
			f.committed = i.event.Cursor
		}
		f.noteCommit()
	}
	if f.failed == nil && f.over {
		f.over = false
		f.follow()
	}
	return followItem{}, false, f.failed
}

// remember notes that the handler is given an event; false when it was before. The
// cursor says so much where there is no name.
func (f *follower) remember(id string) bool {
	if f.options.Name == "" {
		return true
	}
	if _, had := f.had[id]; had {
		return false
	}
	f.had[id] = struct{}{}
	f.order = append(f.order, id)
	if len(f.order) > rememberedEvents {
		delete(f.had, f.order[0])
		f.order = f.order[1:]
	}
	return true
}

// commitShare: commits wait for others while events wait to be handled, for this
// part of the window at most.
const commitShare = 4

// commit has the cluster keep a cursor.
func (f *follower) commit(cursor string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.committed = cursor
	f.noteCommit()
}

func (f *follower) noteCommit() {
	if f.committed == "" {
		return
	}
	window := f.options.Window
	if window == 0 {
		window = defaultWindow
	}
	f.unsaid++
	if len(f.items) == 0 || f.options.ManualCommit || f.unsaid >= max(window/commitShare, 1) {
		f.sayCommit()
	}
}

func (f *follower) sayCommit() {
	f.unsaid = 0
	if f.session != nil && f.subscription != "" {
		f.session.out.add(wire.AppendCommit(f.session.out.blank(), &wire.Commit{Subscription: alias(f.subscription), Cursor: alias(f.committed)}))
	}
}

// fail ends Follow with err.
func (f *follower) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
	f.signal()
}

// leave ends the subscription, after the last commit. The channel that it returns is
// closed when the node has said that the commit is kept, or cannot say so any more.
func (f *follower) leave() (kept <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unsaid > 0 {
		f.sayCommit()
	}
	if f.failed == nil {
		f.failed = ErrStop // Whatever answer comes now is for nobody.
	}
	f.items = nil
	return f.unsubscribe()
}
