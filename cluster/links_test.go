package cluster

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// tester is what a test of either kind offers.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// links stands in for the transport: what this node sends is kept, in order.
type links struct {
	transport.Transport

	mu   sync.Mutex
	sent []sentFrame
	// fails is what Send returns, for frames of the kinds in failing; for all
	// when there are none.
	fails   error
	failing []frameKind
	// chunks is what was sent for chunks, unless chunksFail.
	chunks     []sentFrame
	chunksFail bool
}

type sentFrame struct {
	to   transport.NodeID
	data []byte
}

// Send implements transport.Transport.
func (l *links) Send(to transport.NodeID, frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil && (len(l.failing) == 0 || slices.Contains(l.failing, frameKind(frame[0]))) {
		return l.fails
	}
	l.sent = append(l.sent, sentFrame{to, slices.Clone(frame)})
	return nil
}

// SendChunk implements transport.Transport.
func (l *links) SendChunk(to transport.NodeID, frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chunksFail {
		return transport.ErrLinkFull
	}
	l.chunks = append(l.chunks, sentFrame{to, slices.Clone(frame)})
	return nil
}

// edge is the edge of a node called n1, with leaders elsewhere that the test
// plays.
type edge struct {
	*Cluster

	links *links
}

func newEdge(partitions uint32) *edge {
	e := &edge{Cluster: New(Config{Self: command.Member{ID: "n1"}, Logger: slog.New(slog.DiscardHandler)}), links: &links{}}
	e.transport = e.links
	e.nextID.Store(0)
	lanes := make([]*lane, partitions+1)
	for i := range lanes {
		lanes[i] = newLane(uint32(i), 0, e.send)
	}
	e.lanes.Store(&lanes)
	e.formation.Store(&members.Formation{ClusterID: "cluster1", Partitions: partitions, Replicas: 3})
	return e
}

// lead has a node say that it leads a partition.
func (e *edge) lead(node transport.NodeID, partition uint32, generation uint64) {
	e.Receive(node, leadFrame(partition+1, generation, string(node)))
}

// push has a leader send a frame whose fields are appended by each of fields.
func (e *edge) push(kind frameKind, partition uint32, generation, id uint64, fields ...func([]byte) []byte) {
	b := command.AppendUint(appendFrame(nil, kind, partition+1, generation), id)
	for _, field := range fields {
		b = field(b)
	}
	e.Receive("n2", b)
}

func uints(values ...uint64) func([]byte) []byte {
	return func(b []byte) []byte {
		for _, v := range values {
			b = command.AppendUint(b, v)
		}
		return b
	}
}

func text(s string) func([]byte) []byte {
	return func(b []byte) []byte { return command.AppendString(b, s) }
}

func job(partition uint32, fence uint64) func([]byte) []byte {
	return func(b []byte) []byte { return command.AppendJob(b, &command.Job{Lease: leaseOf(partition, fence)}) }
}

func leaseOf(partition uint32, fence uint64) command.LeaseID {
	return command.LeaseID{Event: command.EventID{Partition: uint16(partition), Position: fence}, Fence: fence}
}

// hears wants exactly these lines to have been sent since the last look.
func (e *edge) hears(tb tester, want ...string) {
	tb.Helper()
	var heard []string
	for _, s := range e.links.take() {
		heard = append(heard, describe(s))
	}
	if !slices.Equal(heard, want) {
		tb.Fatalf("sent\n  %s\nwant\n  %s", strings.Join(heard, "\n  "), strings.Join(want, "\n  "))
	}
}

// describe is a frame of an edge as a line: to whom, what, generation, fields.
func describe(s sentFrame) string {
	f := readFrame(s.data)
	head := func(kind string) string {
		return fmt.Sprintf("%s: %s, partition %d of %d", s.to, kind, int(f.group)-1, f.generation)
	}
	switch f.kind { //nolint:exhaustive // What an edge sends.
	case frameAsk:
		seq, what, relend := f.Uint(), f.Byte(), f.Uint()
		return fmt.Sprintf("%s, seq %d op %d relend %t %s", head("ask"), seq, what, relend != 0, f.Rest())
	case frameLazy:
		return head("lazy")
	case frameRegister:
		r := readRegistration(&f, "n1")
		return fmt.Sprintf("%s, credit %d held %d", head("register"), r.Credit, len(r.Held))
	case frameLend:
		_, credit := f.Uint(), f.Uint()
		return fmt.Sprintf("%s, %d", head("lend"), credit)
	case frameRecall:
		_, credit := f.Uint(), f.Uint()
		return fmt.Sprintf("%s, %d", head("recall"), credit)
	case frameUnregister:
		return head("unregister")
	case frameAttach:
		a := readAttachment(&f, "n1")
		return fmt.Sprintf("%s, from %d seq %d acked %d again %t synced %t hold %t",
			head("attach"), a.From, a.Seq, a.Acked, a.Again, a.Synced, a.Hold)
	case frameStreamReady:
		return head("ready")
	case frameAcked:
		_, seq := f.Uint(), f.Uint()
		return fmt.Sprintf("%s, %d", head("acked"), seq)
	case frameDetach:
		return head("detach")
	case frameFollow:
		w := readWant(&f, "n1")
		return fmt.Sprintf("%s, after %d told %d events %d", head("follow"), w.After, w.Told, w.Events)
	case frameUnfollow:
		return head("unfollow")
	default:
		return fmt.Sprintf("%s of %d bytes", head(fmt.Sprintf("kind %d", f.kind)), len(s.data))
	}
}

func check(tb tester, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

// take returns what was sent since the last look.
func (l *links) take() []sentFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	l.sent = nil
	return sent
}

// takeChunks returns what was sent for chunks since the last look.
func (l *links) takeChunks() []sentFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.chunks
	l.chunks = nil
	return sent
}
