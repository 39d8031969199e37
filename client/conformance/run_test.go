package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
)

// run is one run of one case with the Go client.
type run struct {
	prefix    string
	encoding  client.Encoding
	control   *control
	running   sync.WaitGroup
	clients   map[string]*peer
	workers   map[string]*worker
	followers map[string]*follower
	readers   map[string]*reader
	positions map[string]client.StreamPosition
	stores    map[string]*client.Resume
	saved     map[string]client.Receipt
	pending   map[string]chan published
	mu        sync.Mutex // guards the rest
	counters  map[string]int
	leases    map[string]string
	problems  []string
}

// runGo runs the cases that are for all, or one by its name.
func runGo(t *testing.T, k *control, encoding client.Encoding, only string) {
	t.Helper()
	for i, c := range casesFor(t, only) {
		t.Run(c.Name, func(t *testing.T) {
			prefix := fmt.Sprintf("go-%d-%d", encoding, i)
			if only != "" {
				prefix = together
			}
			if err := runCase(t.Context(), k, encoding, &c, prefix); err != nil {
				t.Error(err)
			}
		})
	}
}

func runCase(ctx context.Context, k *control, encoding client.Encoding, c *scenario, prefix string) error {
	r := &run{
		prefix: prefix, encoding: encoding, control: k, clients: make(map[string]*peer), workers: make(map[string]*worker),
		followers: make(map[string]*follower), stores: make(map[string]*client.Resume), saved: make(map[string]client.Receipt), pending: make(map[string]chan published),
		counters: make(map[string]int), leases: make(map[string]string), readers: make(map[string]*reader), positions: make(map[string]client.StreamPosition),
	}
	life, end := context.WithCancel(ctx)
	var failed error
	for i, raw := range c.Steps {
		s := &step{}
		if failed = r.read(raw, s, nil); failed == nil {
			failed = r.step(life, s, raw)
		}
		if failed != nil {
			failed = fmt.Errorf("step %d (%s): %w", i+1, s.Do, failed)
			break
		}
	}
	end()
	for _, p := range r.clients {
		_ = p.client.Close()
	}
	r.running.Wait()
	if err := k.do(ctx, &order{Action: "reset"}); err != nil {
		return err
	}
	for _, problem := range r.problems {
		failed = errors.Join(failed, errors.New(problem))
	}
	for name, p := range r.clients {
		if left := p.take(); failed == nil && len(left) > 0 {
			failed = fmt.Errorf("%s was notified of %s, which was not expected", name, left)
		}
	}
	return failed
}

// read decodes a step, or an operation, with what stands for something else put
// in; own are an operation's words.
func (r *run) read(raw json.RawMessage, into any, own map[string]any) error {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	delete(fields, "calls") // Their words have a meaning only when they run.
	filled, err := json.Marshal(r.fill(fields, own))
	if err != nil {
		return err
	}
	return json.Unmarshal(filled, into)
}

func (r *run) fill(value any, own map[string]any) any {
	switch v := value.(type) {
	case string:
		return r.fillText(v, own)
	case []any:
		for i := range v {
			v[i] = r.fill(v[i], own)
		}
		return v
	case map[string]any:
		if n, ok := v["$letters"].(float64); ok {
			return strings.Repeat("x", int(n))
		}
		filled := make(map[string]any)
		for name, item := range maps.All(v) {
			filled[name] = r.fill(item, own)
		}
		return filled
	default:
		return v
	}
}

func (r *run) fillText(text string, own map[string]any) any {
	if value, ok := own[text]; ok {
		return value
	}
	name, field, reference := strings.Cut(strings.TrimPrefix(text, "$"), ".")
	if receipt, ok := r.saved[name]; ok && reference && text[0] == '$' {
		switch field {
		case "event_id":
			return receipt.EventID
		case "correlation_id":
			return receipt.CorrelationID
		case "offset":
			return receipt.Offset
		}
	}
	return strings.ReplaceAll(text, "%", r.prefix+"-")
}

func (r *run) count(counter string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counters[counter]++
}

func (r *run) awaitCount(ctx context.Context, counter string, is int) error {
	return await(ctx, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.counters[counter] != is {
			return fmt.Errorf("counter %s is %d, want %d", counter, r.counters[counter], is)
		}
		return nil
	})
}

// problem takes note of what a worker found wrong.
func (r *run) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// step is one step, with the fields of all kinds.
type step struct {
	order

	Do             string          `json:"do"`
	As             string          `json:"as"`
	On             string          `json:"on"`
	Nodes          []int           `json:"nodes"`
	GivenOnly      bool            `json:"given_only"`
	ClientID       string          `json:"client_id"`
	ClientIDs      []string        `json:"client_ids"`
	DeviceID       string          `json:"device_id"`
	Window         int             `json:"window"`
	Store          string          `json:"store"`
	Resume         json.RawMessage `json:"resume"`
	Key            string          `json:"key"`
	IdempotencyKey string          `json:"idempotency_key"`
	Data           json.RawMessage `json:"data"`
	Count          json.RawMessage `json:"count"`
	Save           string          `json:"save"`
	Background     string          `json:"background"`
	Expect         map[string]any  `json:"expect"`
	Refused        *refusal        `json:"error"`
	ManualAck      bool            `json:"manual_ack"`
	InAnyOrder     bool            `json:"in_any_order"`
	Names          []string        `json:"names"`
	CorrelationID  string          `json:"correlation_id"`
	Reason         string          `json:"reason"`
	IsNot          int             `json:"is_not"`
	Group          string          `json:"group"`
	From           client.From     `json:"from"`
	Credit         int             `json:"credit"`
	LeaseMS        int64           `json:"lease_ms"`
	Worker         string          `json:"worker"`
	Reports        []string        `json:"reports"`
	Follower       string          `json:"follower"`
	Name           string          `json:"name"`
	DelayMS        int64           `json:"delay_ms"`
	OnEnd          string          `json:"on_end"`
	Counter        string          `json:"counter"`
	Stream         string          `json:"stream"`
	Reader         string          `json:"reader"`
	After          string          `json:"after"`
	Text           string          `json:"text"`
	Final          bool            `json:"final"`
	Lease          string          `json:"lease"`
	Kind           string          `json:"kind"`
	Notify         []said          `json:"notify"`
	Emit           []said          `json:"emit"`
}

// said is a notification or an event of a completion from outside.
type said struct {
	Name    string          `json:"name"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// refusal is an error that is expected.
type refusal struct {
	Code      int    `json:"code"`
	Reason    string `json:"reason"`
	Retryable bool   `json:"retryable"`
}

// step does one step.
func (r *run) step(ctx context.Context, s *step, raw json.RawMessage) error {
	switch s.Do {
	case "connect":
		return r.connect(ctx, s)
	case "control":
		return r.control.do(ctx, &s.order)
	case "count":
		r.count(s.Counter)
		return nil
	case "wait_for":
		return r.awaitCount(ctx, s.Counter, int(s.Is))
	case "await":
		return r.check(s, <-r.pending[s.Background])
	case "expect_events", "stop_follow":
		f := r.followers[s.Follower]
		if f == nil {
			return fmt.Errorf("there is no follower %q", s.Follower)
		}
		return f.step(ctx, s)
	case "expect_stream", "stop_read":
		reading := r.readers[s.Reader]
		if reading == nil {
			return fmt.Errorf("there is no reader %q", s.Reader)
		}
		return reading.step(ctx, r, s)
	case "expect_reports", "expect_report_count", "stop_work":
		w := r.workers[s.Worker]
		if w == nil {
			return fmt.Errorf("there is no worker %q", s.Worker)
		}
		return w.step(ctx, r, s)
	}
	for _, ending := range s.peers() {
		p := r.clients[s.On+ending]
		if p == nil {
			return fmt.Errorf("there is no client %q", s.On+ending)
		}
		if err := r.stepOf(ctx, p, s, raw); err != nil {
			return err
		}
	}
	return nil
}

// peers are the endings of the names of those who do a step.
func (s *step) peers() []string {
	if s.Do == "expect_notifications" {
		return s.each()
	}
	return []string{""}
}

// stepOf does a step of a client.
func (r *run) stepOf(ctx context.Context, p *peer, s *step, raw json.RawMessage) error {
	switch s.Do {
	case "close":
		return p.close()
	case "publish":
		return r.publish(ctx, p, s)
	case "listen_for":
		r.listenFor(ctx, p, s)
		return nil
	case "stop_listening":
		p.stopListening()
		return nil
	case "broadcast":
		return r.broadcast(ctx, p, s)
	case "presence":
		return r.presence(ctx, s)
	case "cancel":
		return p.client.CancelEvent(ctx, s.EventID, s.Reason)
	case "cancel_lineage":
		return p.client.CancelLineage(ctx, s.CorrelationID, s.Reason)
	case "work":
		return r.work(ctx, p, s, raw)
	case "follow":
		return r.follow(ctx, p, s)
	case "read_stream":
		r.readStream(ctx, p, s)
		return nil
	case "complete_lease", "fail_lease":
		return r.endLease(ctx, p, s)
	default:
		return p.step(ctx, r, s)
	}
}
