package story

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

const (
	poisonChannel  = "poison.documents"
	poisonAttempts = 3
)

// "One document that no parser can read comes back for ever, and what stands
// behind it waits. Or it is thrown away, and nobody can say which one it was."
//
// Two poisonous events and their neighbors, of one client and so in one partition.
// The poison is tried three times; the neighbors are done meanwhile. Then it is
// found among the dead letters, with its reason and every attempt, mended and
// redriven: one over HTTP, the other by an operator's command.
func poisonIsSetAside(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	f.Command(t, "channel", "set", poisonChannel, "--max-attempts", fmt.Sprint(poisonAttempts), "--backoff", "700ms")
	p := &fleet.Person{Name: "pat", Fleet: f}
	c, h := p.Connect(t, 0), f.HTTP(t)
	options := client.WorkOptions{Channel: poisonChannel, Credit: 2, Report: fleet.Reporter(&p.History, "parser")}
	f.Work(t, 1, "parser", options, func(_ context.Context, job *client.Job) error {
		p.History.Add(fleet.Granted("parser", job))
		var text string
		if err := job.Data.Decode(&text); err != nil {
			return client.Permanent(err)
		}
		if strings.HasPrefix(text, "poison") {
			return &client.JobError{Code: "unreadable", Err: errors.New("no parser reads this")}
		}
		job.Result(text)
		job.Notify("done", job.IdempotencyKey)
		return nil
	})
	first, second := p.Publish(t, c, poisonChannel, "poison-1"), p.Publish(t, c, poisonChannel, "poison-2")
	var neighbors []string
	for i := range 10 {
		neighbors = append(neighbors, p.Publish(t, c, poisonChannel, fmt.Sprintf("neighbor-%d", i+1)).EventID)
	}
	p.Listen(t, c, len(neighbors))

	for _, poison := range []client.Receipt{first, second} {
		died := isSetAside(t, h, poison.EventID)
		for _, neighbor := range neighbors {
			if done := markTime(t, c, neighbor, "completed"); done > died {
				t.Errorf("a neighbor of the poison was done %d ms after its death", done-died)
			}
		}
	}
	redriveBoth(t, f, first.EventID, second.EventID)
	p.Listen(t, c, 2)
	for _, poison := range []client.Receipt{first, second} {
		view, err := h.Event(t.Context(), poison.EventID)
		if err != nil {
			t.Fatal(err)
		}
		done := view.Attempts[len(view.Attempts)-1]
		if view.State != "completed" || done.Attempt != poisonAttempts+1 || string(done.Result) != `"mended"` {
			t.Errorf("after it was mended the event is %s, by attempt %d with %s", view.State, done.Attempt, done.Result)
		}
	}
	p.Lastly(t, c, poisonChannel)
}

// isSetAside waits until an event is a dead letter, and returns when it died.
func isSetAside(t *testing.T, h *client.HTTP, eventID string) (diedAt int64) {
	t.Helper()
	var letter client.DeadLetter
	fleet.WaitFor(t, "the poison is a dead letter", func() error {
		page, err := h.DeadLetter(t.Context(), eventID)
		if err == nil {
			letter = page.DeadLetters[0]
		}
		return err
	})
	if letter.Reason != "retries_exhausted" || letter.Code != "unreadable" || !letter.Redrivable || len(letter.Attempts) != poisonAttempts {
		t.Errorf("the dead letter says %q, %q, with %d attempts", letter.Reason, letter.Code, len(letter.Attempts))
	}
	for i, attempt := range letter.Attempts {
		if attempt.Attempt != i+1 || attempt.Outcome != "failed" || attempt.Worker != "parser" || attempt.Node == "" ||
			attempt.Message != "no parser reads this" || attempt.EndedAt < attempt.LeasedAt {
			t.Errorf("attempt %d is told as %+v", i+1, attempt)
		}
	}
	return letter.DeadAt
}

// redriveBoth mends one event over HTTP and the other with the command.
func redriveBoth(t *testing.T, f *fleet.Fleet, overHTTP, byCommand string) {
	t.Helper()
	if listed := f.Command(t, "deadletters", "ls", "--channel", poisonChannel); !strings.Contains(listed, overHTTP) || !strings.Contains(listed, byCommand) {
		t.Errorf("the dead letters are listed as\n%s", listed)
	}
	if err := f.HTTP(t).Redrive(t.Context(), overHTTP, client.Edit{Edited: true, Data: "mended"}); err != nil {
		t.Fatal(err)
	}
	if said := f.Command(t, "deadletters", "redrive", byCommand, "--data", `"mended"`); !strings.Contains(said, "redriven") {
		t.Errorf("the redrive said %s", said)
	}
	page, err := f.HTTP(t).DeadLetters(t.Context(), client.Letters{Channel: poisonChannel})
	if err != nil || len(page.DeadLetters) > 0 {
		t.Errorf("after the redrive there are %+v, %v", page.DeadLetters, err)
	}
}

// markTime is when something happened to an event.
func markTime(t *testing.T, c *client.Client, eventID, mark string) int64 {
	t.Helper()
	trace, err := c.Trace(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range trace.Marks {
		if trace.Marks[i].Mark == mark {
			return trace.Marks[i].Time
		}
	}
	t.Fatalf("event %s has no mark %s", eventID, mark)
	return 0
}
