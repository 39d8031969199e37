package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/transport/wire"
)

// SlowResult is what readers that hang cost the others, and the node. Latencies count
// from when an event was due.
type SlowResult struct {
	Readers int     `json:"readers"`
	Rate    float64 `json:"rate"`
	// Calm is the load alone, Hanging the same beside the slow readers.
	Calm    SlowPhase `json:"calm"`
	Hanging SlowPhase `json:"hanging"`
	// AckRatio and FollowRatio are the p99 beside slow readers to that without.
	AckRatio    float64 `json:"ack_p99_ratio"`
	FollowRatio float64 `json:"follow_p99_ratio"`
	// CutOff is how many of the readers the node hung up on by the end.
	CutOff int `json:"cut_off"`
	// Resident memory of the node, in bytes, collected and at rest: before the calm phase,
	// after it, with the slow readers connected and nothing published, and after that phase.
	Begin     IdleUse `json:"begin"`
	AfterCalm IdleUse `json:"after_calm"`
	Connected IdleUse `json:"connected"`
	AfterSlow IdleUse `json:"after_hanging"`
	// PerSession is what each slow reader takes before it is slow, PerReader what being
	// slow adds, less what the same load added in the calm phase; bytes.
	PerSession float64 `json:"resident_bytes_per_session"`
	PerReader  float64 `json:"resident_bytes_per_slow_reader"`
	// HeapPerReader is PerReader of the Go heap in use alone.
	HeapPerReader float64 `json:"heap_bytes_per_slow_reader"`
}

// SlowPhase is the load of one phase.
type SlowPhase struct {
	Published int `json:"published"`
	Failed    int `json:"failed"`
	// Deliveries is how many followers an event was sent to, on the average: one, the one
	// that reads, where the others hang.
	Deliveries float64    `json:"deliveries_per_event"`
	Ack        Percentile `json:"ack_ms"`
	Follow     Percentile `json:"follow_ms"`
}

func (r *SlowResult) print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "%d readers that hang, beside %.0f durable events/s (failed %d and %d), %d cut off\n\n",
		r.Readers, r.Rate, r.Calm.Failed, r.Hanging.Failed, r.CutOff)
	_, _ = fmt.Fprintf(w, "%-22s %9s %9s %9s %9s %9s %9s\n", "milliseconds", "p50", "p90", "p99", "p99.9", "max", "count")
	for _, line := range []struct {
		name string
		p    Percentile
	}{{"ok, calm", r.Calm.Ack}, {"ok, hanging", r.Hanging.Ack}, {"followed, calm", r.Calm.Follow}, {"followed, hanging", r.Hanging.Follow}} {
		_, _ = fmt.Fprintf(w, "%-22s %9.3f %9.3f %9.3f %9.3f %9.3f %9d\n",
			line.name, line.p.P50, line.p.P90, line.p.P99, line.p.P999, line.p.Max, line.p.Count)
	}
	_, _ = fmt.Fprintf(w, "\np99 hanging = %.2f times calm (ok), %.2f times (followed); an event went to %.2f followers, calm %.2f\n",
		r.AckRatio, r.FollowRatio, r.Hanging.Deliveries, r.Calm.Deliveries)
	_, err := fmt.Fprintf(w, "resident %.1f MB, %.1f MB after calm, %.1f MB with the readers connected, %.1f MB after they hung:\n"+
		"%.2f KB for each session, %.2f KB more for its being slow (heap %.2f KB)\n",
		r.Begin.Resident/1e6, r.AfterCalm.Resident/1e6, r.Connected.Resident/1e6, r.AfterSlow.Resident/1e6,
		r.PerSession/1000, r.PerReader/1000, r.HeapPerReader/1000)
	return err
}

// derive computes what follows from the measurements.
func (r *SlowResult) derive() {
	readers := float64(r.Readers)
	r.AckRatio = ratio(r.Hanging.Ack.P99, r.Calm.Ack.P99)
	r.FollowRatio = ratio(r.Hanging.Follow.P99, r.Calm.Follow.P99)
	r.PerSession = (r.Connected.Resident - r.AfterCalm.Resident) / readers
	r.PerReader = (r.AfterSlow.Resident - r.Connected.Resident - (r.AfterCalm.Resident - r.Begin.Resident)) / readers
	r.HeapPerReader = (r.AfterSlow.Heap - r.Connected.Heap - (r.AfterCalm.Heap - r.Begin.Heap)) / readers
}

// slow is the load beside the slow readers.
type slow struct {
	edge    *edge
	channel string
	clients []*client.Client
	idle    *idle // looks at the node

	mu    sync.Mutex // guards the rest
	phase *slowTally // of what becomes due now
	dues  []slowDue  // by event number
	open  int        // not answered, or not followed
	rest  sync.Cond  // open is 0
}

// slowDue is when an event was due, and in which phase.
type slowDue struct {
	at    time.Time
	phase *slowTally
	seen  bool
}

type slowTally struct {
	published, failed int
	ack, follow       *hdrhistogram.Histogram
}

func newSlowTally() *slowTally { return &slowTally{ack: newHistogram(), follow: newHistogram()} }

func (t *slowTally) result() SlowPhase {
	return SlowPhase{Published: t.published, Failed: t.failed, Ack: percentiles(t.ack), Follow: percentiles(t.follow)}
}

// measureSlow has readers that hang beside a steady load.
func (e *edge) measureSlow(ctx context.Context) (*SlowResult, error) {
	s := &slow{edge: e, channel: "edge." + e.run + ".slow"}
	s.rest.L = &s.mu
	s.idle = &idle{config: &IdleConfig{Node: e.config.Baton.URL, PID: e.config.Baton.PID, Debug: e.config.Baton.Debug}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	following, err := s.connect(ctx, cancel)
	defer s.close(following)
	if err != nil {
		return nil, err
	}
	r := &SlowResult{Readers: e.config.Slow, Rate: e.config.Rate}
	var readers []*edgeLine
	defer func() { closeLines(readers) }()
	for _, step := range []func() error{
		func() error { _, err := s.load(ctx, "warming up", e.config.WarmUp); return err },
		func() (err error) { r.Begin, err = s.idle.settled(ctx); return err },
		func() (err error) { r.Calm, err = s.load(ctx, "calm", e.config.Calm); return err },
		func() (err error) { r.AfterCalm, err = s.idle.settled(ctx); return err },
		func() (err error) { readers, err = s.hang(ctx); return err },
		func() (err error) { r.Connected, err = s.idle.settled(ctx); return err },
		func() error { _, err := s.load(ctx, "filling their sockets", slowFill); return err },
		func() (err error) { r.Hanging, err = s.load(ctx, "with slow readers", e.config.Calm); return err },
		func() (err error) { r.AfterSlow, err = s.idle.settled(ctx); return err },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r.CutOff = countCut(readers)
	r.derive()
	return r, nil
}

// connect connects those that publish, and one that follows and reads.
func (s *slow) connect(ctx context.Context, failed context.CancelCauseFunc) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	stop = cancel
	for range slowPublishers {
		c, err := client.Dial(ctx, client.Options{Nodes: []string{s.edge.config.Baton.URL}, MaxPending: 1 << 16, Name: "bench-" + s.edge.run})
		if err != nil {
			return stop, err
		}
		s.clients = append(s.clients, c)
	}
	began, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := s.clients[0].Follow(ctx, client.FollowOptions{Channel: s.channel, OnBegin: func(string) { close(began) }}, s.followed)
		if err != nil && ctx.Err() == nil {
			failed(fmt.Errorf("the follower: %w", err))
		}
	}()
	stop = func() { cancel(); <-done }
	select {
	case <-began:
		return stop, nil
	case <-ctx.Done():
		return stop, context.Cause(ctx)
	}
}

func (s *slow) close(stop func()) {
	stop()
	var wait sync.WaitGroup
	for _, c := range s.clients {
		wait.Go(func() { _ = c.Close() })
	}
	wait.Wait()
}

// load publishes each event when it is due for one phase, and waits for all answers and
// for the follower.
func (s *slow) load(ctx context.Context, name string, howLong time.Duration) (SlowPhase, error) {
	s.edge.say("slow: %s for %v", name, howLong)
	sent, err := s.sent(ctx)
	if err != nil {
		return SlowPhase{}, err
	}
	tally := newSlowTally()
	s.mu.Lock()
	s.phase = tally
	s.mu.Unlock()
	interval := time.Duration(float64(time.Second) / s.edge.config.Rate)
	begin := time.Now()
	for k := 0; ; k++ {
		due := begin.Add(time.Duration(k) * interval)
		if due.Sub(begin) >= howLong {
			break
		}
		if wait := time.Until(due); wait > 0 {
			if err = pause(ctx, wait); err != nil {
				return SlowPhase{}, err
			}
		}
		if err = s.publish(ctx, due); err != nil {
			return SlowPhase{}, err
		}
	}
	phase, err := s.finish(ctx, tally)
	if err != nil {
		return phase, err
	}
	sentAfter, err := s.sent(ctx)
	phase.Deliveries = ratio(sentAfter-sent, float64(phase.Published))
	return phase, err
}

// sent is how many events the node has sent to whoever follows.
func (s *slow) sent(ctx context.Context) (events float64, err error) {
	err = readMetrics(ctx, nil, s.edge.config.Baton.URL, "", map[string]*float64{`baton_gateway_sent_messages_total{type="event"}`: &events})
	return events, err
}

// finish waits until nothing is open.
func (s *slow) finish(ctx context.Context, tally *slowTally) (SlowPhase, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, edgeTimeout, errNotAll)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rest.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 {
		if ctx.Err() != nil {
			return SlowPhase{}, fmt.Errorf("%w: %d open", context.Cause(ctx), s.open)
		}
		s.rest.Wait()
	}
	return tally.result(), nil
}

var errNotAll = errors.New("not everything was answered and followed in time")

// publish publishes an event whose data begins with its number.
func (s *slow) publish(ctx context.Context, due time.Time) error {
	s.mu.Lock()
	number, phase := len(s.dues), s.phase
	s.dues = append(s.dues, slowDue{at: due, phase: phase})
	phase.published++
	s.open += 2
	s.mu.Unlock()
	text := strconv.Itoa(number)
	data := text + strings.Repeat(" ", max(0, s.edge.config.Size-2-len(text)))
	event := client.Event{Channel: s.channel, Key: "key-" + strconv.Itoa(number%backlogKeys), Data: data}
	return s.clients[number%len(s.clients)].PublishAsync(context.WithoutCancel(ctx), event, func(_ client.Receipt, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			phase.failed++
			s.ended(2) // It is not followed either.
			return
		}
		record(phase.ack, time.Since(due).Nanoseconds())
		s.ended(1)
	})
}

// followed is told of an event by the reader that reads.
func (s *slow) followed(_ context.Context, e *client.FollowedEvent) error {
	now := time.Now()
	number, err := strconv.Atoi(strings.Trim(e.Data.String(), "\" "))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || number < 0 || number >= len(s.dues) || s.dues[number].seen {
		return nil
	}
	due := &s.dues[number]
	due.seen = true
	record(due.phase.follow, now.Sub(due.at).Nanoseconds())
	s.ended(1)
	return nil
}

// ended books answers. The lock is held.
func (s *slow) ended(count int) {
	if s.open -= count; s.open <= 0 {
		s.rest.Broadcast()
	}
}

const (
	// slowReceiveBuffer is how much of what is not read the client's side of a socket takes,
	// as far as the system lets it be so small.
	slowReceiveBuffer = 2048
	// slowSegment is the largest TCP segment to a slow reader.
	slowSegment = 1000
	// slowFill is how long the load fills the sockets before it is measured, in which what
	// they take is an ordinary fan-out.
	slowFill = 5 * time.Second
)

// hang opens the sessions that follow the channel and never read again. Each has a
// client id, and so a stream.
func (s *slow) hang(ctx context.Context) ([]*edgeLine, error) {
	s.edge.say("slow: connecting %d readers", s.edge.config.Slow)
	d := newBatonDialect(s.edge, wire.JSON)
	d.channel, d.slow = []byte(s.channel), true
	return s.edge.openAll(ctx, d, s.edge.config.Slow, func(l *edgeLine) error {
		_ = l.conn.SetDeadline(time.Now().Add(edgeTimeout))
		return d.follower(l)
	})
}

// slowLook is how long a socket that may still be open is read at the end.
const slowLook = 50 * time.Millisecond

// countCut counts the lines that the node has ended.
func countCut(lines []*edgeLine) int {
	var cut atomic.Int64
	var wait sync.WaitGroup
	for _, l := range lines {
		wait.Go(func() {
			_ = l.conn.SetReadDeadline(time.Now().Add(slowLook))
			_, err := io.Copy(io.Discard, l.conn)
			var timeout net.Error
			if err == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
				cut.Add(1)
			}
		})
	}
	wait.Wait()
	return int(cut.Load())
}
