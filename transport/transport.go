package transport

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/hashicorp/raft"
)

// NodeID names a member: its name, a dot and its incarnation, made by node and
// opaque here. It is also the ServerAddress that Raft is given. At most
// MaxIdentity bytes.
type NodeID string

// Transport is what cluster uses of this package; TCP and Memory implement it.
type Transport interface {
	// Start begins to accept connections. Call it once.
	Start()
	// Close breaks every connection, and returns when every goroutine has ended.
	// Never call it from a Handler.
	Close() error
	// Raft opens the group's handle, or returns the one that is open. The result
	// also implements raft.WithPreVote and raft.WithClose.
	Raft(group uint32) raft.Transport
	// Call asks whoever listens at address and waits for the reply.
	Call(ctx context.Context, address string, request []byte) ([]byte, error)
	// SetPeers replaces the set of nodes that links are kept up with.
	SetPeers(peers []NodeID)
	// Send appends a copy of the frame to the link's buffer.
	Send(to NodeID, frame []byte) error
	// SendChunk is Send over a connection of its own, for what is best effort.
	SendChunk(to NodeID, frame []byte) error
	// Stats returns the counters since New.
	Stats() Stats
}

// Resolver finds where a node listens: the members table of cluster.
type Resolver interface {
	// PeerAddress returns an address for Config.Dial; it is asked at every dial.
	PeerAddress(id NodeID) (string, bool)
}

// Handler receives what happens on links. For one peer the three never overlap
// and come in the order LinkUp, Receive..., LinkDown; different peers run at
// the same time. A Handler that blocks holds back the peer's writer, up to
// ErrLinkFull there.
type Handler interface {
	// LinkUp comes before the first Receive of a link; Send works inside it.
	LinkUp(peer NodeID)
	// LinkDown comes after the last Receive. What was sent and not answered has
	// an unknown outcome.
	LinkDown(peer NodeID)
	// Receive is one frame, in the order sent. It is valid only during the call.
	Receive(peer NodeID, frame []byte)
}

// ChunkHandler receives what SendChunk sent. For one peer the two never overlap;
// both may run beside Handler's. A frame that was sent and is not here when
// ChunksUp comes is lost.
type ChunkHandler interface {
	// ChunksUp comes before the first ReceiveChunk of a connection.
	ChunksUp(peer NodeID)
	// ReceiveChunk is one frame, in the order sent. It is valid only during the call.
	ReceiveChunk(peer NodeID, frame []byte)
}

// SnapshotVerdict is what a guard says of an InstallSnapshot.
type SnapshotVerdict int

const (
	// Install hands the snapshot to Raft.
	Install SnapshotVerdict = iota
	// AcknowledgeStale answers success without touching Raft: all of it is here.
	AcknowledgeStale
	// Conflict refuses it with ErrSnapshotConflict; the group's owner restarts the group.
	Conflict
)

// Durability says how far the logs of this node's groups are synced.
type Durability interface {
	// DurableIndex is the last index that is synced; it must not block.
	DurableIndex(group uint32) uint64
	// WaitDurable returns when the log is synced up to index; an error says that it
	// never will be.
	WaitDurable(group uint32, index uint64) error
}

// Config says who this node is and what it serves. Only Self, ClusterID,
// Listener, Dial and Resolver are required.
type Config struct {
	// Self and Incarnation name this node in every greeting.
	Self        NodeID
	Incarnation uint64
	// ClusterID returns "" until a cluster is formed; until then only calls work.
	ClusterID func() string
	// Listener accepts; Close closes it. Dial connects. Mutual TLS wraps both.
	Listener net.Listener
	Dial     func(ctx context.Context, address string) (net.Conn, error)
	Resolver Resolver
	// Handler receives link events; nil discards them.
	Handler Handler
	// Chunks receives what came by SendChunk; nil discards it.
	Chunks ChunkHandler
	// Calls serves Call; its context ends with the transport or after
	// CallTimeout, and request is its own. nil refuses every call. from has
	// said its name and nothing more until mutual TLS vouches for it.
	Calls func(ctx context.Context, from NodeID, request []byte) ([]byte, error)
	// HeartbeatGate, when it returns false, makes the group's outgoing
	// heartbeats fail here. It is called for every heartbeat and must not block.
	HeartbeatGate func(group uint32) bool
	// Durable is for groups whose log store returns before it has synced: the index
	// up to which the group's log here is synced, and a wait for it. An append that
	// was stored is answered after the wait, and tells followers of no commit beyond
	// it. nil means that a stored entry is a synced one.
	Durable Durability
	// SnapshotGuard judges an InstallSnapshot before Raft sees it.
	SnapshotGuard func(group uint32, request *raft.InstallSnapshotRequest) SnapshotVerdict
	Logger        *slog.Logger
}

func (c *Config) prepare() error {
	switch {
	case c.Self == "" || len(c.Self) > MaxIdentity:
		return errors.New("transport: Self must have 1 to 255 bytes")
	case c.ClusterID == nil || c.Listener == nil || c.Dial == nil || c.Resolver == nil:
		return errors.New("transport: ClusterID, Listener, Dial and Resolver are required")
	}
	if c.Handler == nil {
		c.Handler = discardHandler{}
	}
	if c.Chunks == nil {
		c.Chunks = discardHandler{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

type discardHandler struct{}

func (discardHandler) LinkUp(NodeID)          {}
func (discardHandler) LinkDown(NodeID)        {}
func (discardHandler) Receive(NodeID, []byte) {}

func (discardHandler) ChunksUp(NodeID)             {}
func (discardHandler) ReceiveChunk(NodeID, []byte) {}
