package cluster

import (
	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm/command"
)

// What an edge (a gateway) and the cluster say to each other. The gateway
// declares what it needs as an interface of its own; these are its words.

// Replier receives the answers of Submit. result and what it points to are
// valid only during the call.
type Replier interface {
	Reply(slot uint64, result *command.Result)
}

// Renewer receives the answer of Renew: for each lease in order, the term that
// begins now in milliseconds, 0 for a lease that is lost. A nil slice means that
// no leader could be asked in time: nothing is known.
type Renewer interface {
	Renewed(slot uint64, leases []command.LeaseID, termsMS []uint32)
}

// SubscriptionSpec is a worker's subscription.
type SubscriptionSpec struct {
	Channel string
	Group   string
	// Tenant limits the subscription to one tenant; empty means all.
	Tenant string
	// Worker is the name for the lineage.
	Worker string
	// LeaseMS is the lease asked for, 0 for the channel's.
	LeaseMS uint32
	// Credit is how many jobs may be outstanding.
	Credit uint32
}

// JobSink receives what is pushed to a subscription. Arguments are valid only
// during the call; calls for one subscription come one at a time.
type JobSink interface {
	// Job is a granted job, which counts against the credit until its lease
	// ends.
	Job(job *command.Job)
	// CancelJob asks the worker to stop. graceMS 0 means that the lease is
	// gone already, and that no job comes until Subscription.Heard.
	CancelJob(lease command.LeaseID, reason string, graceMS uint64)
}

// Subscription is a live subscription. Its methods never block.
type Subscription interface {
	// SetCredit sets how many jobs may be outstanding; 0 pauses.
	SetCredit(credit uint32)
	// End submits a command that ends a lease of this subscription (Complete,
	// Fail, Release); the lease's place in the credit opens with it.
	End(lease command.LeaseID, encoded []byte, to Replier, slot uint64)
	// Heard says that the worker has given a sign of life since a lease of its
	// was gone: its credit is lent again.
	Heard()
	// Lost opens the place of a lease that a renewal found lost.
	Lost(lease command.LeaseID)
	// Close withdraws the credit. Jobs stay leased until they are ended,
	// released or their time is over; no call reaches the sink afterwards.
	Close()
}

// TokenKind is what the bytes of a token stream are.
type TokenKind = tokens.Kind

// The kinds of token streams.
const (
	TokenText   = tokens.Text
	TokenBinary = tokens.Binary
)

// TokenID names a token stream.
type TokenID = tokens.ID

// TokenWriter is a worker's end of a token stream. Its methods never block.
type TokenWriter interface {
	// Write adds the bytes at an offset; final ends the stream. What was written
	// before is passed over; what is missing before offset is lost to readers. It
	// returns false when nobody takes the stream any more: the lease is lost, or
	// there is no room for it.
	Write(offset uint64, kind TokenKind, data []byte, final bool) bool
	// Close sends what is left, within a bounded time. final ends the stream.
	Close(final bool)
}

// TokenSpec is a wish to read a token stream.
type TokenSpec struct {
	Tenant string
	// ClientID limits it to that client's events; empty means the tenant's.
	ClientID string
	ID       TokenID
	// Attempt is the attempt that the client has the bytes before Offset of, 0 where
	// it does not know.
	Attempt uint32
	Offset  uint64
	// Announced means that the cluster told of the stream: nothing is checked.
	Announced bool
}

// TokenChunk is a piece of a token stream.
type TokenChunk struct {
	CorrelationID string
	Attempt       uint32
	Offset        uint64
	Kind          TokenKind
	Final         bool
	Data          []byte
}

// TokenSink receives a token stream. Calls for one stream come one at a time: Began
// once where it was not announced, then the rest. Arguments are valid only during the
// call.
type TokenSink interface {
	// Began answers ReadTokens, or says why it cannot be read; then nothing follows.
	Began(result *command.Result)
	// Room tells whether the socket takes more. After false what came is dropped,
	// and asked for again after TokenReader.Resume.
	Room() bool
	// Chunk is the next piece, behind the last one or behind a Reset.
	Chunk(chunk *TokenChunk)
	// Reset says that what came is void: another attempt writes, or the beginning of
	// what it wrote is lost.
	Reset(attempt uint32)
	// Gone says that the stream is not kept any more. It is the last call.
	Gone()
}

// TokenReader is a reader's handle. Its methods never block.
type TokenReader interface {
	// Resume says that there is room again.
	Resume()
	// Close ends it; no call reaches the sink afterwards, but for one under way.
	Close()
}

// TokenListener is a StreamSink that wants to know of the token streams of its client.
type TokenListener interface {
	// Announced may name a stream more than once.
	Announced(id TokenID)
}

// ResumeMode is how a socket wants its client's stream to begin.
type ResumeMode uint8

// The resume modes.
const (
	// ResumeCursor replays what follows the device's stored cursor.
	ResumeCursor ResumeMode = iota
	// ResumeSeq replays what follows StreamSpec.Seq of StreamSpec.Epoch.
	ResumeSeq
	// ResumeLive starts at the end.
	ResumeLive
)

// StreamSpec is a socket's wish for its client's stream.
type StreamSpec struct {
	Tenant   string
	ClientID string
	DeviceID string
	Resume   ResumeMode
	Epoch    string
	Seq      uint64
	// Window is how many notifications may be out and not acknowledged.
	Window uint32
	// Hold keeps deliveries back until Stream.Ready.
	Hold bool
}

// Resumed says how much of the wish could be granted.
type Resumed uint8

// What became of a resume.
const (
	// ResumedNone means that the stream begins where the cursor or the end is.
	ResumedNone Resumed = iota
	// ResumedFull means that everything after the wanted seq follows.
	ResumedFull
	// ResumedPartial means that a gap comes first.
	ResumedPartial
)

// StreamState answers Attach.
type StreamState struct {
	// Epoch, Head (the last seq given out, 0 for none) and Oldest (the first
	// retained, Head+1 when nothing is) are the stream's.
	Epoch   string
	Head    uint64
	Oldest  uint64
	Resumed Resumed
	// Reason is Done, or why the stream cannot be had now.
	Reason command.Reason
}

// StreamSink receives a client's stream. Calls for one stream come one at a
// time, in order: Attached once, then the rest. Arguments are valid only during
// the call. A leader change is invisible here: nothing comes twice.
type StreamSink interface {
	Attached(state StreamState)
	Notification(notification *command.Notification, redelivered bool)
	// Gap declares that the seqs of from, to and between are not to be had.
	Gap(from, to uint64, reason string)
	// Synced says that the replay is over: live from seq.
	Synced(seq uint64)
}

// Stream is an attached stream. Its methods never block.
type Stream interface {
	// Ready lets deliveries begin after StreamSpec.Hold.
	Ready()
	// Ack moves the device's cursor to seq, and opens the window.
	Ack(seq uint64, delivered []command.Delivery)
	// Close detaches; no call reaches the sink afterwards.
	Close()
}

// FollowStart is where a follower begins.
type FollowStart uint8

// The beginnings of a follower.
const (
	// FollowNew begins with what is stored from now on.
	FollowNew FollowStart = iota
	// FollowEarliest begins with the oldest event that is kept.
	FollowEarliest
	// FollowCursor begins behind FollowSpec.Cursor.
	FollowCursor
	// FollowTime begins with the first event that was stored at FollowSpec.TimeMS or
	// later.
	FollowTime
)

// FollowSpec is a socket's wish for the events of a channel.
type FollowSpec struct {
	Channel string
	// Tenant limits the follower to one tenant's events; empty means all.
	Tenant string
	// Name has the cluster keep how far the follower is; empty for none. A name that
	// is known begins where it is, wherever Start says.
	Name   string
	Start  FollowStart
	Cursor []byte
	TimeMS int64
	// Window is how many events a named follower may be given beyond its last commit.
	// What a socket has not taken yet is for the sink to bound: see Room.
	Window uint32
}

// FollowSink receives the events of a followed channel. Calls for one follower come
// one at a time: Began once, then the rest. Arguments are valid only during the
// call. A leader change is invisible here: nothing comes twice.
type FollowSink interface {
	// Began answers Follow, with the cursor of the beginning, or says why the follower
	// cannot begin; then nothing follows.
	Began(result *command.Result, cursor []byte)
	// Room tells whether the socket takes another event. After false nothing comes
	// before Follower.Resume.
	Room() bool
	// Event is the next event, and the cursor behind it.
	Event(event *FollowedEvent, cursor []byte)
	// Trimmed says that events were deleted before the follower came to them.
	Trimmed()
}

// Follower is a follower's handle. Its methods never block.
type Follower interface {
	// Resume says that there is room again.
	Resume()
	// Commit has the cluster keep that everything up to a cursor is handled, and opens
	// the window. It returns why the cursor is none; it is for named followers.
	Commit(cursor []byte) error
	// Close ends it; no call reaches the sink afterwards. to.Reply is called once with
	// slot when what was committed is kept, or with why that is not known, maybe within
	// the call; to may be nil.
	Close(to Replier, slot uint64)
}
