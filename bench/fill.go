package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/client"
)

// filling is so many events that are to be acknowledged.
type filling struct {
	events   int
	inFlight int
	event    func(n int) client.Event
	// answered counts those of which it is known what became of them.
	answered atomic.Int64
}

// fill publishes events, in turn by each of the clients, and returns how many were
// acknowledged each second. It fails where one was not.
func fill(ctx context.Context, clients []*client.Client, f *filling) (rate float64, err error) {
	begin, places := time.Now(), make(chan struct{}, f.inFlight)
	var failed atomic.Int64
	for n := range f.events {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		err = clients[n%len(clients)].PublishAsync(ctx, f.event(n), func(_ client.Receipt, err error) {
			if err != nil {
				failed.Add(1)
			}
			f.answered.Add(1)
			<-places
		})
		if err != nil {
			return 0, err
		}
	}
	for range cap(places) { // All places are free when everything is answered.
		places <- struct{}{}
	}
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d of %d events could not be published", failed.Load(), f.events)
	}
	return float64(f.events) / time.Since(begin).Seconds(), nil
}
