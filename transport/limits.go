package transport

import "time"

// Every limit of this package. Sizes are in bytes. All of them are constants:
// a node that needs another value is another protocol.
const (
	// MaxRaftFrame bounds one frame of a `raft` connection.
	MaxRaftFrame = 64 << 20
	// MaxAppendBytes is where an AppendEntries with several entries is cut; a
	// single larger entry still travels alone, up to MaxRaftFrame.
	MaxAppendBytes = 8 << 20
	// MaxInFlight bounds the unanswered requests of one append pipeline.
	MaxInFlight = 128
	// MaxInFlightBytes bounds the unanswered entry bytes of one append
	// pipeline; one request is always admitted.
	MaxInFlightBytes = 16 << 20
	// MaxGroupQueue bounds the requests that wait for one group's Raft here.
	MaxGroupQueue = 256
	// MaxHeartbeatQueue bounds the heartbeats that wait for one group here.
	MaxHeartbeatQueue = 64
	// MaxRaftBuffer bounds what waits to be written to one `raft` connection.
	MaxRaftBuffer = 128 << 20
	// MaxLinkFrame bounds one frame given to Send.
	MaxLinkFrame = 16 << 20
	// MaxLinkBuffer bounds what waits to be written to one link.
	MaxLinkBuffer = 64 << 20
	// MaxChunkFrame bounds one frame given to SendChunk.
	MaxChunkFrame = 1 << 20
	// MaxChunkBuffer bounds what waits to be written to one `chunks` connection; what
	// finds no room is not sent.
	MaxChunkBuffer = 8 << 20
	// MaxCallFrame bounds a request given to Call, and its reply.
	MaxCallFrame = 4 << 20
	// MaxGreetings bounds the inbound connections that have not yet said who
	// they are.
	MaxGreetings = 128
	// MaxCalls bounds the calls served at the same time.
	MaxCalls = 64
	// MaxIdentity bounds a node id and a cluster id.
	MaxIdentity = 255

	maxGreetingRest   = 4 << 10
	maxSnapshotHeader = 1 << 20
	maxErrorText      = 1 << 10
	maxEntries        = 1 << 16
	maxSpareBuffer    = 8 << 20
	readBufferBytes   = 256 << 10
	rareBufferBytes   = 4 << 10 // where few frames come
	snapshotChunk     = 256 << 10
)

// Every time limit of this package.
const (
	// GreetingTimeout bounds the time until both sides know each other.
	GreetingTimeout = 5 * time.Second
	// DialTimeout bounds one attempt to connect.
	DialTimeout = 3 * time.Second
	// PingInterval is how often an idle connection says that it is alive.
	PingInterval = time.Second
	// SilenceLimit is how long a connection may be silent before it is broken.
	SilenceLimit = 4 * time.Second
	// HeartbeatTimeout bounds a heartbeat's round trip.
	HeartbeatTimeout = time.Second
	// VoteTimeout bounds a vote's, a pre-vote's and a TimeoutNow's round trip.
	VoteTimeout = 2 * time.Second
	// AppendTimeout bounds an append's round trip, which waits for a disk.
	AppendTimeout = 5 * time.Second
	// SnapshotStall is how long a snapshot may make no progress.
	SnapshotStall = 20 * time.Second
	// CallTimeout bounds a call when its context has no earlier deadline, and
	// the time a handler has to serve one.
	CallTimeout = 30 * time.Second
	// RaftIdle is how long an outgoing `raft` connection is kept unused.
	RaftIdle = 30 * time.Second

	minBackoff         = 50 * time.Millisecond
	maxLinkBackoff     = time.Second
	maxRaftBackoff     = 500 * time.Millisecond
	acceptBackoff      = 10 * time.Millisecond
	snapshotProgress   = time.Second
	refusalLogInterval = 5 * time.Second
)
