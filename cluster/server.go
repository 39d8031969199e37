package cluster

import (
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// LinkUp implements transport.Handler: both sides say what they lead, and what
// was asked of the peer is asked again.
func (c *Cluster) LinkUp(peer transport.NodeID) {
	c.mu.Lock()
	c.mu.linked[peer] = time.Now()
	c.mu.Unlock()
	c.mu.RLock()
	for id, g := range c.mu.groups {
		if generation := g.serving.Load(); generation != 0 {
			_ = c.send(peer, leadFrame(id, generation, c.config.Self.ID))
		}
	}
	c.mu.RUnlock()
	c.eachLane(func(l *lane) {
		if leader, generation, _ := l.current(); leader == peer {
			c.follow(l, generation)
		}
	})
}

// LinkDown implements transport.Handler.
func (c *Cluster) LinkDown(peer transport.NodeID) {
	c.mu.Lock()
	delete(c.mu.linked, peer)
	c.mu.Unlock()
	c.eachLane(func(l *lane) { l.linkDown(peer) })
	for _, g := range c.allGroups() {
		if g.duty != nil {
			g.duty.Forget(string(peer))
			g.board.Forget(string(peer))
		}
	}
}

func (c *Cluster) eachLane(do func(*lane)) {
	if lanes := c.lanes.Load(); lanes != nil {
		for _, l := range *lanes {
			do(l)
		}
	}
}

func leadFrame(group uint32, generation uint64, leader string) []byte {
	return command.AppendString(appendFrame(nil, frameLead, group, generation), leader)
}

// leads tells everybody, this node too, that it serves a generation.
func (c *Cluster) leads(group uint32, generation uint64) {
	frame := leadFrame(group, generation, c.config.Self.ID)
	_ = c.send(transport.NodeID(c.config.Self.ID), frame)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for peer := range c.mu.linked {
		_ = c.send(peer, frame) // One that is not linked is told at LinkUp.
	}
}

// follow registers everything of a lane's group with its leader, then lets the
// requests flow.
func (c *Cluster) follow(l *lane, generation uint64) {
	if l.group != MetaGroup {
		for _, s := range c.allSubscriptions() {
			s.register(l.group-1, generation)
		}
		for _, courier := range c.allCouriers() {
			courier.register(l.group-1, generation)
		}
		for _, f := range c.allFollowers() {
			f.register(l.group-1, generation)
		}
		c.tokens.follow(l.group-1, generation)
	}
	l.resume()
}

// Receive implements transport.Handler: one exhaustive switch over the frames.
//
//nolint:revive // A line for each kind.
func (c *Cluster) Receive(peer transport.NodeID, data []byte) {
	f := readFrame(data)
	if f.Err() != nil {
		return
	}
	switch f.kind {
	case frameLead:
		c.learnLeader(&f)
	case frameAnswer:
		if l := c.groupLane(f.group); l != nil {
			l.answer(&f)
		}
	case frameAsk:
		c.serveAsk(peer, &f)
	case frameLazy:
		if g := c.group(f.group); g != nil && g.serves(f.generation) {
			g.submitLazy(append([]byte(nil), f.Rest()...))
		}
	case frameRegister, frameLend, frameRecall, frameUnregister, frameAttach, frameStreamReady, frameAcked, frameDetach:
		c.serveEdge(peer, &f)
	case frameFollow, frameUnfollow:
		c.serveFollower(peer, &f)
	case frameRegistered, frameWant, frameReturned, frameJob, frameCancelJob:
		c.receivePush(&f)
	case frameAttached, frameNotify, frameGap, frameSynced:
		c.receiveStream(&f)
	case frameEvents:
		c.receiveEvents(&f)
	case frameWrite, frameTook, frameRead, frameUnread, framePiece, frameAnnounce, frameAnnounced:
		// These come by ReceiveChunk.
	default:
		// A newer node's frame: what it wants has a deadline of its own.
	}
}

func (c *Cluster) learnLeader(f *frame) {
	leader := transport.NodeID(f.String())
	if l := c.groupLane(f.group); l != nil && f.Err() == nil && l.lead(leader, f.generation) {
		c.follow(l, f.generation)
	}
}

// receiveStream hands a leader's word to the courier it is for, or says again
// that it is gone.
func (c *Cluster) receiveStream(f *frame) {
	id := f.Uint()
	if courier := c.courier(id); courier != nil {
		courier.receive(f)
	} else if f.kind == frameNotify {
		c.tellGone(frameDetach, f, id)
	}
}

// receivePush hands a leader's word to the subscription it is for. A job for
// one that is gone goes back.
func (c *Cluster) receivePush(f *frame) {
	if f.group == MetaGroup || f.group > c.Partitions() {
		return
	}
	id := f.Uint()
	s := c.subscription(id)
	if s == nil {
		if f.kind == frameJob {
			job := f.Job()
			if f.Err() == nil {
				c.giveBack(job.Lease)
			}
			c.tellGone(frameUnregister, f, id)
		}
		return
	}
	partition := f.group - 1
	switch f.kind { //nolint:exhaustive // Receive has chosen these.
	case frameRegistered:
		s.registered(partition, f.generation, f.Uint())
	case frameWant:
		s.want(partition, f.generation)
	case frameReturned:
		s.returned(partition, f.generation, f.Uint32())
	case frameJob:
		if job := f.Job(); f.Err() == nil {
			s.job(partition, f.generation, &job)
		}
	case frameCancelJob:
		if lease, reason, grace := f.LeaseID(), f.String(), f.Uint(); f.Err() == nil {
			s.cancelJob(lease, reason, grace)
		}
	}
}

// tellGone says again what the sender of a frame was told in vain, on a full
// link: that its subscription, or stream, is no more.
func (c *Cluster) tellGone(kind frameKind, f *frame, id uint64) {
	if l := c.groupLane(f.group); l != nil {
		gone := command.AppendUint(appendFrame(nil, kind, f.group, f.generation), id)
		_ = l.tell(f.generation, gone) // The next push brings it again.
	}
}

// giveBack releases a job that no worker here will do.
func (c *Cluster) giveBack(lease command.LeaseID) {
	release := command.Release{Leases: []command.LeaseID{lease}}
	c.SubmitLazy(uint32(lease.Event.Partition), release.Append(nil))
}

// serveEdge hands an edge's word to the duties of the group's leader.
func (c *Cluster) serveEdge(peer transport.NodeID, f *frame) {
	g := c.group(f.group)
	if g == nil || g.duty == nil || !g.serves(f.generation) {
		return
	}
	node := string(peer)
	switch f.kind { //nolint:exhaustive // Receive has chosen these.
	case frameRegister:
		if r := readRegistration(f, node); f.Err() == nil {
			g.duty.Register(&r)
		}
	case frameAttach:
		if a := readAttachment(f, node); f.Err() == nil {
			g.duty.Attach(&a)
		}
	case frameLend:
		g.duty.Lend(node, f.Uint(), f.Uint32())
	case frameRecall:
		g.duty.Recall(node, f.Uint(), f.Uint32())
	case frameUnregister:
		g.duty.Unregister(node, f.Uint())
	case frameStreamReady:
		g.duty.Ready(node, f.Uint())
	case frameAcked:
		g.duty.Acked(node, f.Uint(), f.Uint())
	case frameDetach:
		g.duty.Detach(node, f.Uint())
	}
}

// serveFollower hands a follower's word to the duties of the group's leader.
func (c *Cluster) serveFollower(peer transport.NodeID, f *frame) {
	g := c.group(f.group)
	if g == nil || g.duty == nil || !g.serves(f.generation) {
		return
	}
	want := readWant(f, string(peer))
	switch {
	case f.Err() != nil:
	case f.kind == frameFollow:
		g.duty.Follow(&want)
	default: // It has the follower's id and no more.
		g.duty.Unfollow(want.Node, want.Follower)
	}
}

// serveAsk answers a request to a group that this node may lead.
func (c *Cluster) serveAsk(peer transport.NodeID, f *frame) {
	seq, what, relend := f.Uint(), op(f.Byte()), f.Uint()
	way := answerTo{cluster: c, peer: peer, group: f.group, generation: f.generation, seq: seq}
	if f.Err() != nil {
		return
	}
	g := c.group(f.group)
	if g == nil || !g.serves(f.generation) {
		way.status(statusNotLeader)
		return
	}
	switch what {
	case opCommand:
		if relend != 0 && g.duty != nil {
			g.duty.Lend(string(peer), relend, 1)
		}
		g.submit(append([]byte(nil), f.Rest()...), way.result)
	case opRenew:
		if ids, tenant := readLeaseIDs(&f.Reader), f.String(); f.Err() == nil {
			way.renewed(g, ids, tenant)
		}
	case opTrace, opLetters, opEvent, opMembers, opSettings, opChannels, opFollow, opCredentials, opClient,
		opWorkflows, opWorkflow, opDefinition, opDefinitions, opWhy, opRun, opRuns, opTenant, opSchedule,
		opSchedules:
		way.serveLook(g, what, &f.Reader)
	case opRunEnd:
		way.serveRunEnd(g, &f.Reader)
	default:
		way.status(statusNotLeader)
	}
}

// answerTo is the way back of one ask.
type answerTo struct {
	cluster    *Cluster
	peer       transport.NodeID
	group      uint32
	generation uint64
	seq        uint64
}

func (a answerTo) begin(how status) []byte {
	b := appendFrame(nil, frameAnswer, a.group, a.generation)
	return append(command.AppendUint(b, a.seq), byte(how))
}

func (a answerTo) send(frame []byte) {
	_ = a.cluster.send(a.peer, frame) // Without a link the asker asks again.
}

func (a answerTo) status(how status) { a.send(a.begin(how)) }

func (a answerTo) result(how status, result *command.Result) {
	frame := a.begin(how)
	if how == statusDone && result != nil {
		frame = command.AppendResult(frame, result)
	}
	a.send(frame)
}

func (a answerTo) renewed(g *Group, ids []command.LeaseID, tenant string) {
	if g.duty == nil {
		a.status(statusNotLeader)
		return
	}
	terms, leads := g.duty.Renew(ids, tenant)
	if !leads {
		a.status(statusNotLeader)
		return
	}
	frame := a.begin(statusDone)
	for _, term := range terms {
		frame = command.AppendUint(frame, uint64(term))
	}
	a.send(frame)
}
