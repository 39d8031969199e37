package duty

import (
	"log/slog"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TickInterval is how often a leader looks at its lease clock, its timers and
// commands that nobody waits for.
const TickInterval = 20 * time.Millisecond

// Pusher carries what a leader has for gateways. Calls never block; an error
// means that the gateway was certainly not reached.
type Pusher interface {
	PushJob(node string, subscription uint64, job *command.Job) error
	PushCancel(node string, subscription uint64, lease command.LeaseID, reason string, graceMS uint64) error
	// PushRegistered answers a registration, behind the jobs that were pushed again.
	PushRegistered(node string, subscription, ordinal uint64) error
	PushWant(node string, subscription uint64) error
	PushReturned(node string, subscription uint64, credit uint32) error
	PushAttached(node string, stream uint64, state StreamState) error
	PushNotification(node string, stream uint64, notification *command.Notification, redelivered bool) error
	PushGap(node string, stream, from, to uint64, reason string) error
	PushSynced(node string, stream, seq uint64) error
	// PushEvents answers a follower's want.
	PushEvents(node string, follower, after uint64, piece *fsm.FollowPiece) error
}

// Proposer puts a command of the leader's own into the partition's log; Wake
// asks for an entry even with no command, for credit and timers.
type Proposer interface {
	Propose(encoded []byte)
	Wake()
}

// Config is what a partition's duties work with.
type Config struct {
	Partition uint32
	// Node is this member's id.
	Node  string
	State *storage.State
	// Epoch is the epoch of the partition's streams, as clients see it.
	Epoch    func() string
	Pusher   Pusher
	Proposer Proposer
	Relayer  Relayer
	// Feed asks for FeedFollowers to be called until it returns false, soon, on
	// another goroutine. It does not wait.
	Feed   func()
	Logger *slog.Logger
	Now    func() time.Time
}

// Duty is one partition's duties.
type Duty struct {
	config Config

	mu struct {
		sync.Mutex

		leading    bool
		generation uint64
		nextDueMS  int64
		// swept is the last interval of which an entry was asked for to sweep.
		swept int64
		// refused means that the log took no entry: the next tick tries again, not
		// at once, for it may refuse for a while, as during a transfer.
		refused bool
		credit  creditBook
		clock   leaseClock
		pump    pump
		tenants fsm.KnownTenants
		ways    ways
		watch   watch
		relay   relayBook
		follow  followBook
	}
}

// New returns duties that rest until Lead.
func New(config Config) *Duty {
	d := &Duty{config: config}
	d.reset()
	return d
}

// Lead begins a leadership with the state it was given.
func (d *Duty) Lead(started *fsm.Started) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reset()
	d.mu.leading, d.mu.generation = true, started.Generation
	now := d.config.Now()
	for i, lease := range started.Leases {
		// A full term anew, and expiries spread over a tenth of it: a new leader
		// neither takes leases early nor all at once.
		term := time.Duration(lease.LeaseMS) * time.Millisecond
		d.mu.clock.grant(&lease, now.Add(term+term/10*time.Duration(i)/time.Duration(len(started.Leases))))
	}
	for _, backlog := range started.Backlogs {
		d.mu.credit.setBacklog(backlog)
	}
	d.mu.watch = watch{}
	d.mu.watch.learn(started.Bound)
	d.mu.relay.epoch = started.Epoch
	d.relaysChanged(started.Relays)
}

// Resign ends the leadership: credit, clock and attachments are forgotten.
func (d *Duty) Resign() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.leading = false
	d.reset()
}

// Generation is the generation that is led here, 0 for none.
func (d *Duty) Generation() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return 0
	}
	return d.mu.generation
}

// Applied acts on an entry's outcome, after its commit.
func (d *Duty) Applied(outcome *fsm.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return
	}
	d.mu.nextDueMS = outcome.NextDueMS
	now := d.config.Now()
	for i := range outcome.Ended {
		d.ended(&outcome.Ended[i])
	}
	for i := range outcome.Grants {
		d.granted(&outcome.Grants[i], now)
	}
	for i := range outcome.Leftover {
		d.mu.credit.giveBack(&outcome.Leftover[i])
	}
	for i := range outcome.Backlogs {
		d.mu.credit.setBacklog(outcome.Backlogs[i])
	}
	for i := range outcome.Canceling {
		c := &outcome.Canceling[i]
		_ = d.config.Pusher.PushCancel(c.Holder.Node, c.Holder.Session, c.Lease, c.Reason, c.GraceMS)
	}
	for i := range outcome.Notified {
		d.notified(&outcome.Notified[i])
	}
	d.stored(outcome.Stored)
	d.mu.ways.learn(outcome.Led)
	d.mu.watch.learn(outcome.Bound)
	d.relaysChanged(outcome.Relays)
	if outcome.Unswept {
		d.config.Proposer.Wake()
	}
	d.askForCredit(outcome.Backlogs)
	d.useLeftover(outcome.Leftover)
}

// Tick looks at the clock and the timers.
func (d *Duty) Tick(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return
	}
	if over := d.mu.clock.over(now); len(over) > 0 {
		expire := command.Expire{Generation: d.mu.generation, Leases: over}
		d.config.Proposer.Propose(expire.Append(nil))
	}
	if d.mu.refused {
		d.mu.refused = false
		d.config.Proposer.Wake()
	}
	if sweep := now.UnixMilli() / fsm.SweepIntervalMS; sweep > d.mu.swept {
		d.mu.swept = sweep // The next entry sweeps, whatever else is in it.
		d.config.Proposer.Wake()
	}
	if now.UnixMilli() >= d.mu.nextDueMS {
		d.mu.nextDueMS = now.Add(time.Second).UnixMilli() // The entry's outcome says when the next one is due.
		d.config.Proposer.Wake()
	}
	for _, a := range d.mu.pump.revive() {
		d.feed(a)
	}
	for _, l := range d.mu.credit.repay() {
		if l.topic.waiting > 0 {
			d.settle(l.topic)
		}
	}
	d.tickFollowers()
	for t := range d.mu.credit.recalled {
		d.settle(t)
	}
	clear(d.mu.credit.recalled)
	d.tickRelays(now)
	d.tickGone(now)
}

// Forget drops all that a gateway's node has lent and attached: its link is down.
func (d *Duty) Forget(node string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.credit.forget(node)
	d.mu.pump.forget(node)
	d.mu.follow.forget(node)
}

// Renew begins a new term for each lease of ids that is in force, and returns
// the terms in milliseconds, 0 for a lost one. It writes nothing to the log. ok
// is false when this node does not lead.
func (d *Duty) Renew(ids []command.LeaseID, tenant string) (termsMS []uint32, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return nil, false
	}
	now := d.config.Now()
	for _, id := range ids {
		termsMS = append(termsMS, d.mu.clock.renew(id, tenant, now))
	}
	return termsMS, true
}

// Holds tells whether a lease is in force here.
func (d *Duty) Holds(id command.LeaseID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.leading && d.mu.clock.holds(id)
}

// Sockets calls do with each socket that is attached to a client's stream.
func (d *Duty) Sockets(tenant, client string, do func(node string, stream uint64)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for a := range d.mu.pump.sockets(streamKey{tenant, client}) {
		do(a.Node, a.Stream)
	}
}

func (d *Duty) reset() {
	d.mu.credit = newCreditBook(d.config.Node, d.mu.credit.registered)
	d.mu.clock = newLeaseClock()
	d.mu.pump = newPump()
	d.mu.tenants = make(fsm.KnownTenants)
	d.mu.follow = newFollowBook()
	d.mu.relay = relayBook{ways: make(map[uint32]*way)}
	d.mu.nextDueMS, d.mu.refused = 0, false
}

// granted starts the lease's clock and pushes the job; one that cannot be
// delivered goes back uncounted.
func (d *Duty) granted(grant *fsm.Grant, now time.Time) {
	holder, job := &grant.Holder, &grant.Job
	loan := d.mu.credit.used(holder)
	d.mu.clock.grant(&fsm.Lease{ID: job.Lease, Holder: *holder, Tenant: job.Event.Tenant, LeaseMS: job.LeaseMS},
		now.Add(time.Duration(job.LeaseMS)*time.Millisecond))
	if loan != nil {
		if d.config.Pusher.PushJob(holder.Node, holder.Session, job) == nil {
			return
		}
		d.mu.credit.owe(loan)
	}
	d.release(job.Lease)
}

func (d *Duty) release(lease command.LeaseID) {
	release := command.Release{Leases: []command.LeaseID{lease}}
	d.config.Proposer.Propose(release.Append(nil))
}

// ended stops the lease's clock, and tells the gateway of a lost one.
func (d *Duty) ended(end *fsm.Ended) {
	d.mu.clock.end(end.Lease)
	if end.Lost {
		_ = d.config.Pusher.PushCancel(end.Holder.Node, end.Holder.Session, end.Lease, end.Reason, 0)
	}
}
