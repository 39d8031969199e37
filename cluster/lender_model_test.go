package cluster

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// lender plays a partition's leader towards one subscription: as duty does, with
// plain numbers for its books and the state.
type lender struct {
	partition  uint32
	generation uint64
	registered bool
	free       uint32
	asked      bool
	// in and out are the frames that the link has not delivered yet.
	in, out [][]byte
	// leases are in the state, which outlives leaders; fence numbers them.
	leases map[uint64]bool
	fence  uint64
}

// lenders is a subscription, its worker, and the leaders of its partitions.
type lenders struct {
	*edge

	subscription *subscription
	worker       *worker
	leaders      []*lender
	generation   uint64
	// most is the highest credit that the worker gave since all was settled.
	most uint32
}

func newLenders(partitions, credit uint32) *lenders {
	m := &lenders{edge: newEdge(partitions), most: credit}
	m.subscription, m.worker = m.subscribe(credit)
	for p := range partitions {
		m.leaders = append(m.leaders, &lender{partition: p, leases: make(map[uint64]bool)})
	}
	return m
}

// collect puts what the edge has sent onto the links.
func (m *lenders) collect() {
	for _, s := range m.links.take() {
		f := readFrame(s.data)
		l := m.leaders[f.group-1]
		l.in = append(l.in, s.data)
	}
}

// lead makes a new leader: what was on its way is lost.
func (m *lenders) lead(l *lender) {
	m.generation++
	*l = lender{partition: l.partition, generation: m.generation, leases: l.leases, fence: l.fence}
	m.edge.lead("n2", l.partition, l.generation)
	m.collect()
}

func (l *lender) push(kind frameKind, fields ...func([]byte) []byte) {
	b := command.AppendUint(appendFrame(nil, kind, l.partition+1, l.generation), 1)
	for _, field := range fields {
		b = field(b)
	}
	l.out = append(l.out, b)
}

// serve takes one frame that has arrived at the leader.
func (l *lender) serve() {
	f := readFrame(l.in[0])
	l.in = l.in[1:]
	if f.generation != l.generation {
		return
	}
	switch f.kind { //nolint:exhaustive // What a subscription sends.
	case frameRegister:
		r := readRegistration(&f, "n1")
		l.register(&r)
	case frameLend:
		f.Uint()
		l.lend(f.Uint32())
	case frameRecall:
		f.Uint()
		taken := min(f.Uint32(), l.free)
		l.free -= taken
		l.push(frameReturned, uints(uint64(taken)))
	case frameAsk:
		seq, _, relend := f.Uint(), f.Byte(), f.Uint()
		if relend != 0 {
			l.lend(1)
		}
		fence := f.Uint()
		reason := command.LeaseLost
		if l.leases[fence] {
			delete(l.leases, fence)
			reason = command.Done
		}
		b := command.AppendUint(appendFrame(nil, frameAnswer, l.partition+1, l.generation), seq)
		l.out = append(l.out, append(append(b, byte(statusDone)), result(reason)...))
	}
}

func (l *lender) register(r *duty.Registration) {
	l.registered, l.free, l.asked = true, r.Credit, false
	held := make(map[uint64]bool)
	for _, lease := range r.Held {
		held[lease.Fence] = true
	}
	for fence := range l.leases {
		if !held[fence] {
			l.push(frameJob, job(l.partition, fence))
		}
	}
	l.push(frameRegistered, uints(r.Ordinal))
}

func (l *lender) lend(credit uint32) {
	if l.registered {
		l.free += credit
		l.asked = false
	}
}

// grant leases a job, if there is credit, or asks for some.
func (l *lender) grant() {
	switch {
	case l.free > 0:
		l.free--
		l.fence++
		l.leases[l.fence] = true
		l.push(frameJob, job(l.partition, l.fence))
	case l.registered && !l.asked:
		l.asked = true
		l.push(frameWant)
	}
}

// expire ends a lease that the worker let go.
func (l *lender) expire() {
	for fence := range l.fence + 1 {
		if l.leases[fence] {
			delete(l.leases, fence)
			lease := leaseOf(l.partition, fence)
			l.push(frameCancelJob, func(b []byte) []byte { return command.AppendLeaseID(b, lease) }, text("expired"), uints(0))
			return
		}
	}
}

// deliver carries one frame to the edge.
func (m *lenders) deliver(l *lender) {
	frame := l.out[0]
	l.out = l.out[1:]
	m.Receive("n2", frame)
	m.collect()
}

// end has the worker end one of its jobs.
func (m *lenders) end(at int) {
	lease := m.worker.holds[at]
	m.worker.holds = slices.Delete(m.worker.holds, at, at+1)
	m.subscription.End(lease, command.AppendUint(nil, lease.Fence), nobody{}, 1)
	m.collect()
}

// settle lets all that is on its way arrive.
func (m *lenders) settle() {
	m.links.fails = nil
	for range 3 {
		m.subscription.sweep()
		m.eachLane(func(l *lane) { l.tick(time.Now().Add(time.Second)) }) // What a full link refused is due.
		m.collect()
		for i := 0; i < len(m.leaders); {
			l := m.leaders[i]
			switch {
			case len(l.in) > 0:
				l.serve()
			case len(l.out) > 0:
				m.deliver(l)
			default:
				i++
				continue
			}
			i = 0
		}
		m.renew()
	}
}

// renew has the worker hear of the leases that were lost, and the news with them.
func (m *lenders) renew() {
	m.worker.holds = slices.DeleteFunc(m.worker.holds, func(lease command.LeaseID) bool {
		lost := !m.leaders[lease.Event.Partition].leases[lease.Fence]
		if lost {
			m.subscription.Lost(lease)
		}
		return lost
	})
	m.collect()
}

// audit wants the gateway's books to say what the leaders' say.
func (m *lenders) audit(t *rapid.T) {
	s := m.subscription
	leases := 0
	for i := range s.mu.loans {
		l := m.leaders[i]
		leases += len(l.leases)
		if lent := s.mu.loans[i].lent; lent != l.free {
			t.Fatalf("partition %d: %d are lent, its leader has %d free", i, lent, l.free)
		}
	}
	if int(s.mu.held) != leases || len(m.worker.holds) != leases || len(s.mu.jobs) != leases {
		t.Fatalf("%d leases, %d held, %d known, the worker has %d", leases, s.mu.held, len(s.mu.jobs), len(m.worker.holds))
	}
	if out := s.mu.lent + s.mu.held; out != max(s.mu.credit, s.mu.held) {
		t.Fatalf("%d lent and %d held, of a credit of %d", s.mu.lent, s.mu.held, s.mu.credit)
	}
	m.most = max(s.mu.given, s.mu.held)
}

// TestCreditIsNeverExceeded: whatever leaders grant, ask for and lose with their
// links and leaderships, a worker never has more jobs than the credit it gave, and
// when all has arrived, all of it is lent or held, and both sides know where.
func TestCreditIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newLenders(uint32(rapid.IntRange(1, 3).Draw(t, "partitions")), uint32(rapid.IntRange(0, 6).Draw(t, "credit")))
		draw := func(t *rapid.T) *lender { return rapid.SampledFrom(m.leaders).Draw(t, "leader") }
		for _, l := range m.leaders {
			m.lead(l)
		}
		grant := func(t *rapid.T) { draw(t).grant() }
		serve := func(t *rapid.T) {
			if l := draw(t); len(l.in) > 0 {
				l.serve()
			}
		}
		deliver := func(t *rapid.T) {
			if l := draw(t); len(l.out) > 0 {
				m.deliver(l)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"grant": grant, "grant too": grant, "serve": serve, "serve too": serve, "deliver": deliver, "deliver too": deliver,
			"lead": func(t *rapid.T) { m.lead(draw(t)) },
			"flap": func(*rapid.T) { // The link goes down, and with it all that was on it, and comes up.
				m.LinkDown("n2")
				for _, l := range m.leaders {
					l.in, l.out, l.registered, l.free = nil, nil, false, 0
				}
				m.LinkUp("n2")
				m.collect()
			},
			"end": func(t *rapid.T) {
				if len(m.worker.holds) > 0 {
					m.end(rapid.IntRange(0, len(m.worker.holds)-1).Draw(t, "job"))
				}
			},
			"credit": func(t *rapid.T) {
				credit := uint32(rapid.IntRange(0, 6).Draw(t, "credit"))
				m.most = max(m.most, credit)
				m.subscription.SetCredit(credit)
				m.collect()
			},
			"expire": func(t *rapid.T) { draw(t).expire() },
			"heard":  func(*rapid.T) { m.subscription.Heard(); m.collect() },
			"full":   func(*rapid.T) { m.links.fails = transport.ErrLinkFull },
			"empty":  func(*rapid.T) { m.links.fails = nil },
			"sweep":  func(*rapid.T) { m.subscription.sweep(); m.collect() },
			"settle": func(t *rapid.T) {
				m.settle()
				m.audit(t)
			},
			"": func(t *rapid.T) {
				if uint32(len(m.worker.holds)) > m.most {
					t.Fatalf("the worker has %d jobs and gave a credit of %d", len(m.worker.holds), m.most)
				}
			},
		})
		m.settle()
		m.audit(t)
	})
}
