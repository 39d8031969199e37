package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

const (
	// pause is how long the model of the slow worker thinks, at most: it is let go
	// when everybody else was answered.
	pause = 4 * time.Second
	// credit is how many questions each worker takes at a time.
	credit = 4
	// askers ask questionsEach times, once in askEvery.
	askers        = 8
	questionsEach = 15
	askEvery      = 80 * time.Millisecond
	// rounds are measured, of at most so many: one in which a partition had to
	// elect a leader says nothing of workers.
	rounds, mostRounds = 2, 6
)

// "One of our workers waits for a model that sometimes takes seconds. All others
// are idle, and yet users wait: their questions stand behind the slow one."
//
// The same load is measured in turns, with three workers at work, and with one of
// them in the middle of a long thought. Nobody may wait for it but those whose
// questions it has, which are no more than it asked for.
func slowWorkerDelaysNobody(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	c := newCrowd(t, f)
	var calm, beside []time.Duration
	measured := 0
	for round := 0; measured < rounds; round++ {
		if round == mostRounds {
			t.Fatalf("leaders changed in %d of %d rounds", round-measured, round)
		}
		before := c.generations(t)
		without := c.ask(t)
		with := c.askBesideSlow(t)
		if c.generations(t) != before {
			t.Log("a leader changed; once more")
			continue
		}
		calm, beside = append(calm, without...), append(beside, with...)
		measured++
	}
	half, whole := percentile(calm, 50), percentile(calm, 99)
	t.Logf("without the slow worker p50 %v, p99 %v, most %v; beside it p50 %v, p99 %v, most %v: p50 times %.2f, p99 times %.2f",
		half, whole, slices.Max(calm), percentile(beside, 50), percentile(beside, 99), slices.Max(beside),
		ratio(percentile(beside, 50), half), ratio(percentile(beside, 99), whole))
	if most := slices.Max(beside); most >= pause/2 {
		t.Errorf("somebody waited for %v while another's model thought for %v", most, pause)
	}
	if r := ratio(percentile(beside, 50), half); r > 4 {
		t.Errorf("half of the others waited %.1f times as long as without the slow worker", r)
	}
}

// crowd is who asks, and who answers.
type crowd struct {
	askers []*client.Client
	phase  int

	mu struct {
		sync.Mutex

		slow    bool
		thought chan struct{}            // closed when the slow worker may go on
		held    map[string]bool          // the questions that it had
		asked   map[string]time.Time     // by question
		waited  map[string]time.Duration // for its answer
	}
}

func newCrowd(t *testing.T, f *fleet.Fleet) *crowd {
	t.Helper()
	c := &crowd{}
	c.mu.asked, c.mu.waited = make(map[string]time.Time), make(map[string]time.Duration)
	for i := range fleet.NodeCount {
		name := fmt.Sprintf("slow-worker-%d", i+1)
		f.Work(t, i, name, client.WorkOptions{Channel: "slow", Credit: credit}, func(ctx context.Context, job *client.Job) error {
			if i == 0 {
				c.think(ctx, job.IdempotencyKey)
			}
			job.Notify("answer", job.IdempotencyKey)
			return nil
		})
	}
	for i := range askers {
		name := fmt.Sprintf("asker-%d", i+1)
		asker := fleet.Dial(t, client.Options{Nodes: f.URLs(i), InOrder: true, ClientID: name})
		c.askers = append(c.askers, asker)
		listening := make(chan struct{})
		t.Cleanup(func() {
			_ = asker.Close()
			<-listening
		})
		go func() {
			defer close(listening)
			fleet.Report(t, name, asker.Listen(t.Context(), client.ListenOptions{}, c.answered))
		}()
	}
	return c
}

// think is the slow worker's model.
func (c *crowd) think(ctx context.Context, question string) {
	c.mu.Lock()
	slow, thought := c.mu.slow, c.mu.thought
	if slow {
		c.mu.held[question] = true
	}
	c.mu.Unlock()
	if !slow {
		return
	}
	longest := time.NewTimer(pause)
	defer longest.Stop()
	select {
	case <-longest.C:
	case <-thought:
	case <-ctx.Done():
	}
}

func (c *crowd) answered(_ context.Context, n *client.Notification) error {
	var question string
	if err := n.Data.Decode(&question); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.waited[question] = time.Since(c.mu.asked[question])
	return nil
}

// askBesideSlow is ask while the slow worker thinks.
func (c *crowd) askBesideSlow(t *testing.T) []time.Duration {
	t.Helper()
	c.mu.Lock()
	c.mu.slow, c.mu.thought = true, make(chan struct{})
	c.mu.Unlock()
	waits := c.ask(t)
	if n := askers*questionsEach - len(waits); n == 0 || n > credit {
		t.Errorf("the slow worker had %d questions; want some, or this says nothing, and at most %d", n, credit)
	}
	return waits
}

// ask has everybody ask at their pace, and returns how long each answer took,
// but for what the slow worker held.
func (c *crowd) ask(t *testing.T) []time.Duration {
	t.Helper()
	c.phase++
	c.mu.Lock()
	c.mu.held = make(map[string]bool)
	c.mu.Unlock()
	var asking sync.WaitGroup
	for i, asker := range c.askers {
		asking.Go(func() { c.askAll(t, asker, fmt.Sprintf("%d-%d", c.phase, i+1)) })
	}
	asking.Wait()
	c.await(t, "everybody else is answered", func(question string) bool { return !c.mu.held[question] })
	c.mu.Lock()
	held := c.mu.held
	if c.mu.slow {
		c.mu.slow = false
		close(c.mu.thought)
	}
	c.mu.Unlock()
	c.await(t, "all are answered", func(string) bool { return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for question, waited := range c.mu.waited {
		if !held[question] {
			all = append(all, waited)
		}
	}
	clear(c.mu.asked)
	clear(c.mu.waited)
	return all
}

// askAll asks at a pace, whatever becomes of the answers: who waits for an answer
// before asking again does not see how long the next one would have waited.
func (c *crowd) askAll(t *testing.T, asker *client.Client, name string) {
	t.Helper()
	pace := time.NewTicker(askEvery)
	defer pace.Stop()
	for i := range questionsEach {
		question := fmt.Sprintf("%s-%d", name, i+1)
		c.mu.Lock()
		c.mu.asked[question] = time.Now()
		c.mu.Unlock()
		event := client.Event{Channel: "slow", IdempotencyKey: question, Data: question}
		if err := asker.PublishAsync(t.Context(), event, func(_ client.Receipt, err error) { fleet.Report(t, name, err) }); err != nil {
			t.Error(err)
			return
		}
		<-pace.C
	}
}

// await waits for the answers that are wanted.
func (c *crowd) await(t *testing.T, what string, wanted func(question string) bool) {
	t.Helper()
	fleet.WaitFor(t, what, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for question := range c.mu.asked {
			if _, done := c.mu.waited[question]; !done && wanted(question) {
				return errors.New(question + " is not answered")
			}
		}
		return nil
	})
}

// generations changes when a partition has a new leader.
func (c *crowd) generations(t *testing.T) uint64 {
	t.Helper()
	cluster, err := c.askers[0].Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, p := range cluster.Partitions {
		sum += p.Generation
	}
	return sum
}

// percentile is what so many of a hundred waited at most.
func percentile(waits []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[(len(sorted)-1)*percent/100]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
