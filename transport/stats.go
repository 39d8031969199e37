package transport

import "sync/atomic"

// Stats are counters since New, and one gauge. Frames count pings too.
type Stats struct {
	Raft, Snapshot, Link, Call, Chunks KindStats
	// LinksUp is the number of links that are up now.
	LinksUp int64
	// Refused counts greetings refused here; a greeting that never came counts too.
	Refused uint64
	// GroupBusy counts requests answered with ErrGroupBusy here.
	GroupBusy uint64
}

// KindStats are the counters of one kind of connection.
type KindStats struct {
	FramesSent, FramesReceived uint64
	// BytesSent and BytesReceived count what follows the greeting.
	BytesSent, BytesReceived uint64
	// Writes counts write calls: FramesSent / Writes is how well frames coalesce.
	Writes uint64
	// Dialed counts connections made from here, DialFailures those that failed.
	Dialed, DialFailures uint64
}

type counters struct {
	kinds     [kindChunks + 1]kindCounters
	linksUp   atomic.Int64
	refused   atomic.Uint64
	groupBusy atomic.Uint64
}

type kindCounters struct {
	framesSent, framesReceived atomic.Uint64
	bytesSent, bytesReceived   atomic.Uint64
	writes                     atomic.Uint64
	dialed, dialFailures       atomic.Uint64
}

func (c *kindCounters) wrote(frames, bytes int) {
	c.writes.Add(1)
	c.framesSent.Add(uint64(frames)) //nolint:gosec // A count is never negative.
	c.bytesSent.Add(uint64(bytes))   //nolint:gosec // A count is never negative.
}

func (c *kindCounters) read(bytes int) {
	c.framesReceived.Add(1)
	c.bytesReceived.Add(uint64(bytes)) //nolint:gosec // A count is never negative.
}

func (c *kindCounters) snapshot() KindStats {
	return KindStats{
		FramesSent: c.framesSent.Load(), FramesReceived: c.framesReceived.Load(),
		BytesSent: c.bytesSent.Load(), BytesReceived: c.bytesReceived.Load(),
		Writes: c.writes.Load(), Dialed: c.dialed.Load(), DialFailures: c.dialFailures.Load(),
	}
}

func (c *counters) stats() Stats {
	return Stats{
		Raft: c.kinds[kindRaft].snapshot(), Snapshot: c.kinds[kindSnapshot].snapshot(),
		Link: c.kinds[kindLink].snapshot(), Call: c.kinds[kindCall].snapshot(),
		Chunks:  c.kinds[kindChunks].snapshot(),
		LinksUp: c.linksUp.Load(), Refused: c.refused.Load(), GroupBusy: c.groupBusy.Load(),
	}
}
