package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of the run without a browser.
const (
	onceTimeout  = 75 * time.Second
	holdMS       = 60_000
	askersOfOnce = 3
)

// onceQuestions are asked while nothing bad happens, and onceLater while a node
// is killed. They are about this repository; of another folder they test the
// same.
func onceQuestions() []string {
	return []string{
		"What does ok mean after publishing an event?",
		"What happens to a job when its worker is killed?",
		"How is an idempotency key used?",
		"How does a client resume its notifications after a reload?",
		"What is a lease and what is a fence?",
		"Which close codes mean that a client should not reconnect?",
	}
}

func onceLater() []string {
	return []string{
		"What is not available yet?",
		"How many nodes may fail in a cluster of three?",
		"What happens to a slow client?",
		"How are events of one key ordered?",
		"What does a gap in the notifications mean?",
		"Where does a node keep its data?",
	}
}

// onceRejected is a question whose answer is rejected in its review.
const onceRejected = "What is the best question that nobody has asked yet?"

// onceReviewed are asked beside the first: one whose answer is approved, one whose is
// rejected, and one that fails behind its charge.
func onceReviewed() []question {
	return []question{
		{Text: "Who may approve what waits for a person?", Review: true},
		{Text: onceRejected, Review: true},
		{Text: "What is undone when a step fails for good?", Fail: true},
	}
}

// onceHeld is the question that a worker is killed over.
const onceHeld = "Why is nothing lost when a worker dies in the middle of a job?"

// runOnce asks, kills, waits and checks.
func runOnce(ctx context.Context, o *options, f *fleet) error {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	r := &onceRun{options: o, fleet: f}
	defer r.close()
	for _, stage := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"connecting", r.connect},
		{"asking", r.askQuietly},
		{"killing a worker", r.killWorker},
		{"killing a node", r.killNode},
		{"waiting for answers", r.await},
		{"checking", r.check},
	} {
		if err := stage.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
	}
	return nil
}

// onceRun is the state of a run without a browser.
type onceRun struct {
	options *options
	fleet   *fleet
	askers  []*asker
	held    *asked // the question whose worker was killed
	// victim and deadNode are who was killed.
	victim, deadNode string
	lastAnswer       time.Time
}

func (r *onceRun) connect(ctx context.Context) error {
	for i := range askersOfOnce {
		a, err := newAsker(ctx, fmt.Sprintf("asker-%d", i+1), r.fleet.urlsFrom(i))
		if err != nil {
			return err
		}
		r.askers = append(r.askers, a)
	}
	return nil
}

func (r *onceRun) close() {
	for _, a := range r.askers {
		a.close()
	}
}

// askQuietly asks the first questions, from all clients in turn.
func (r *onceRun) askQuietly(ctx context.Context) error {
	questions := onceReviewed()
	for _, text := range onceQuestions() {
		questions = append(questions, question{Text: text})
	}
	for i, q := range questions {
		if _, err := r.askers[i%len(r.askers)].ask(ctx, q); err != nil {
			return err
		}
	}
	return r.await(ctx)
}

// heldJob ends the name of the job that takes long: the first item of the step search.
const heldJob = "/search/0/1"

// killWorker asks a question that keeps a worker busy, and kills the worker.
func (r *onceRun) killWorker(ctx context.Context) error {
	r.drainReports()
	q, err := r.askers[0].ask(ctx, question{Text: onceHeld, HoldMS: holdMS})
	if err != nil {
		return err
	}
	r.held = q
	for {
		select {
		case line := <-r.fleet.reports:
			if line.Doing != doingBegin || line.CorrelationID != q.correlationID || !strings.HasSuffix(line.Job, heldJob) {
				continue
			}
			return r.killByName(line.Worker)
		case <-ctx.Done():
			return fmt.Errorf("no worker began the job: %w", ctx.Err())
		}
	}
}

func (r *onceRun) drainReports() {
	for {
		select {
		case <-r.fleet.reports:
		default:
			return
		}
	}
}

func (r *onceRun) killByName(name string) error {
	for _, p := range r.fleet.all() {
		if p.name == name {
			r.victim = name
			r.options.say("kill -9 %d: worker %s, in the middle of a job", p.pid(), name)
			return p.kill()
		}
	}
	return fmt.Errorf("there is no worker %s", name)
}

// killNode kills a node that leads partitions, while questions come in.
func (r *onceRun) killNode(ctx context.Context) error {
	cluster, err := r.askers[0].client.Cluster(ctx)
	if err != nil {
		return err
	}
	led := make(map[string]int)
	for _, p := range cluster.Partitions {
		for _, m := range cluster.Members {
			if p.Leader != "" && (p.Leader == m.ID || p.Leader == m.Name) {
				led[m.Name]++
			}
		}
	}
	victim := r.fleet.nodes[0]
	for _, p := range r.fleet.nodes {
		if led[p.name] > led[victim.name] {
			victim = p
		}
	}
	if led[victim.name] == 0 {
		return errors.New("no node leads a partition")
	}
	results := make(chan error)
	later := onceLater()
	for i, text := range later {
		go func() {
			_, askErr := r.askers[i%len(r.askers)].ask(ctx, question{Text: text})
			results <- askErr
		}()
		if i == len(later)/2 {
			r.options.say("kill -9 %d: node %s, leader of %d partitions of %d", victim.pid(), victim.name, led[victim.name], len(cluster.Partitions))
			r.deadNode = victim.name
			err = victim.kill()
		}
	}
	for range later {
		err = errors.Join(err, <-results)
	}
	return err
}

// await waits until every question's run has ended.
func (r *onceRun) await(ctx context.Context) error {
	for _, a := range r.askers {
		if err := a.awaitAll(ctx); err != nil {
			return err
		}
	}
	r.lastAnswer = time.Now()
	return nil
}
