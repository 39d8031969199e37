package gateway

import (
	"context"
	"sync"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

const fakePartitions = 8

// submission is one command the fake was given.
type submission struct {
	partition uint32
	prefix    command.Prefix
	encoded   []byte
	to        Replier
	slot      uint64
	through   string // the call: submit, end
}

func (s submission) reader() *command.Reader {
	_, r := command.ReadPrefix(s.encoded)
	return &r
}

func (s submission) publish() command.Publish {
	var p command.Publish
	p.Decode(s.reader())
	return p
}

func (s submission) complete() command.Complete {
	var p command.Complete
	p.Decode(s.reader())
	return p
}

func (s submission) release() command.Release {
	var p command.Release
	p.Decode(s.reader())
	return p
}

// reply answers the submission.
func (s submission) reply(result command.Result) { s.to.Reply(s.slot, &result) }

// fakeBroker is a cluster in memory: it answers in the call, or not at all
// where a test wants to do it.
type fakeBroker struct {
	key []byte

	mu          sync.Mutex
	partitions  uint32
	hold        bool // do not answer submissions
	position    uint64
	result      command.Result // what else is answered
	submissions chan submission
	subscribed  chan *fakeSubscription
	ensures     chan ensureCall
	attached    chan *fakeStream
	renewals    chan renewCall
	followed    chan *fakeFollower
	tokens      fakeTokens
	clients     fakeClients
	holdFollow  bool
	state       StreamState
	holdAttach  bool
	terms       func(command.LeaseID) uint32
	ready       error
	// settings are those of every channel; rivals change them just before.
	settings command.ChannelSettings
	rivals   int
	// limits are those of every tenant.
	limits command.TenantSettings
	// workflows are those that were applied.
	workflows fakeWorkflows
	runs      fakeRuns
	schedules fakeSchedules
	// credentials are what is listed.
	credentials cluster.Credentials
}

type renewCall struct {
	partition uint32
	tenant    string
	leases    []command.LeaseID
	to        Renewer
	slot      uint64
}

func newFakeBroker() *fakeBroker {
	return &fakeBroker{
		key:         []byte("a key of a cluster"),
		partitions:  fakePartitions,
		submissions: make(chan submission, 10000),
		subscribed:  make(chan *fakeSubscription, 100),
		ensures:     make(chan ensureCall, 100),
		attached:    make(chan *fakeStream, 100),
		renewals:    make(chan renewCall, 1000),
		followed:    make(chan *fakeFollower, 100),
		tokens:      newFakeTokens(),
		runs:        newFakeRuns(),
		schedules:   newFakeSchedules(),
		state:       StreamState{Epoch: "e1", Head: 5, Oldest: 2, Resumed: ResumedFull},
		terms:       func(command.LeaseID) uint32 { return 30000 },
	}
}

func (b *fakeBroker) Partitions() uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.partitions
}

func (b *fakeBroker) Submit(partition uint32, encoded []byte, to Replier, slot uint64) {
	b.submit("submit", partition, encoded, to, slot)
}

func (b *fakeBroker) CancelLineage(encoded []byte, to Replier, slot uint64) {
	b.submit("every", 0, encoded, to, slot)
}

func (b *fakeBroker) SubmitLazy(partition uint32, encoded []byte) {
	b.submissions <- submission{partition: partition, encoded: append([]byte(nil), encoded...), through: "lazy"}
}

func (b *fakeBroker) Renew(partition uint32, tenant string, leases []command.LeaseID, to Renewer, slot uint64) {
	call := renewCall{partition, tenant, append([]command.LeaseID(nil), leases...), to, slot}
	b.mu.Lock()
	hold, terms := b.hold, b.terms
	b.mu.Unlock()
	b.renewals <- call
	if !hold {
		call.answer(terms)
	}
}

func (r renewCall) answer(terms func(command.LeaseID) uint32) {
	var all []uint32
	for _, lease := range r.leases {
		all = append(all, terms(lease))
	}
	r.to.Renewed(r.slot, r.leases, all)
}

// fakeSubscription records what a subscription is told.
type fakeSubscription struct {
	broker  *fakeBroker
	spec    SubscriptionSpec
	sink    JobSink
	credits chan uint32
	lost    chan command.LeaseID
	heard   chan struct{}
	closed  chan struct{}
	// slow is called before a credit is taken note of, unless it is nil.
	slow func(credit uint32)
}

func (b *fakeBroker) Subscribe(spec SubscriptionSpec, sink JobSink) Subscription {
	s := &fakeSubscription{
		broker: b, spec: spec, sink: sink,
		credits: make(chan uint32, 100), lost: make(chan command.LeaseID, 100), heard: make(chan struct{}, 100), closed: make(chan struct{}),
	}
	b.subscribed <- s
	return s
}

// ensureCall is one group that was asked for.
type ensureCall struct {
	GroupSpec

	to   Replier
	slot uint64
}

func (b *fakeBroker) EnsureGroup(spec *GroupSpec, to Replier, slot uint64) {
	b.mu.Lock()
	result, hold := b.result, b.hold
	b.mu.Unlock()
	b.ensures <- ensureCall{*spec, to, slot}
	if !hold {
		to.Reply(slot, &result)
	}
}

func (s *fakeSubscription) SetCredit(credit uint32) {
	if s.slow != nil {
		s.slow(credit)
	}
	s.credits <- credit
}

func (s *fakeSubscription) End(lease command.LeaseID, encoded []byte, to Replier, slot uint64) {
	s.broker.submit("end", uint32(lease.Event.Partition), encoded, to, slot)
}

func (s *fakeSubscription) Lost(lease command.LeaseID) { s.lost <- lease }
func (s *fakeSubscription) Heard()                     { s.heard <- struct{}{} }
func (s *fakeSubscription) Close()                     { close(s.closed) }

// fakeStream records what a stream is told.
type fakeStream struct {
	spec   StreamSpec
	sink   StreamSink
	ready  chan struct{}
	acks   chan fakeAck
	closed chan struct{}
}

type fakeAck struct {
	seq       uint64
	delivered []command.Delivery
}

func (b *fakeBroker) Attach(spec StreamSpec, sink StreamSink) Stream {
	s := &fakeStream{
		spec: spec, sink: sink,
		ready: make(chan struct{}, 10), acks: make(chan fakeAck, 1000), closed: make(chan struct{}),
	}
	b.mu.Lock()
	state, hold := b.state, b.holdAttach
	b.mu.Unlock()
	if !hold {
		sink.Attached(state)
	}
	b.attached <- s
	return s
}

func (s *fakeStream) Ready() { s.ready <- struct{}{} }
func (s *fakeStream) Ack(seq uint64, delivered []command.Delivery) {
	s.acks <- fakeAck{seq, append([]command.Delivery(nil), delivered...)}
}
func (s *fakeStream) Close() { close(s.closed) }

func (b *fakeBroker) AppendLease(dst []byte, lease command.LeaseID) []byte {
	return command.AppendLeaseToken(dst, lease, b.key)
}

func (b *fakeBroker) ParseLease(token []byte) (command.LeaseID, error) {
	return command.ParseLeaseToken(token, b.key)
}

func (b *fakeBroker) Trace(_ context.Context, tenant, correlationID string) ([]byte, error) {
	if correlationID == "missing" {
		return nil, ErrNotFound
	}
	return []byte(`{"tenant":"` + tenant + `","correlation_id":"` + correlationID + `"}`), nil
}

func (b *fakeBroker) Credentials(context.Context) (cluster.Credentials, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.credentials, nil
}

func (b *fakeBroker) ChangeCredentials(_ context.Context, encoded []byte) (command.Result, error) {
	b.mu.Lock()
	result := b.result
	b.mu.Unlock()
	prefix, _ := command.ReadPrefix(encoded)
	b.submissions <- submission{prefix: prefix, encoded: append([]byte(nil), encoded...), through: "credentials"}
	if result.Reason != command.Done {
		return result, &cluster.RefusedError{Result: result}
	}
	return result, nil
}

func (b *fakeBroker) Status(context.Context) ([]byte, error) { return []byte(`{"members":[]}`), nil }

func (b *fakeBroker) Ready(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}
func (b *fakeBroker) Epoch(uint32) string { return "e1" }
func (b *fakeBroker) ClientURLs() []string {
	return []string{"http://127.0.0.1:7700", "https://two.example.com:7710/"}
}

func (b *fakeBroker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *fakeBroker) submit(through string, partition uint32, encoded []byte, to Replier, slot uint64) {
	prefix, _ := command.ReadPrefix(encoded)
	s := submission{partition, prefix, append([]byte(nil), encoded...), to, slot, through}
	b.mu.Lock()
	b.position++
	result, hold := b.result, b.hold
	if prefix.Kind == command.KindPublish && result.Reason == command.Done {
		result.Event = command.EventID{Epoch: 1, Partition: uint16(partition), Queue: 1, Position: b.position}
		result.Offset = b.position
	}
	b.mu.Unlock()
	b.submissions <- s
	if !hold {
		to.Reply(slot, &result)
	}
}
