package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/batonmq/baton/client"
)

// published is what publishing came to.
type published struct {
	receipt client.Receipt
	err     error
}

func (r *run) publish(ctx context.Context, p *peer, s *step) error {
	one := func(data any) <-chan published {
		done := make(chan published, 1)
		r.running.Go(func() {
			bound, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			receipt, err := p.client.Publish(bound, client.Event{
				Channel: s.Channel, Key: s.Key, IdempotencyKey: s.IdempotencyKey, Delay: time.Duration(s.DelayMS) * time.Millisecond, OnEnd: s.OnEnd, Data: data,
				ClientID: s.ClientID,
			})
			done <- published{receipt, err}
		})
		return done
	}
	count := 0
	switch {
	case json.Unmarshal(s.Count, &count) == nil:
		return many(count, func(i int) <-chan published { return one(i) })
	case s.Background != "":
		done := make(chan published, 1)
		r.pending[s.Background] = done
		result := one(payload(s.Data))
		r.running.Go(func() { done <- <-result })
		return nil
	default:
		return r.check(s, <-one(payload(s.Data)))
	}
}

// many publishes all at once, each as an event of its own.
func many(count int, one func(i int) <-chan published) error {
	var results []<-chan published
	for i := range count {
		results = append(results, one(i))
	}
	events := make(map[string]bool)
	for _, result := range results {
		got := <-result
		if got.err != nil {
			return got.err
		}
		events[got.receipt.EventID] = true
	}
	if len(events) != count {
		return fmt.Errorf("%d events were stored, want %d", len(events), count)
	}
	return nil
}

// check holds what publishing came to against what was expected.
func (r *run) check(s *step, got published) error {
	if s.Refused != nil {
		return s.Refused.is(got.err)
	}
	if got.err != nil {
		return got.err
	}
	is := map[string]any{
		"event_id": got.receipt.EventID, "correlation_id": got.receipt.CorrelationID,
		"offset": float64(got.receipt.Offset), "duplicate": got.receipt.Duplicate,
	}
	for field, want := range s.Expect {
		if !reflect.DeepEqual(is[field], want) {
			return fmt.Errorf("%s is %v, want %v", field, is[field], want)
		}
	}
	if s.Save != "" {
		r.saved[s.Save] = got.receipt
	}
	return nil
}
