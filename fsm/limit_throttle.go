package fsm

import (
	"math"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// Bounds of what a limit learns from being throttled.
const (
	// windowUnit is one place of an adaptive limit's window.
	windowUnit = 1 << 16
	// maxAdaptive is how many places an adaptive limit has that says no number.
	maxAdaptive = 1000
	// rememberMS is for how long a limit that nobody uses is remembered to be narrow.
	rememberMS = 10 * 60 * 1000
)

// A job that is throttled says that whoever is behind its limits takes no more for now.
// It does not say which of them, so all are paused. After the pause they begin gently, as
// TCP does after a loss: one job first, and for each that completes one more, until as
// many have a place as may. Of an adaptive limit that number is halved, and grows by one
// for as many completed jobs as it is. What was granted before the pause learned nothing
// since, so it neither halves the number again nor widens it.

// bounds are between what numbers the places of a limit are.
type bounds struct {
	// most is how many there are, 0 for any number. An adaptive limit has fewer once a job
	// was throttled, but not fewer than least.
	most, least uint32
	adaptive    bool
}

func boundsOf(u *command.Use) bounds {
	return bounds{most: u.MaxInFlight, least: u.MinInFlight, adaptive: u.Adaptive}
}

// whole is how many places a limit has that was not throttled.
func (b bounds) whole() uint32 {
	switch {
	case b.most != 0:
		return b.most
	case b.adaptive:
		return maxAdaptive
	}
	return math.MaxUint32
}

// bound is how many jobs may have a place.
func (l *limitRow) bound(b bounds) uint32 {
	if !b.adaptive || l.window == 0 {
		return b.whole()
	}
	return uint32(min(uint64(b.whole()), max(l.window/windowUnit, uint64(b.least), 1)))
}

// pause keeps a limit from granting until then, because a job was throttled that took
// its place at takenMS.
func (l *limitRow) pause(takenMS, untilMS int64) {
	if l.adaptive && takenMS >= l.pausedMS {
		places := l.bound(l.bounds)
		if l.ramp == 0 {
			places = min(places, max(l.inFlight+l.away(), 1))
		}
		l.window = max(uint64(places)*windowUnit/2, uint64(l.least)*windowUnit, windowUnit)
	}
	l.pausedMS = max(l.pausedMS, untilMS)
	l.ramp, l.round = 1, 0
}

// ended takes note of the end of a job that took its place at takenMS.
func (l *limitRow) ended(takenMS int64, well bool) {
	ramping := l.ramp > 0
	if ramping && takenMS < l.pausedMS {
		return
	}
	if ramping {
		invariants.Check(l.round > 0, "more jobs of a round left limit %q than it has", l.name)
		l.round--
	}
	switch {
	case !well:
	case ramping:
		if l.ramp++; l.ramp >= min(l.bound(l.bounds), maxAdaptive) {
			l.ramp, l.round = 0, 0
		}
	case l.window != 0:
		if l.window += windowUnit * windowUnit / l.window; l.window/windowUnit >= uint64(l.whole()) {
			l.window = 0
		}
	}
}

// pausePlaces pauses the limits of a job that was throttled.
func (m *Machine) pausePlaces(j *job, untilMS int64) {
	for i := range j.event.Uses {
		u := &j.event.Uses[i]
		l := m.touchLimit(j, u)
		if l.foreign {
			l.pausedMS = max(l.pausedMS, untilMS)
			p := m.permitsFor(l, l.home)
			p.PausedMS = max(p.PausedMS, untilMS)
		} else {
			l.bounds = boundsOf(u)
			m.pauseAll(l, untilMS, j.grantedMS >= l.pausedMS)
		}
		m.openLimit(l) // Who stands in its line waits for the end of the pause now.
	}
}
