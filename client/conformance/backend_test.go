package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/batonmq/baton/client"
)

// each are the endings of the names that a step with a count stands for: their numbers,
// or nothing where it is for one.
func (s *step) each() []string {
	count := 0
	if json.Unmarshal(s.Count, &count) != nil {
		return []string{""}
	}
	var endings []string
	for i := range count {
		endings = append(endings, fmt.Sprint(i))
	}
	return endings
}

// listenFor makes a peer of its own of each client that is listened for.
func (r *run) listenFor(ctx context.Context, backend *peer, s *step) {
	for _, ending := range s.each() {
		life, stop := context.WithCancel(ctx)
		p := &peer{client: backend.client, stop: stop, stopped: make(chan struct{})}
		options := client.ListenForOptions{
			ClientID: s.ClientID + ending, DeviceID: s.DeviceID, Window: s.Window, Resume: s.resume(), ListenOptions: p.options(s),
		}
		r.clients[s.As+ending] = p
		r.running.Go(func() {
			defer close(p.stopped)
			err := p.client.ListenFor(life, options, func(_ context.Context, n *client.Notification) error {
				p.locked(func() { p.inbox = append(p.inbox, n) })
				return nil
			})
			if life.Err() == nil && !errors.Is(err, client.ErrClosed) {
				r.problem("listening for %s ended: %v", options.ClientID, err)
			}
		})
	}
}

func (p *peer) stopListening() {
	p.stop()
	<-p.stopped
}

func (r *run) broadcast(ctx context.Context, p *peer, s *step) error {
	b := client.Broadcast{ClientIDs: s.ClientIDs, Name: s.Name, IdempotencyKey: s.IdempotencyKey, Data: payload(s.Data)}
	if b.ClientIDs == nil {
		for _, ending := range s.each() {
			b.ClientIDs = append(b.ClientIDs, s.ClientID+ending)
		}
	}
	done := make(chan published, 1)
	r.running.Go(func() {
		bound, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		receipt, err := p.client.Broadcast(bound, b)
		done <- published{receipt, err}
	})
	if s.Background != "" {
		r.pending[s.Background] = done
		return nil
	}
	return r.check(s, <-done)
}

// presence waits until a client is as it is expected to be.
func (r *run) presence(ctx context.Context, s *step) error {
	web, err := client.NewHTTP(client.Options{Nodes: r.control.cluster.urls()})
	if err != nil {
		return err
	}
	if s.Refused != nil {
		_, _, err := web.Client(ctx, s.ClientID)
		return s.Refused.is(err)
	}
	return await(ctx, func() error {
		found, _, err := web.Client(ctx, s.ClientID)
		if err != nil {
			return err
		}
		lag := 0.0
		for _, device := range found.Devices {
			lag += float64(device.Lag)
		}
		is := map[string]any{"connected": found.Connected, "seq": float64(found.Seq), "lag": lag}
		if !reflect.DeepEqual(is, s.Expect) {
			return fmt.Errorf("%s is %v, want %v", s.ClientID, is, s.Expect)
		}
		return nil
	})
}
