package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tally is one client's account: what it published, what was acknowledged, what
// came back.
type tally struct {
	warm int64 // nanoseconds after the start from which on latencies count

	mu       sync.Mutex // guards the rest
	events   []state    // by number
	acked    int
	failed   int
	notified int // each once
	twice    int
	strange  int // notifications that are no answer to an event of this client
	publish  *hdrhistogram.Histogram
	endToEnd *hdrhistogram.Histogram
}

// state is what is known of one event.
type state uint8

const (
	stateAcked state = 1 << iota
	stateNotified
)

// maxLatency is the largest latency a histogram holds, in microseconds.
const maxLatency = int64(10 * time.Minute / time.Microsecond)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency, 3) }

func newTally(warm time.Duration) *tally {
	return &tally{warm: warm.Nanoseconds(), publish: newHistogram(), endToEnd: newHistogram()}
}

// next is the number of the event that is about to be published.
func (t *tally) next() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, 0)
	return len(t.events) - 1
}

// answered is told the outcome of a publish.
func (t *tally) answered(n int, due, now int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed++
		return
	}
	t.acked++
	t.events[n] |= stateAcked
	if due >= t.warm {
		record(t.publish, now-due)
	}
}

// came is told of a notification, and says whether it was the first of its event.
func (t *tally) came(n int, due, now int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case n >= len(t.events):
		t.strange++
		return false
	case t.events[n]&stateNotified != 0:
		t.twice++
		return false
	}
	t.events[n] |= stateNotified
	t.notified++
	if due >= t.warm {
		record(t.endToEnd, now-due)
	}
	return true
}

// missing is how many acknowledged events did not come back.
func (t *tally) missing() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	missing := 0
	for _, s := range t.events {
		if s == stateAcked {
			missing++
		}
	}
	return missing
}

// record notes a latency given in nanoseconds.
func record(h *hdrhistogram.Histogram, nanoseconds int64) {
	_ = h.RecordValue(min(max(nanoseconds/1000, 1), maxLatency))
}
