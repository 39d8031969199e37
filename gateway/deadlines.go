package gateway

import (
	"runtime"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// wheelTick is how exact deadlines are.
	wheelTick = 250 * time.Millisecond
	// wheelBreath is how many connections are looked at in one go.
	wheelBreath = 64
	// longestCheck is the longest a connection goes unchecked: a message or a
	// write that begins between two checks is seen at most this late.
	longestCheck = 4 * time.Second
	wheelSlots   = uint32(longestCheck/wheelTick) + 1
)

// wheel is all deadlines of all connections. Nobody sets or resets a timer:
// the connections note when things happened, and are looked at when the
// earliest thing could be due.
type wheel struct {
	mu    sync.Mutex // guards the rest, and when each connection is due
	slots [wheelSlots][]*connection
	now   uint32 // ticks so far
}

// add has c looked at after delay, unless it will be sooner. Where it would have
// been later, that is taken back.
func (w *wheel) add(c *connection, delay time.Duration) {
	ticks := min(max(uint32(delay/wheelTick), 1), wheelSlots-1) //nolint:gosec // not negative, and short
	w.mu.Lock()
	defer w.mu.Unlock()
	due := w.now + ticks
	if c.due > w.now && c.due <= due {
		return
	}
	c.due = due
	slot := &w.slots[due%wheelSlots]
	*slot = append(*slot, c)
}

// advance moves the hand by one tick and takes what is due.
func (w *wheel) advance(into []*connection) []*connection {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	slot := &w.slots[w.now%wheelSlots]
	into = into[:0]
	for _, c := range *slot {
		if c.due == w.now {
			into = append(into, c)
		}
	}
	clear(*slot)
	*slot = (*slot)[:0]
	return into
}

// turn runs the wheel until stop is closed; each is called with every tick.
func (w *wheel) turn(stop <-chan struct{}, each func()) {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	var due []*connection
	for {
		select {
		case <-stop:
			return
		case now := <-ticker.C:
			each()
			due = w.advance(due)
			for i, c := range due {
				if !c.over.Load() {
					w.add(c, c.checkDeadlines(now))
				}
				due[i] = nil
				if i%wheelBreath == wheelBreath-1 {
					runtime.Gosched() // Or the flushers of all pings would be there at once.
				}
			}
		}
	}
}

// checkDeadlines does what is due, and says when to look again.
func (c *connection) checkDeadlines(now time.Time) time.Duration {
	limits, at := &c.gateway.limits, now.UnixNano()
	next := deadline{now: at, soonest: longestCheck}
	if since := c.closingSince.Load(); since != 0 {
		done := c.finished.Load()
		if next.passed(since, 2*limits.CloseTimeout) || done != 0 && next.passed(done, limits.CloseTimeout) {
			_ = c.conn.Close()
		}
		return next.soonest
	}
	if since := c.out.writeSince.Load(); since != 0 && next.passed(since, limits.WriteTimeout) {
		c.abort(wire.CloseWriteStall)
		return wheelTick
	}
	if since := c.messageSince.Load(); since != 0 && next.passed(since, limits.MessageTimeout) {
		c.close(wire.CloseNoHeartbeat, "a message took too long to come")
		return wheelTick
	}
	switch phase(c.phase.Load()) {
	case phaseHello:
		if next.passed(c.opened, limits.HelloTimeout) {
			c.close(wire.CloseNoHello, "none came in time")
		}
	case phaseAttaching:
		if next.passed(c.lastRead.Load(), limits.AttachTimeout) {
			c.noStream(command.NoLeader)
		}
	case phaseOpen:
		c.checkSilence(&next)
		c.checkCredential(&next)
		c.checkJobs(&next, now)
	}
	return next.soonest
}

// checkJobs keeps what is due of the jobs' progress, and forgets the jobs that are
// over.
func (c *connection) checkJobs(next *deadline, now time.Time) {
	t := c.rest.Load()
	if t == nil {
		return
	}
	if t.jobs.checkpointsWait() {
		c.flushCheckpoints(now)
		next.at(wheelTick)
	}
	c.sweepJobs(now)
}

// checkSilence probes who has been silent, and closes who stays so.
func (c *connection) checkSilence(next *deadline) {
	if c.held.Load() {
		return
	}
	limits, last := &c.gateway.limits, c.lastRead.Load()
	switch {
	case next.passed(last, limits.IdleTimeout):
		c.close(wire.CloseNoHeartbeat, "nothing was heard")
	case next.passed(last, limits.PingInterval) && next.passed(c.pinged, limits.PingInterval):
		c.pinged = next.now
		c.out.control(ws.OpPing, nil)
	}
}

// deadline finds the soonest of several.
type deadline struct {
	now     int64
	soonest time.Duration
}

// passed tells whether limit has passed since then; if not, it will be waited for.
func (d *deadline) passed(since int64, limit time.Duration) bool {
	left := limit - time.Duration(d.now-since)
	if left <= 0 {
		return true
	}
	d.at(left)
	return false
}

func (d *deadline) at(delay time.Duration) { d.soonest = min(d.soonest, delay) }
