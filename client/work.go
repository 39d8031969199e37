package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// Defaults of WorkOptions.
const (
	DefaultCredit = 16
	DefaultGrace  = 10 * time.Second
)

// From is where a new consumer group begins.
type From string

// The beginnings of a group.
const (
	// FromNew begins with what is published once Work has begun.
	FromNew From = "new"
	// FromEarliest begins with the oldest event that the cluster has.
	FromEarliest From = "earliest"
)

// defaultGroup is the group that every channel has.
const defaultGroup = "default"

// fields is From as it is sent.
func (f From) fields() wire.From {
	switch f {
	case FromNew:
		return wire.From{Kind: wire.FromNew}
	case FromEarliest:
		return wire.From{Kind: wire.FromEarliest}
	default:
		return wire.From{}
	}
}

// WorkOptions say which jobs to take. Only Channel is required.
type WorkOptions struct {
	Channel string
	// Group is the consumer group; empty means "default". Each group of a channel
	// gets every event once. One that does not exist is made.
	Group string
	// From is where a group begins that is made now: empty means FromNew. The group
	// "default" takes none, it begins with the channel's first event.
	From From
	// Credit is how many jobs are worked on at a time; 0 means DefaultCredit.
	Credit int
	// Lease is how long a job may be without a sign of life before another
	// worker gets it; 0 leaves it to the channel. It is renewed all the while.
	Lease time.Duration
	// Grace is how long jobs may go on after Work's context ended; then theirs
	// ends too. 0 means DefaultGrace, negative none.
	Grace time.Duration
	// Report, if not nil, is told how each job ended: nil for completed, else the
	// handler's error, ErrLeaseLost, or why the cluster refused the completion.
	// It is called from the job's goroutine.
	Report func(*Job, error)
}

// Handler does a job. Its context ends, with the reason as its cause, when the
// lease is lost, the event is canceled, or the worker stops.
type Handler func(ctx context.Context, job *Job) error

// Work does the jobs of a channel until ctx ends: then it takes no more, gives
// back what has not begun, lets the rest finish within Grace, and
// returns nil. It returns an error when the subscription is refused for good or
// the Client ends. A handler's panic fails its job.
func (c *Client) Work(ctx context.Context, options WorkOptions, handler Handler) error {
	w, err := newWorker(ctx, c, options, handler)
	if err != nil {
		return err
	}
	if err = c.enlist(w); err != nil {
		return err
	}
	defer c.dismiss(w)
	renewals := make(chan struct{})
	go func() {
		defer close(renewals)
		w.renewUntil(w.quit)
	}()
	select {
	case <-ctx.Done():
		err = nil
	case err = <-w.failed:
	}
	w.wind(err)
	close(w.quit)
	<-renewals
	return err
}

// enlist makes a worker known, so that sessions to come subscribe it, and
// subscribes it in the one there is.
func (c *Client) enlist(w *worker) error {
	c.mu.Lock()
	if c.closed != nil {
		defer c.mu.Unlock()
		return c.closed
	}
	c.workers = append(slices.Clone(c.workers), w)
	s := c.session
	c.mu.Unlock()
	if s != nil {
		w.attach(s)
	}
	return nil
}

func (c *Client) dismiss(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers = slices.DeleteFunc(slices.Clone(c.workers), func(other *worker) bool { return other == w })
}

func (c *Client) staff() []*worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

// job hands a job to its worker. A job that has none any more goes back.
func (c *Client) job(s *session, m *wire.Job) {
	for _, w := range c.staff() {
		if w.accept(s, m) {
			return
		}
	}
	s.out.add(wire.AppendRelease(s.out.blank(), &wire.Release{Lease: m.Lease}))
}

func (c *Client) renewed(m *wire.Renewed) {
	for _, w := range c.staff() {
		w.renewed(m)
	}
}

// canceled ends a job at the cluster's wish.
func (c *Client) canceled(m *wire.Cancel) {
	for _, w := range c.staff() {
		if w.cancel(m) {
			return
		}
	}
}

// CanceledError is the cause of the context of a job that the cluster wants
// stopped. What the handler returns within the grace still counts.
type CanceledError struct {
	Reason string
	Grace  time.Duration
}

// Error implements error.
func (e *CanceledError) Error() string { return "client: the job is canceled: " + e.Reason }

func (o *WorkOptions) check() error {
	switch {
	case !wire.ValidName(o.Channel):
		return refuse(wire.ReasonBadRequest, "channel %q must be 1 to 255 of letters, digits, dot, _ and -", o.Channel)
	case o.Group != "" && !wire.ValidName(o.Group):
		return refuse(wire.ReasonBadRequest, "group %q must be 1 to 255 of letters, digits, dot, _ and -", o.Group)
	case o.From != "" && o.From != FromNew && o.From != FromEarliest:
		return refuse(wire.ReasonBadRequest, "a group begins from %q or %q, not %q", FromNew, FromEarliest, o.From)
	case o.From != "" && (o.Group == "" || o.Group == defaultGroup):
		return refuse(wire.ReasonBadRequest, "from is for other groups than default, which begins with the channel's first event")
	case o.Credit < 0 || o.Lease < 0:
		return errors.New("client: Credit and Lease must not be negative")
	}
	orDefault(&o.Credit, DefaultCredit)
	orDefault(&o.Grace, DefaultGrace)
	return nil
}
