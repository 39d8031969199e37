package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

const (
	cancelSplit, cancelRead = "cancel.split", "cancel.read"
	cancelParts             = 5
)

// "The user has pressed Stop, or closed the page. Our models go on for minutes, with
// a question nobody asks any more. And of those who wait, none can be told when the
// last of the parts is done: no worker knows of the others."
//
// A question is split into parts in other partitions, for one worker. The first
// question is canceled while the worker thinks about its first part: the worker is
// told, the other parts are given to nobody, and the client is notified of the end.
// The second one runs to its end, which is told after the last of its answers.
func stopMeansStop(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	c := fleet.Dial(t, client.Options{Nodes: f.URLs(0), InOrder: true, ClientID: "cam"})
	f.Work(t, 1, "splitter", client.WorkOptions{Channel: cancelSplit}, func(_ context.Context, job *client.Job) error {
		for i := range cancelParts {
			job.Emit(cancelRead, job.Data, client.WithKey(fmt.Sprintf("part-%d", i+1)))
		}
		return nil
	})
	begun, told := startReader(t, f)

	first := publishWithEnd(t, c, "to be stopped")
	if question := receive(t, "the worker begins", begun); question != "to be stopped" {
		t.Fatalf("the worker began with %q", question)
	}
	if err := c.CancelLineage(t.Context(), first.CorrelationID, "the user pressed Stop"); err != nil {
		t.Fatal(err)
	}
	cause := receive(t, "the worker is told", told)
	if canceled, ok := errors.AsType[*client.CanceledError](cause); !ok || canceled.Reason != "the user pressed Stop" {
		t.Errorf("the worker was told %v", cause)
	}
	second := publishWithEnd(t, c, "to be answered")
	names, ends := listenForEnds(t, c, 2)

	if want := []string{"end", "answer", "answer", "answer", "answer", "answer", "end"}; !slices.Equal(names, want) {
		t.Errorf("the client was told %v, want %v", names, want)
	}
	for i, want := range []client.End{
		{CorrelationID: first.CorrelationID, EventID: first.EventID, State: "canceled"},
		{CorrelationID: second.CorrelationID, EventID: second.EventID, State: "completed"},
	} {
		if ends[i] != want {
			t.Errorf("the end was told as %+v, want %+v", ends[i], want)
		}
	}
	for range cancelParts {
		if question := receive(t, "the worker's jobs", begun); question != "to be answered" {
			t.Errorf("another part of what was canceled was given to the worker")
		}
	}
	trace, err := c.Trace(t.Context(), first.CorrelationID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range trace.Events {
		if e := &trace.Events[i]; e.Channel == cancelRead && e.State != "canceled" {
			t.Errorf("%s of what was canceled is %s", e.Key, e.State)
		}
	}
}

// startReader starts the worker of the parts, one at a time. It tells which question
// it begins with, and how it is stopped.
func startReader(t *testing.T, f *fleet.Fleet) (begins <-chan string, stops <-chan error) {
	t.Helper()
	begun, told := make(chan string, 2*cancelParts), make(chan error, 2*cancelParts)
	f.Work(t, 2, "reader", client.WorkOptions{Channel: cancelRead, Credit: 1}, func(ctx context.Context, job *client.Job) error {
		var question string
		if err := job.Data.Decode(&question); err != nil {
			return client.Permanent(err)
		}
		begun <- question
		if question == "to be stopped" {
			<-ctx.Done() // The model thinks until it is told to stop.
			told <- context.Cause(ctx)
			return context.Cause(ctx)
		}
		job.Notify("answer", question)
		return nil
	})
	return begun, told
}

func publishWithEnd(t *testing.T, c *client.Client, question string) client.Receipt {
	t.Helper()
	receipt, err := c.Publish(t.Context(), client.Event{Channel: cancelSplit, Data: question, OnEnd: "end"})
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// receive takes the next of what a worker tells.
func receive[T any](t *testing.T, what string, from <-chan T) (value T) {
	t.Helper()
	fleet.WaitFor(t, what, func() error {
		select {
		case value = <-from:
			return nil
		default:
			return errors.New("not yet")
		}
	})
	return value
}

// listenForEnds listens until so many lineages have ended, and returns the names
// of all notifications.
func listenForEnds(t *testing.T, c *client.Client, count int) (names []string, ends []client.End) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fleet.Patience)
	defer cancel()
	err := c.Listen(ctx, client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
		names = append(names, n.Name)
		if n.Name != "end" {
			return nil
		}
		var end client.End
		if err := n.Data.Decode(&end); err != nil {
			return err
		}
		if ends = append(ends, end); len(ends) == count {
			return client.ErrStop
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the client was told %v: %v", names, err)
	}
	return names, ends
}
