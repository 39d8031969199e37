package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/batonmq/baton/client"
)

// peer is a client of a case, and what came to it.
type peer struct {
	client *client.Client
	store  *client.Resume
	last   uint64 // seq that was expected last

	// Of one that a backend listens for.
	stop    context.CancelFunc
	stopped chan struct{}

	mu     sync.Mutex // guards the rest
	inbox  []*client.Notification
	gaps   []client.Gap
	synced bool
}

func (r *run) connect(ctx context.Context, s *step) error {
	urls := r.control.cluster.urls()
	o := client.Options{Encoding: r.encoding, InOrder: true, GivenOnly: s.GivenOnly, ClientID: s.ClientID, DeviceID: s.DeviceID, Name: s.As, Nodes: urls}
	if s.Nodes != nil {
		o.Nodes = nil
		for _, at := range s.Nodes {
			o.Nodes = append(o.Nodes, urls[at])
		}
	}
	p := &peer{}
	if s.Store != "" {
		if r.stores[s.Store] == nil {
			r.stores[s.Store] = &client.Resume{}
		}
		p.store = r.stores[s.Store]
		o.Resume = *p.store
	}
	if s.Resume != nil {
		o.Resume = s.resume()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	p.client, err = client.Dial(ctx, o)
	if err == nil {
		r.clients[s.As] = p
	}
	return err
}

// resume is where a stream is to begin.
func (s *step) resume() client.Resume {
	var after struct {
		Epoch string
		Seq   uint64
	}
	switch {
	case string(s.Resume) == `"live"`:
		return client.ResumeLive()
	case json.Unmarshal(s.Resume, &after) == nil:
		return client.ResumeAfter(after.Epoch, after.Seq)
	default:
		return client.Resume{}
	}
}

// close keeps the position, as the program would.
func (p *peer) close() error {
	if epoch, seq, ok := p.client.Position(); ok && p.store != nil {
		*p.store = client.ResumeAfter(epoch, seq)
	}
	return p.client.Close()
}

func (p *peer) step(ctx context.Context, r *run, s *step) error {
	switch s.Do {
	case "listen":
		p.listen(ctx, r, s)
		return nil
	case "expect_notifications":
		return p.expect(ctx, s)
	case "expect_gap":
		return p.look(ctx, func() error {
			if len(p.gaps) == 0 || p.gaps[0].Reason != s.Reason {
				return fmt.Errorf("gaps %v, want one that is %s", p.gaps, s.Reason)
			}
			return nil
		})
	case "expect_synced":
		if err := p.look(ctx, func() error {
			if !p.synced {
				return errors.New("the stream is not live")
			}
			return nil
		}); err != nil {
			return err
		}
		if replayed := p.take(); len(replayed) > 0 {
			return fmt.Errorf("replayed %s", replayed)
		}
		return nil
	case "expect_node":
		return await(ctx, func() error {
			if at := p.client.Node(); at == "" || at == fmt.Sprintf("n%d", s.IsNot) {
				return fmt.Errorf("connected to %q", at)
			}
			return nil
		})
	default:
		return fmt.Errorf("there is no step %q", s.Do)
	}
}

func (p *peer) listen(ctx context.Context, r *run, s *step) {
	r.running.Go(func() {
		_ = p.client.Listen(ctx, p.options(s), func(_ context.Context, n *client.Notification) error {
			p.locked(func() { p.inbox = append(p.inbox, n) })
			return nil
		})
	})
}

// options have what comes between notifications written down.
func (p *peer) options(s *step) client.ListenOptions {
	return client.ListenOptions{
		ManualAck: s.ManualAck,
		OnGap:     func(gap client.Gap) { p.locked(func() { p.gaps = append(p.gaps, gap) }) },
		OnSynced:  func(uint64) { p.locked(func() { p.synced = true }) },
	}
}

func (p *peer) locked(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// look waits for something of what came.
func (p *peer) look(ctx context.Context, done func() error) error {
	return await(ctx, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		return done()
	})
}

// take empties the inbox, and returns the data.
func (p *peer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var data []string
	for _, n := range p.inbox {
		data = append(data, n.Data.String())
	}
	p.inbox = nil
	return data
}

func (p *peer) expect(ctx context.Context, s *step) error {
	var want []any
	if err := json.Unmarshal(s.Data, &want); err != nil {
		return err
	}
	var got []*client.Notification
	if err := p.look(ctx, func() error {
		if got = p.inbox; len(got) < len(want) {
			return fmt.Errorf("%d notifications, want %d", len(got), len(want))
		}
		p.inbox = nil
		return nil
	}); err != nil {
		return err
	}
	var data []any
	for i, n := range got {
		if p.last > 0 && n.Seq != p.last+1 {
			return fmt.Errorf("seq %d after %d", n.Seq, p.last)
		}
		p.last = n.Seq
		if err := s.hasFields(i, n); err != nil {
			return err
		}
		data = append(data, plain(n.Data))
	}
	if s.InAnyOrder {
		slices.SortFunc(data, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	if !reflect.DeepEqual(data, want) {
		return fmt.Errorf("data %v, want %v", data, want)
	}
	return nil
}

// hasFields holds one notification against what was expected of all, and of its name.
func (s *step) hasFields(i int, n *client.Notification) error {
	switch {
	case s.ClientID != "" && n.ClientID != s.ClientID:
		return fmt.Errorf("client id %s, want %s", n.ClientID, s.ClientID)
	case s.CorrelationID != "" && n.CorrelationID != s.CorrelationID:
		return fmt.Errorf("correlation id %s, want %s", n.CorrelationID, s.CorrelationID)
	case s.Names != nil && (i >= len(s.Names) || n.Name != s.Names[i]):
		return fmt.Errorf("notification %d is called %s, want %v", i, n.Name, s.Names)
	default:
		return nil
	}
}

// plain is data as cases.json says it.
func plain(data client.Payload) (value any) {
	if data.IsBytes() {
		bytes := []any{}
		for _, b := range data.Bytes() {
			bytes = append(bytes, float64(b))
		}
		return map[string]any{"$bytes": bytes}
	}
	_ = data.Decode(&value)
	return value
}

// payload is data as the client takes it.
func payload(raw json.RawMessage) any {
	var bytes struct {
		Bytes []int `json:"$bytes"`
	}
	if json.Unmarshal(raw, &bytes) == nil && bytes.Bytes != nil {
		data := []byte{}
		for _, b := range bytes.Bytes {
			data = append(data, byte(b))
		}
		return data
	}
	if raw == nil {
		return nil
	}
	return raw
}
