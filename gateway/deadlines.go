package gateway

import (
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// wheelTick is how exact deadlines are.
	wheelTick = 250 * time.Millisecond
	// longestCheck is the longest a connection goes unchecked: a message or a
	// write that begins between two checks is seen at most this late.
	longestCheck = 4 * time.Second
	wheelSlots   = int(longestCheck/wheelTick) + 1
)

// wheel is all deadlines of all connections. Nobody sets or resets a timer:
// the connections note when things happened, and are looked at when the
// earliest thing could be due.
type wheel struct {
	mu    sync.Mutex // guards the rest
	slots [wheelSlots][]*connection
	hand  int
}

// add has c looked at after delay.
func (w *wheel) add(c *connection, delay time.Duration) {
	ticks := min(max(int(delay/wheelTick), 1), wheelSlots-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	slot := (w.hand + ticks) % wheelSlots
	w.slots[slot] = append(w.slots[slot], c)
}

// advance moves the hand by one tick and takes what is due.
func (w *wheel) advance(into []*connection) []*connection {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hand = (w.hand + 1) % wheelSlots
	into = append(into[:0], w.slots[w.hand]...)
	clear(w.slots[w.hand])
	w.slots[w.hand] = w.slots[w.hand][:0]
	return into
}

// turn runs the wheel until stop is closed.
func (w *wheel) turn(stop <-chan struct{}) {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	var due []*connection
	for {
		select {
		case <-stop:
			return
		case now := <-ticker.C:
			due = w.advance(due)
			for i, c := range due {
				if !c.over.Load() {
					w.add(c, c.checkDeadlines(now))
				}
				due[i] = nil
			}
		}
	}
}

// checkDeadlines does what is due, and says when to look again.
func (c *connection) checkDeadlines(now time.Time) time.Duration {
	limits, at := &c.gateway.limits, now.UnixNano()
	next := deadline{now: at, soonest: longestCheck}
	if since := c.closingSince.Load(); since != 0 {
		if next.passed(since, 2*limits.CloseTimeout) {
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
		if next.passed(c.opened.UnixNano(), limits.HelloTimeout) {
			c.close(wire.CloseNoHello, "none came in time")
		}
	case phaseAttaching:
		if next.passed(c.lastRead.Load(), limits.AttachTimeout) {
			c.noStream(command.NoLeader)
		}
	case phaseOpen:
		c.checkSilence(&next)
		c.checkCredential(&next)
		if c.jobs.checkpointsWait() {
			c.flushCheckpoints(now)
			next.at(wheelTick)
		}
		c.sweepJobs(now)
	}
	return next.soonest
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
