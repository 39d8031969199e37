package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the exponential backoff with full jitter of the AWS architecture
// blog: a random pause up to a bound that doubles with every failure. A bound
// that only the slowest client reaches keeps a crowd from coming back at once.
type backoff struct {
	least, most time.Duration
	failures    int
}

// pause is how long to wait before the next attempt.
func (b *backoff) pause() time.Duration {
	bound := b.least
	for range min(b.failures, 32) {
		if bound *= 2; bound >= b.most {
			bound = b.most
			break
		}
	}
	b.failures++
	return rand.N(bound + 1) //nolint:gosec // spreads load, keeps no secret
}

func (b *backoff) succeeded() { b.failures = 0 }

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
