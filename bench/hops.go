package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

// hops measures from when a step's worker is done with a job until the next one's begins:
// what a cluster takes for a hop. All workers are in this process.
type hops struct {
	warm time.Time // hops that begin earlier do not count

	mu   sync.Mutex // guards the rest
	left map[string]time.Time
	took *hdrhistogram.Histogram
}

func newHops(warm time.Time) *hops {
	return &hops{warm: warm, left: make(map[string]time.Time), took: newHistogram()}
}

// passed is told of a worker that has a job, and is about to be done with it. Nobody
// comes after the last.
func (h *hops) passed(job *client.Job, step, last int) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if left, known := h.left[job.CorrelationID]; known && left.After(h.warm) && job.Attempt == 1 {
		record(h.took, now.Sub(left).Nanoseconds())
	}
	if step == last {
		delete(h.left, job.CorrelationID)
		return
	}
	h.left[job.CorrelationID] = now
}

func (h *hops) percentiles() Percentile {
	h.mu.Lock()
	defer h.mu.Unlock()
	return percentiles(h.took)
}
