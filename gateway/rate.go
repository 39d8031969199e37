package gateway

import (
	"sync/atomic"
	"time"
)

// rate is how often something may happen: so many times a second, and a burst of
// them at once. The zero value is any rate.
//
// It is the generic cell rate algorithm (ITU-T I.371): all that is kept is the time
// at which the whole burst is there again, so that nothing has to be filled up, and
// the time of the next one is known exactly.
type rate struct {
	interval int64 // nanoseconds between two at the rate
	ahead    int64 // how far a bucket may be ahead of now
}

// maxRate bounds rates and bursts: an interval is a nanosecond at least.
const maxRate = 1_000_000_000

func newRate(perSecond, burst int) rate {
	if perSecond == 0 {
		return rate{}
	}
	interval := int64(time.Second) / int64(perSecond)
	return rate{interval: interval, ahead: int64(burst) * interval}
}

func (r rate) any() bool { return r.interval == 0 }

// bucket is what a rate has been used for; the zero value is not at all. Times are
// nanoseconds of any clock that does not go back.
type bucket struct{ full atomic.Int64 }

// take takes one if there is one.
func (r rate) take(b *bucket, now int64) bool {
	if r.any() {
		return true
	}
	for {
		full := b.full.Load()
		next := max(full, now) + r.interval
		if next-now > r.ahead {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}

// giveBack returns what was taken and not used.
func (r rate) giveBack(b *bucket) {
	if !r.any() {
		b.full.Add(-r.interval)
	}
}

// wait is after how long there is one to take, if nobody else takes it, for who
// has so many others before him.
func (r rate) wait(b *bucket, now int64, before int) time.Duration {
	if r.any() {
		return 0
	}
	next := max(b.full.Load(), now) + int64(before+1)*r.interval
	return time.Duration(max(next-now-r.ahead, 0))
}

// idle tells whether the bucket says no more than a new one would.
func (b *bucket) idle(now int64) bool { return b.full.Load() <= now }
