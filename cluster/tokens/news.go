package tokens

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// news is what happened to leases whose events have streams. Whoever applies entries
// leaves it here and goes on: a board that is busy with pieces holds no commit up.
type news struct {
	mu      sync.Mutex // guards the rest
	watched map[command.EventID]struct{}
	came    []item
}

// item is a grant, or the end of a lease.
type item struct {
	lease      command.LeaseID
	over, lost bool
}

func (n *news) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched, n.came = make(map[command.EventID]struct{}), nil
}

func (n *news) watch(event command.EventID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched[event] = struct{}{}
}

func (n *news) unwatch(event command.EventID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.watched, event)
}

func (n *news) add(i item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.watched[i.lease.Event]; ok {
		n.came = append(n.came, i)
	}
}

func (n *news) take() []item {
	n.mu.Lock()
	defer n.mu.Unlock()
	came := n.came
	n.came = nil
	return came
}

// Granted says that a lease began.
func (b *Board) Granted(lease command.LeaseID) { b.news.add(item{lease: lease}) }

// Ended says that a lease is over, and whether its worker lost it.
func (b *Board) Ended(lease command.LeaseID, lost bool) {
	b.news.add(item{lease: lease, over: true, lost: lost})
}

// learnLocked takes note of what happened: another attempt clears what the one
// before it wrote.
func (b *Board) learnLocked() {
	for _, i := range b.news.take() {
		for _, s := range b.mu.byEvent[i.lease.Event] {
			b.learnOneLocked(s, i)
		}
	}
}

func (b *Board) learnOneLocked(s *stream, i item) {
	switch {
	case !i.over:
		if s.begun() && s.lease.Group == i.lease.Group && i.lease.Fence > s.lease.Fence {
			b.beginLocked(s, i.lease)
			b.answerLocked(s)
		}
		s.touched = b.config.Now()
	case s.begun() && s.lease.Fence != i.lease.Fence:
	default:
		s.lost, s.ended, s.touched = i.lost && s.begun(), !i.lost, b.config.Now()
	}
}

func (b *Board) beginLocked(s *stream, lease command.LeaseID) {
	b.mu.bytes -= len(s.ring.data)
	s.begin(lease)
}
