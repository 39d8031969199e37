package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// maxOwnChunks bounds the frames for chunks that wait from this node to itself, in
// bytes.
const maxOwnChunks = transport.MaxChunkBuffer

// tokenEdge is this node's ends of token streams: what workers write here, and what is
// read here.
type tokenEdge struct {
	// loop carries frames of this node to itself, beside those that must not wait.
	loop *loop

	mu      sync.RWMutex // guards the rest
	sources map[uint64]*source
	readers map[uint64]*reader
}

func (e *tokenEdge) init() {
	e.sources, e.readers = make(map[uint64]*source), make(map[uint64]*reader)
}

func (e *tokenEdge) add(s *source) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sources[s.id] = s
}

func (e *tokenEdge) addReader(r *reader) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.readers[r.id] = r
}

func (e *tokenEdge) removeSource(id uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sources, id)
}

func (e *tokenEdge) removeReader(id uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.readers, id)
}

func (e *tokenEdge) source(id uint64) *source {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.sources[id]
}

func (e *tokenEdge) reader(id uint64) *reader {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.readers[id]
}

func (e *tokenEdge) allReaders() []*reader {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Collect(maps.Values(e.readers))
}

func (e *tokenEdge) allSources() []*source {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Collect(maps.Values(e.sources))
}

// end stops the clocks of what is left.
func (e *tokenEdge) end() {
	for _, s := range e.allSources() {
		s.end()
	}
}

// follow brings everything of a partition to its leader, anew.
func (e *tokenEdge) follow(partition uint32, generation uint64) {
	for _, s := range e.allSources() {
		if s.partition() == partition {
			s.register(generation)
		}
	}
	for _, r := range e.allReaders() {
		r.register(partition)
	}
}

// ChunksUp implements transport.ChunkHandler: what was on its way may be lost, and is
// said again.
func (c *Cluster) ChunksUp(peer transport.NodeID) {
	c.eachLane(func(l *lane) {
		if leader, generation, _ := l.current(); leader == peer && l.group != MetaGroup {
			c.tokens.follow(l.group-1, generation)
		}
	})
}

// tellChunk sends a frame to the leader of a group's generation, if that is known.
func (c *Cluster) tellChunk(group uint32, generation uint64, frame []byte) error {
	leader, current, _ := c.groupLane(group).current()
	if leader == "" || current != generation {
		return transport.ErrLinkDown
	}
	return c.sendChunk(leader, frame)
}

func (c *Cluster) sendChunk(to transport.NodeID, frame []byte) error {
	if string(to) == c.config.Self.ID {
		return c.tokens.loop.offer(frame)
	}
	return c.transport.SendChunk(to, frame)
}

// ReceiveChunk implements transport.ChunkHandler.
func (c *Cluster) ReceiveChunk(peer transport.NodeID, data []byte) {
	f := readFrame(data)
	if f.Err() != nil {
		return
	}
	switch f.kind { //nolint:exhaustive // The others do not come this way.
	case frameWrite, frameRead, frameUnread, frameAnnounce:
		if g := c.group(f.group); g != nil && g.board != nil && g.serves(f.generation) {
			c.serveTokens(g, peer, &f)
		}
	case frameTook:
		if s := c.tokens.source(f.Uint()); s != nil {
			s.took(&f)
		}
	case framePiece:
		id := f.Uint()
		if r := c.tokens.reader(id); r != nil {
			r.receive(&f)
		}
	case frameAnnounced:
		stream, id := f.Uint(), readTokenID(&f)
		if courier := c.courier(stream); courier != nil && f.Err() == nil {
			courier.announced(id)
		}
	default:
	}
}

// serveTokens hands an edge's word to the board of the group's leader.
func (c *Cluster) serveTokens(g *Group, peer transport.NodeID, f *frame) {
	node := string(peer)
	switch f.kind { //nolint:exhaustive // ReceiveChunk has chosen these.
	case frameWrite:
		if w := readWrite(f, node); f.Err() == nil {
			g.board.Write(&w)
		}
	case frameRead:
		if w := readTokenWant(f, node); f.Err() == nil {
			g.board.Want(&w)
		}
	case frameUnread:
		g.board.Unwant(node, f.Uint())
	case frameAnnounce:
		if tenant, client, id := f.String(), f.String(), readTokenID(f); f.Err() == nil {
			g.duty.Sockets(tenant, client, func(node string, stream uint64) {
				b := command.AppendUint(appendFrame(nil, frameAnnounced, f.group, f.generation), stream)
				_ = c.sendChunk(transport.NodeID(node), appendTokenID(b, id)) // It is announced again.
			})
		}
	}
}

func (c *Cluster) tellUnread(group uint32, generation, reader uint64) {
	// Lost, the next piece finds nobody, and nothing more is asked for.
	_ = c.tellChunk(group, generation, command.AppendUint(appendFrame(nil, frameUnread, group, generation), reader))
}

// newBoard is the board of a partition that this node has a replica of.
func (c *Cluster) newBoard(g *Group) *tokens.Board {
	return tokens.New(tokens.Config{
		Pusher: &tokenPusher{cluster: c, group: g},
		Holds:  g.duty.Holds,
		Owner: func(id command.EventID) (fsm.Owner, bool) {
			view := g.state.View()
			defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
			owner, found, err := fsm.ReadOwner(view, id)
			if err != nil {
				c.config.Logger.Error("cannot read whose an event is", "group", g.config.id, "error", err)
			}
			return owner, found && err == nil
		},
		Now: time.Now,
	})
}

// tellBoard tells what an entry did to leases.
func tellBoard(board *tokens.Board, outcome *fsm.Outcome) {
	for i := range outcome.Ended {
		board.Ended(outcome.Ended[i].Lease, outcome.Ended[i].Lost)
	}
	for i := range outcome.Grants {
		board.Granted(outcome.Grants[i].Job.Lease)
	}
}

// TokenStats are the token streams of the partitions that this node leads.
func (c *Cluster) TokenStats() (sum tokens.Stats) {
	for _, g := range c.allGroups() {
		if g.board == nil {
			continue
		}
		one := g.board.Stats()
		sum.Streams += one.Streams
		sum.Bytes += one.Bytes
		sum.Readers += one.Readers
		sum.Refused += one.Refused
	}
	return sum
}

// tokenPusher carries a board's answers to gateways: it implements tokens.Pusher for
// one group.
type tokenPusher struct {
	cluster *Cluster
	group   *Group
}

// PushPiece implements tokens.Pusher.
func (p *tokenPusher) PushPiece(node string, piece *tokens.Piece) error {
	return p.cluster.sendChunk(transport.NodeID(node), appendTokenPiece(p.begin(framePiece), piece))
}

// PushTook implements tokens.Pusher.
func (p *tokenPusher) PushTook(node string, source uint64, status tokens.Status, end uint64) error {
	b := append(command.AppendUint(p.begin(frameTook), source), byte(status))
	return p.cluster.sendChunk(transport.NodeID(node), command.AppendUint(b, end))
}

// Announce implements tokens.Pusher. The client's sockets are known to the leader of
// its stream, which may be another.
func (p *tokenPusher) Announce(owner fsm.Owner, id tokens.ID) {
	partition := command.PartitionOf(command.SlotOf(owner.Tenant, owner.ClientID), max(1, p.cluster.Partitions()))
	l := p.cluster.laneOf(partition)
	if l == nil {
		return
	}
	leader, generation, _ := l.current()
	b := command.AppendString(appendFrame(nil, frameAnnounce, l.group, generation), owner.Tenant)
	_ = p.cluster.sendChunk(leader, appendTokenID(command.AppendString(b, owner.ClientID), id)) // It is announced again.
}

func (p *tokenPusher) begin(kind frameKind) []byte {
	return appendFrame(make([]byte, 0, 256), kind, p.group.config.id, p.group.pushing.Load())
}
