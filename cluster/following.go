package cluster

import (
	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// How a follower begins: every partition says behind which position. Only then is
// its socket told that it follows, so that nothing is missed of what is published
// after that; and only then is anything asked for.

// Follow starts to bring a socket the events of a channel.
func (c *Cluster) Follow(spec FollowSpec, sink FollowSink) Follower {
	f := &follower{id: c.nextID.Add(1), spec: spec, sink: sink, cluster: c}
	f.spec.Window = max(spec.Window, 1)
	partitions := c.Partitions()
	if partitions == 0 {
		f.refuse(&command.Result{Reason: command.NoLeader, Message: "the node does not belong to a cluster yet"})
		return f
	}
	f.mu.feeds, f.mu.left = make([]followFeed, partitions), partitions
	var positions []uint64
	if spec.Start == FollowCursor {
		var err error
		if positions, err = parseCursor(spec.Cursor, c.Epoch(0), spec.Channel, partitions); err != nil {
			f.refuse(&command.Result{Reason: command.BadRequest, Message: err.Error()})
			return f
		}
	}
	c.mu.Lock()
	c.mu.followers[f.id] = f
	c.mu.Unlock()
	for p := range partitions {
		switch {
		case positions != nil:
			f.name(p, followBegin{Position: positions[p]}, command.FollowBeginAt)
		case spec.Start == FollowNew && spec.Name != "":
			f.name(p, followBegin{}, command.FollowBeginNew)
		default:
			f.look(p)
		}
	}
	return f
}

// followBegin is where a follower begins in a partition.
type followBegin struct {
	// Position is the one behind which it begins, Trimmed the one up to which events
	// are deleted there, of which a follower that begins now need not hear.
	Position, Trimmed uint64
}

// look asks a partition where the follower is to begin.
func (f *follower) look(partition uint32) {
	body := command.AppendString([]byte{byte(f.spec.Start)}, f.spec.Tenant)
	body = command.AppendInt(command.AppendString(body, f.spec.Channel), f.spec.TimeMS)
	f.ask(partition, opFollow, body, func(r *command.Reader) {
		f.name(partition, followBegin{Position: r.Uint(), Trimmed: r.Uint()}, command.FollowBeginAt)
	})
}

// name has a named follower begin in the partition's state, unless it is there.
func (f *follower) name(partition uint32, at followBegin, begin command.FollowBegin) {
	if f.spec.Name == "" {
		f.beginsAt(partition, at)
		return
	}
	f.ask(partition, opCommand, f.nameCommand(at.Position, begin), func(r *command.Reader) {
		result := r.Result()
		if result.Reason != command.Done {
			f.refuse(&result)
			return
		}
		at.Position = result.Offset
		f.beginsAt(partition, at)
	})
}

// ask asks a partition's leader, and refuses the follower where none answers.
func (f *follower) ask(partition uint32, what op, body []byte, done followAnswer) {
	f.cluster.askPartition(partition, what, body, followWay{f, done})
}

// followAnswer takes the body of one partition's answer.
type followAnswer func(*command.Reader)

// followWay is the way back of one partition's answer.
type followWay struct {
	follower *follower
	done     followAnswer
}

func (w followWay) answered(how status, body *command.Reader) {
	if how == statusDone {
		w.done(body)
		return
	}
	result := resultOf(how, body)
	if how == statusNotLeader || how == statusUnknown {
		// A name that some partitions have already only says again where it began.
		result.Reason, result.Message = command.NoLeader, "not every partition has said where to begin: follow again"
	}
	w.follower.refuse(&result)
}

// refuse ends a follower that cannot begin. The first refusal counts.
func (f *follower) refuse(result *command.Result) {
	f.cluster.forgetFollower(f.id)
	f.mu.Lock()
	first := !f.mu.closed
	f.mu.closed = true
	f.mu.Unlock()
	if first {
		f.sink.Began(result, nil)
	}
}

// beginsAt takes note of one partition's answer; the last one begins.
func (f *follower) beginsAt(partition uint32, at followBegin) {
	f.mu.Lock()
	feed := &f.mu.feeds[partition]
	feed.at, feed.told, feed.committed, feed.kept = at.Position, at.Trimmed, at.Position, at.Position
	f.mu.left--
	last := f.mu.left == 0
	f.mu.Unlock()
	if last {
		f.began()
	}
}

// began tells the socket that it follows, and asks for the first pieces.
func (f *follower) began() {
	f.delivering.Lock()
	f.mu.Lock()
	closed := f.mu.closed
	f.cursorLocked()
	f.mu.begun = !closed
	f.mu.Unlock()
	if !closed {
		f.sink.Began(&command.Result{}, f.cursor)
	}
	f.delivering.Unlock()
	f.cluster.eachLane(func(l *lane) {
		// Whoever learns of a leader now finds that the follower has begun, or was
		// before us.
		if _, generation, _ := l.current(); generation != 0 && l.group != MetaGroup {
			f.start(l.group-1, generation)
		}
	})
}

// readBegin reads where a follower begins, as opFollow asks for it.
func readBegin(r *command.Reader) func(*storage.View) ([]byte, error) {
	start, tenant, channel, timeMS := FollowStart(r.Byte()), r.String(), r.String(), r.Int()
	return func(view *storage.View) ([]byte, error) {
		var directory fsm.Directory
		var at followBegin
		var err error
		switch start {
		case FollowTime:
			at.Position, err = directory.Before(view, tenant, channel, timeMS)
		case FollowEarliest:
		case FollowNew, FollowCursor:
			at.Position, err = fsm.End(view)
		}
		if err == nil {
			at.Trimmed, err = directory.Trimmed(view, tenant, channel, at.Position)
		}
		return command.AppendUint(command.AppendUint(nil, at.Position), at.Trimmed), err
	}
}

func appendWant(dst []byte, w *duty.Want) []byte {
	dst = command.AppendUint(dst, w.Follower)
	dst = command.AppendString(dst, w.Tenant)
	dst = command.AppendString(dst, w.Channel)
	dst = command.AppendUint(command.AppendUint(dst, w.After), w.Told)
	return command.AppendUint(dst, uint64(w.Events))
}

func readWant(f *frame, node string) duty.Want {
	return duty.Want{
		Node: node, Follower: f.Uint(), Tenant: f.String(), Channel: f.String(),
		After: f.Uint(), Told: f.Uint(), Events: f.Uint32(),
	}
}

func appendPiece(dst []byte, after uint64, piece *fsm.FollowPiece) []byte {
	dst = command.AppendUint(command.AppendUint(dst, after), piece.Trimmed)
	dst = command.AppendUint(dst, uint64(len(piece.Events)))
	for i := range piece.Events {
		dst = command.AppendFollowed(dst, &piece.Events[i])
	}
	return dst
}
