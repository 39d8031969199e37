package sim

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// answers gathers the results of requests that were sent together: it implements
// cluster.Replier.
type answers struct {
	life *life         // who is asked
	all  chan struct{} // closed when each is answered

	mu      sync.Mutex
	results []*command.Result
	left    int
	closed  bool
}

func newAnswers(l *life, count int) *answers {
	return &answers{life: l, all: make(chan struct{}), results: make([]*command.Result, count), left: count}
}

// Reply implements cluster.Replier.
func (a *answers) Reply(slot uint64, result *command.Result) {
	kept := *result
	a.life.hear(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.closed || a.results[slot] != nil {
			return // Whoever asked has gone elsewhere.
		}
		a.results[slot] = &kept
		if a.left--; a.left == 0 {
			close(a.all)
		}
	})
}

// close ends the wait: nil stands for no answer.
func (a *answers) close() []*command.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return a.results
}
