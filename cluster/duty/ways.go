package duty

import (
	"slices"

	"github.com/batonmq/baton/fsm"
)

// Bounds of what is known of the ways of runs.
const (
	// maxWays is from how many channels and sub-queues ways are known; beyond it they
	// are learned anew.
	maxWays = 65_536
	// maxWayEnds is to how many channels credit is attached for one event: of a run that
	// may go further ways some grants wait for the next entry.
	maxWayEnds = 8
)

// ways is where runs have gone on: an entry that ends a job of a step, or begins a run,
// carries credit for the channel of what comes next, so that a hop is one entry. What is
// known of them outlives a leadership, and is only ever a guess.
type ways struct {
	// ahead are the channels behind one that begins runs, behind those behind a
	// sub-queue of jobs.
	ahead  map[string][]string
	behind map[uint32][]string
}

func (w *ways) learn(led []fsm.Led) {
	if len(led) == 0 {
		return
	}
	if w.ahead == nil || len(w.ahead)+len(w.behind) > maxWays {
		w.ahead, w.behind = make(map[string][]string), make(map[uint32][]string)
	}
	for i := range led {
		w.ahead[led[i].From] = withWay(w.ahead[led[i].From], led[i].To)
		w.behind[led[i].Queue] = withWay(w.behind[led[i].Queue], led[i].To)
	}
}

func withWay(known []string, to string) []string {
	if len(known) >= maxWayEnds || slices.Contains(known, to) {
		return known
	}
	return append(known, to)
}

// after is where a run goes first that an event of a channel begins.
func (w *ways) after(channel []byte) []string { return w.ahead[string(channel)] }
