package sim

import (
	"sync"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/test/history"
)

// listen follows the client's stream, here and there, until the episode ends.
func (c *client) listen() {
	e := c.episode
	random := e.random(actorStreams + c.number)
	var epoch string
	var reached uint64
	for {
		l := e.connect(random)
		if l == nil {
			return
		}
		spec := cluster.StreamSpec{
			Tenant: tenant, ClientID: c.name, DeviceID: "d", Window: 1 + random.Uint32N(16), Hold: random.IntN(2) == 0,
		}
		if epoch != "" && random.IntN(2) == 0 {
			spec.Resume, spec.Epoch, spec.Seq = cluster.ResumeSeq, epoch, reached
		}
		s := &stream{client: c, life: l, news: make(chan struct{}, 1), attached: make(chan cluster.StreamState, 1)}
		e.history.Add(history.Attached{Client: c.name})
		e.tally.count("attachments", 1)
		handle := l.cluster.Attach(spec, s)
		stay := time.Duration(random.Int64N(int64(10 * time.Second)))
		if e.calm.Load() {
			stay = time.Hour
		}
		s.follow(handle, stay)
		s.close()
		handle.Close()
		if state := s.state(); state.Epoch != "" {
			epoch = state.Epoch
		}
		reached = max(reached, s.last())
	}
}

// stream is one socket's part of a client's stream: it implements
// cluster.StreamSink.
type stream struct {
	client   *client
	life     *life
	news     chan struct{}
	attached chan cluster.StreamState

	mu     sync.Mutex
	closed bool
	begun  cluster.StreamState
	seq    uint64
	local  int64 // the time of the last notification that was made in the stream's partition
}

// Attached implements cluster.StreamSink.
func (s *stream) Attached(state cluster.StreamState) {
	s.life.hear(func() {
		s.mu.Lock()
		s.begun = state
		s.mu.Unlock()
		s.attached <- state
	})
}

// Notification implements cluster.StreamSink.
func (s *stream) Notification(n *command.Notification, redelivered bool) {
	s.life.hear(func() { s.notified(n, redelivered) })
}

// Gap implements cluster.StreamSink.
func (s *stream) Gap(from, to uint64, reason string) {
	s.life.hear(func() { s.gap(from, to, reason) })
}

// Synced implements cluster.StreamSink.
func (s *stream) Synced(uint64) {}

// follow acknowledges what comes until the connection ends: by itself after stay,
// with the node, or with the episode. It does not acknowledge at once each time.
func (s *stream) follow(handle cluster.Stream, stay time.Duration) {
	e := s.client.episode
	leave := time.NewTimer(stay)
	defer leave.Stop()
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	acked := uint64(0)
	for {
		select {
		case <-leave.C:
			return
		case <-s.life.over:
			return
		case <-e.ending:
			return
		case state := <-s.attached:
			if state.Reason != command.Done {
				return
			}
			handle.Ready()
		case <-s.news:
			if s.last()%3 != 0 {
				acked = s.acknowledge(handle, acked)
			}
		case <-look.C:
			acked = s.acknowledge(handle, acked)
			if e.calm.Load() && stay != time.Hour {
				return // To stay from now on.
			}
		}
	}
}

// acknowledge acknowledges what came, and returns how far that is.
func (s *stream) acknowledge(handle cluster.Stream, acked uint64) uint64 {
	last := s.last()
	if last > acked {
		handle.Ack(last, nil)
	}
	return last
}

func (s *stream) notified(n *command.Notification, redelivered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	c := s.client
	c.episode.history.Add(history.Notified{
		Client: c.name, Key: string(n.Payload.Bytes), Seq: n.Seq, Name: n.Name, EventID: n.Event.String(),
		CorrelationID: n.CorrelationID, Redelivered: redelivered,
	})
	if c.home() == uint32(n.Event.Partition) {
		if n.TimeMS < s.local {
			c.episode.faultf("%s: time goes back: notification %d is of %d, behind one of %d", c.name, n.Seq, n.TimeMS, s.local)
		}
		s.local = n.TimeMS
	}
	s.seq = max(s.seq, n.Seq)
	s.tell()
}

func (s *stream) gap(from, to uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.client.episode.history.Add(history.Gapped{Client: s.client.name, From: from, To: to, Reason: reason})
	s.seq = max(s.seq, to)
	s.tell()
}

func (s *stream) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *stream) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seq
}

func (s *stream) state() cluster.StreamState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// home is the partition of the client's stream.
func (c *client) home() uint32 {
	return command.PartitionOf(command.SlotOf(tenant, c.name), c.episode.plan.partitions)
}
