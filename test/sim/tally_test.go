package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tally is what an episode, or many, did.
type tally struct {
	mu sync.Mutex

	episodes    int
	faults      map[string]int
	events      int // published and answered
	counts      map[string]int
	clusterTime time.Duration
	// serving is how long it took at most, after the healing, until all was well.
	serving time.Duration
}

// String is the tally in lines.
func (s *tally) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d episodes, %v of cluster time; %d events acknowledged; all was well %v after the healing at the latest\nfaults: %s\nseen: %s",
		s.episodes, s.clusterTime.Round(time.Second), s.events, s.serving.Round(time.Millisecond), list(s.faults), list(s.counts))
}

func (s *tally) fault(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = make(map[string]int)
	}
	s.faults[kind]++
}

func (s *tally) count(what string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = make(map[string]int)
	}
	s.counts[what] += times
}

// add adds an episode that is over.
func (s *tally) add(one *tally) {
	for kind, times := range one.faults {
		for range times {
			s.fault(kind)
		}
	}
	for what, times := range one.counts {
		s.count(what, times)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.episodes++
	s.events += one.events
	s.clusterTime += one.clusterTime
	s.serving = max(s.serving, one.serving)
}

func list(counts map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(parts, ", ")
}
