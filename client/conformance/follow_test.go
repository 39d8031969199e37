package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/batonmq/baton/client"
)

// follower is a follower of a case, and what came to it.
type follower struct {
	stop    context.CancelFunc
	stopped chan struct{}

	mu   sync.Mutex // guards the rest
	seen []any
}

func (r *run) follow(ctx context.Context, p *peer, s *step) error {
	ctx, stop := context.WithCancel(ctx)
	f := &follower{stop: stop, stopped: make(chan struct{})}
	r.followers[s.As] = f
	options := client.FollowOptions{Channel: s.Channel, From: s.From, Name: s.Name}
	r.running.Go(func() {
		defer close(f.stopped)
		err := p.client.Follow(ctx, options, func(_ context.Context, e *client.FollowedEvent) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, plain(e.Data))
			return nil
		})
		if refused, ok := errors.AsType[*client.Error](err); ok {
			r.problem("follower %s: %v", s.As, refused)
		}
	})
	return nil
}

func (f *follower) step(ctx context.Context, s *step) error {
	if s.Do == "stop_follow" {
		f.stop()
		<-f.stopped
		return nil
	}
	var want []any
	if err := json.Unmarshal(s.Data, &want); err != nil {
		return err
	}
	var seen []any
	if err := await(ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if seen = f.seen; len(seen) < len(want) {
			return fmt.Errorf("events %v, want %v", seen, want)
		}
		f.seen = nil
		return nil
	}); err != nil {
		return err
	}
	if !reflect.DeepEqual(seen, want) {
		return fmt.Errorf("events %v, want %v", seen, want)
	}
	return nil
}
