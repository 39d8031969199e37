package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// check ends an example that did not work out.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// startNode runs a one-node cluster for an example, on free ports and in a
// directory of its own.
func startNode() (url string, stop func()) {
	dir, err := os.MkdirTemp("", "baton-example-*")
	check(err)
	n, err := node.New(node.Config{
		Name: "example", DataDir: dir, Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(n.Start(ctx))
	for n.Ready(ctx) != nil && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	return n.ClientURL(), func() {
		_ = n.Stop(context.Background())
		_ = os.RemoveAll(dir)
	}
}

// A question goes to a worker, and its answer comes back to who asked.
func Example() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	// The worker.
	worker, err := client.Dial(ctx, client.Options{Nodes: []string{url}, Name: "greeter"})
	check(err)
	working, stopWorking := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() {
		worked <- worker.Work(working, client.WorkOptions{Channel: "names"}, func(_ context.Context, job *client.Job) error {
			var name string
			if bad := job.Data.Decode(&name); bad != nil {
				return client.Permanent(bad)
			}
			job.Notify("greeting", "Hello, "+name+"!")
			return nil
		})
	}()

	// The client.
	ana, err := client.Dial(ctx, client.Options{Nodes: []string{url}, ClientID: "ana"})
	check(err)
	_, err = ana.Publish(ctx, client.Event{Channel: "names", Data: "Ana"})
	check(err)
	err = ana.Listen(ctx, client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
		fmt.Println(n.Seq, n.Name, n.Data)
		return client.ErrStop
	})
	check(err)

	stopWorking()
	fmt.Println("worker:", <-worked)
	_ = ana.Close()
	_ = worker.Close()
	// Output:
	// 1 greeting "Hello, Ana!"
	// worker: <nil>
}

// Publishing twice under one idempotency key stores one event.
func ExampleClient_Publish() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.Options{Nodes: []string{url}, ClientID: "ana"})
	check(err)
	defer func() { _ = c.Close() }()

	order := client.Event{Channel: "orders", IdempotencyKey: "order-7", Data: map[string]int{"books": 2}}
	first, err := c.Publish(ctx, order)
	check(err)
	again, err := c.Publish(ctx, order)
	check(err)
	fmt.Println(again.Duplicate, again.EventID == first.EventID)

	order.Data = map[string]int{"books": 3}
	_, err = c.Publish(ctx, order)
	fmt.Println(errors.Is(err, client.ErrIdempotencyConflict))
	// Output:
	// true true
	// true
}

// What a client misses while it is away waits for it; a stream goes on where
// its position says.
func ExampleClient_Listen() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	options := client.Options{Nodes: []string{url}, ClientID: "ana"}
	c, err := client.Dial(ctx, options)
	check(err)
	working, stopWorking := context.WithCancel(ctx)
	defer stopWorking()
	work := client.WorkOptions{Channel: "count", Credit: 1, Report: func(job *client.Job, _ error) {
		if job.Data.String() == "3" { // the last one
			stopWorking()
		}
	}}
	for i := range 4 {
		_, err = c.Publish(ctx, client.Event{Channel: "count", Data: i})
		check(err)
	}

	check(c.Work(working, work, func(_ context.Context, job *client.Job) error {
		job.Notify("counted", job.Data)
		return nil
	}))

	two := func(c *client.Client) {
		seen := 0
		check(c.Listen(ctx, client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
			fmt.Println("notification", n.Seq)
			if seen++; seen == 2 {
				return client.ErrStop
			}
			return nil
		}))
	}
	two(c)
	epoch, seq, _ := c.Position()
	_ = c.Close()

	options.Resume = client.ResumeAfter(epoch, seq)
	c, err = client.Dial(ctx, options)
	check(err)
	two(c)
	_ = c.Close()
	// Output:
	// notification 1
	// notification 2
	// notification 3
	// notification 4
}

// A handler's error says whether, and when, the job is tried again.
func ExampleClient_Work() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.Options{Nodes: []string{url}, ClientID: "ana"})
	check(err)
	working, stopWorking := context.WithCancel(ctx)
	receipt, err := c.Publish(ctx, client.Event{Channel: "pages", Data: 7})
	check(err)
	options := client.WorkOptions{
		Channel: "pages", Lease: 15 * time.Second,
		Report: func(job *client.Job, err error) {
			fmt.Println("attempt", job.Attempt, "ended:", err)
			if err == nil {
				stopWorking()
			}
		},
	}
	err = c.Work(working, options, func(ctx context.Context, job *client.Job) error {
		if job.Attempt == 1 {
			return client.RetryAfter(errors.New("the model is warming up"), 10*time.Millisecond)
		}
		job.Emit("pages.done", map[string]any{"of": job.EventID})
		return ctx.Err() // nil, unless the lease was lost meanwhile
	})
	check(err)
	trace, err := c.Trace(ctx, receipt.CorrelationID)
	check(err)
	fmt.Println(len(trace.Events), "events")
	_ = c.Close()
	// Output:
	// attempt 1 ended: the model is warming up
	// attempt 2 ended: <nil>
	// 2 events
}

// A model call is paid for once, though the step behind it fails at first.
func ExampleOnce() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.Options{Nodes: []string{url}, ClientID: "ana"})
	check(err)
	_, err = c.Publish(ctx, client.Event{Channel: "paid", Data: "why is the sky blue?"})
	check(err)

	working, stopWorking := context.WithCancel(ctx)
	err = c.Work(working, client.WorkOptions{Channel: "paid"}, func(ctx context.Context, job *client.Job) error {
		answer, failed := client.Once(ctx, job, "model", func(context.Context) (string, error) {
			fmt.Println("the model is called")
			return "scattering", nil
		})
		if failed != nil {
			return failed
		}
		if job.Attempt == 1 {
			return client.RetryAfter(errors.New("the index is down"), time.Millisecond)
		}
		fmt.Println("attempt", job.Attempt, "has", answer)
		stopWorking()
		return nil
	})
	check(err)
	check(c.Close())
	// Output:
	// the model is called
	// attempt 2 has scattering
}

// Every follower of a channel gets every event. One with a name goes on behind what
// it committed, wherever it comes back.
func ExampleClient_Follow() {
	url, stop := startNode()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.Options{Nodes: []string{url}, ClientID: "ana"})
	check(err)
	defer func() { _ = c.Close() }()
	for _, name := range []string{"first", "second", "third"} {
		_, err = c.Publish(ctx, client.Event{Channel: "names", Data: name})
		check(err)
	}

	options := client.FollowOptions{Channel: "names", Name: "audit", From: client.FromEarliest}
	until := func(last string) func(context.Context, *client.FollowedEvent) error {
		return func(_ context.Context, e *client.FollowedEvent) error {
			fmt.Println(e.Data)
			if e.Data.String() == last {
				return client.ErrStop
			}
			return nil
		}
	}
	check(c.Follow(ctx, options, until(`"second"`)))
	fmt.Println("and later:")
	check(c.Follow(ctx, options, until(`"third"`)))
	// Output:
	// "first"
	// "second"
	// and later:
	// "third"
}
