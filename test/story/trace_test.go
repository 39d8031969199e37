package story

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

func eventIsTraced(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	f.Command(t, "channel", "set", "trace.read", "--backoff", "100ms")
	p := &fleet.Person{Name: "iris", Fleet: f}
	c := p.Connect(t, 0)
	f.Work(t, 1, "splitter", client.WorkOptions{Channel: "trace.split"}, func(_ context.Context, job *client.Job) error {
		for i := range 3 {
			document := fmt.Sprintf("document-%d", i+1)
			job.Emit("trace.read", document, client.WithKey(document))
		}
		return nil
	})
	f.Work(t, 2, "reader", client.WorkOptions{Channel: "trace.read"}, func(_ context.Context, job *client.Job) error {
		if job.Attempt == 1 && job.Key == "document-2" {
			return &client.JobError{Code: "busy", Err: errors.New("the model is busy")}
		}
		job.Notify("answer", job.Key)
		return nil
	})
	r, err := c.Publish(t.Context(), client.Event{Channel: "trace.split", Data: "folder"})
	if err != nil {
		t.Fatal(err)
	}
	p.Listen(t, c, 3)
	<-time.After(time.Second)
	trace, err := c.Trace(t.Context(), r.CorrelationID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", trace.Raw)
}
