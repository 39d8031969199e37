package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// "The user says that he never got an answer. Which service had his question, how
// often, and where did it stop? We look through the logs of five machines and know
// the next morning."
//
// A question is split into three documents with keys, and so partitions, of their
// own; for one of them the model is busy at first. One look-up tells the whole way:
// who published, which worker on which node had it at which attempt, why one
// failed, what went to another partition, and when each answer was delivered to
// the client and acknowledged.
func eventIsTraced(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const split, read, documents = "trace.split", "trace.read", 3
	f.Command(t, "channel", "set", read, "--backoff", "100ms")
	p := &fleet.Person{Name: "iris", Fleet: f}
	c := p.Connect(t, 0)
	f.Work(t, 1, "splitter", client.WorkOptions{Channel: split}, func(_ context.Context, job *client.Job) error {
		for i := range documents {
			document := fmt.Sprintf("document-%d", i+1)
			job.Emit(read, document, client.WithKey(document))
		}
		return nil
	})
	f.Work(t, 2, "reader", client.WorkOptions{Channel: read}, func(_ context.Context, job *client.Job) error {
		if job.Attempt == 1 && job.Key == "document-2" {
			return &client.JobError{Code: "busy", Err: errors.New("the model is busy")}
		}
		job.Notify("answer", job.Key)
		return nil
	})
	question := p.Publish(t, c, split, "question")
	p.Listen(t, c, documents)

	trace := acknowledgedTrace(t, c, question.CorrelationID, documents)
	answered := []string{"relayed to another partition", "notified iris", "delivered iris", "acknowledged iris"}
	for key, want := range map[string][]string{
		"iris": {
			"published", "leased splitter n2 attempt 1", "completed splitter n2 attempt 1",
			"relayed to another partition", "relayed to another partition", "relayed to another partition",
		},
		"document-1": append([]string{"published", "leased reader n3 attempt 1", "completed reader n3 attempt 1"}, answered...),
		"document-2": append([]string{
			"published", "leased reader n3 attempt 1", "failed reader n3 attempt 1 (busy: the model is busy)",
			"leased reader n3 attempt 2", "completed reader n3 attempt 2",
		}, answered...),
		"document-3": append([]string{"published", "leased reader n3 attempt 1", "completed reader n3 attempt 1"}, answered...),
	} {
		event := eventOf(t, trace, key)
		if event.State != "completed" || event.CausationID != question.EventID {
			t.Errorf("%s is %s, and was caused by %s", key, event.State, event.CausationID)
		}
		if way := wayOf(trace, event.EventID); !slices.Equal(way, want) {
			t.Errorf("the way of %s is\n\t%s\nwant\n\t%s", key, strings.Join(way, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
	begun := eventOf(t, trace, "iris").Time
	for i := range trace.Marks {
		if m := &trace.Marks[i]; m.Time < begun || i > 0 && m.Time < trace.Marks[i-1].Time {
			t.Errorf("the mark %s at %d stands after one at %d", m.Mark, m.Time, trace.Marks[max(i-1, 0)].Time)
		}
	}
	if told := f.Command(t, "trace", question.CorrelationID); !strings.Contains(told, "the model is busy") || strings.Count(told, "acknowledged") != documents {
		t.Errorf("the command tells\n%s", told)
	}
}

// acknowledgedTrace looks a lineage up when all its answers were acknowledged.
func acknowledgedTrace(t *testing.T, c *client.Client, correlationID string, answers int) *client.Trace {
	t.Helper()
	var trace *client.Trace
	fleet.WaitFor(t, "the answers are acknowledged", func() (err error) {
		if trace, err = c.Trace(t.Context(), correlationID); err != nil {
			return err
		}
		acknowledged := 0
		for i := range trace.Marks {
			if trace.Marks[i].Mark == "acknowledged" {
				acknowledged++
			}
		}
		if acknowledged < answers {
			return fmt.Errorf("%d of %d are", acknowledged, answers)
		}
		return nil
	})
	return trace
}

func eventOf(t *testing.T, trace *client.Trace, key string) client.TraceEvent {
	t.Helper()
	for i := range trace.Events {
		if trace.Events[i].Key == key {
			return trace.Events[i]
		}
	}
	t.Fatalf("the lineage has no event with the key %s", key)
	return client.TraceEvent{}
}

// wayOf is what happened to an event, a line for each step.
func wayOf(trace *client.Trace, eventID string) []string {
	var way []string
	for i := range trace.Marks {
		m := &trace.Marks[i]
		if m.EventID != eventID {
			continue
		}
		node, _, _ := strings.Cut(m.Node, ".")
		switch m.Mark {
		case "published":
			way = append(way, m.Mark)
		case "leased", "completed", "failed":
			step := fmt.Sprintf("%s %s %s attempt %d", m.Mark, m.Worker, node, m.Attempt)
			if m.Code != "" {
				step += fmt.Sprintf(" (%s: %s)", m.Code, m.Message)
			}
			way = append(way, step)
		case "relayed":
			way = append(way, "relayed to another partition")
		default:
			way = append(way, m.Mark+" "+m.ClientID)
		}
	}
	return way
}
