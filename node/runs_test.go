package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// TestRunsOfAllNodes: runs of many keys are started on one node, waited for on another and
// listed on the third, page by page, the newest first; who waits for one is answered
// through a change of its leader.
func TestRunsOfAllNodes(t *testing.T) {
	c := &followed{}
	for i := range 3 {
		c.dirs = append(c.dirs, t.TempDir())
		var join []string
		if i > 0 {
			join = []string{c.nodes[0].GossipAddress()}
		}
		c.nodes = append(c.nodes, shortLogs(t, fmt.Sprintf("n%d", i+1), c.dirs[i], nil, join...))
	}
	for _, n := range c.nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	if _, err := httpOf(t, c.nodes[0]).ApplyWorkflow(t.Context(), greeting("hello"), client.ApplyOptions{Alias: "prod"}); err != nil {
		t.Fatal(err)
	}
	const want = 24
	var ids []string
	for i := range want {
		started, err := httpOf(t, c.nodes[0]).StartRun(t.Context(), client.RunStart{Workflow: "greet", Key: fmt.Sprint(i), Data: i})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, started.RunID)
	}
	listed := listRuns(t, httpOf(t, c.nodes[2]), client.RunFilter{Workflow: "greet", State: "queued", Limit: 7})
	if len(listed) != want {
		t.Fatalf("%d runs are listed, want %d", len(listed), want)
	}
	ended := make(chan error, want)
	for i, id := range ids {
		other := httpOf(t, c.nodes[1])
		go func() {
			run, err := other.AwaitRun(t.Context(), id)
			if err == nil && (run.State != "succeeded" || string(run.Result) != fmt.Sprint(i)) {
				err = fmt.Errorf("run %d is %s with %s", i, run.State, run.Result)
			}
			ended <- err
		}()
	}
	c.restart(t, 2)
	c.restart(t, 0)
	workHello(t, c.nodes[2], want)
	for range want {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if runs := listRuns(t, httpOf(t, c.nodes[0]), client.RunFilter{State: "succeeded", Limit: 100}); len(runs) != want {
		t.Errorf("%d runs have succeeded, want %d", len(runs), want)
	}
	foreign(t, c, ids[0])
	agreeAll(t, c.nodes...)
}

// foreign looks at a run as another tenant.
func foreign(t *testing.T, c *followed, id string) {
	t.Helper()
	h, err := client.NewHTTP(client.Options{Nodes: []string{c.nodes[1].ClientURL()}, Tenant: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if run, err := h.AwaitRun(t.Context(), id); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("another tenant sees %+v, %v", run, err)
	}
	if err := h.CancelRun(t.Context(), id, "no"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("another tenant cancels: %v", err)
	}
}

// listRuns lists all runs that are meant, and checks their order.
func listRuns(t *testing.T, h *client.HTTP, meant client.RunFilter) (runs []client.Run) {
	t.Helper()
	partitions := make(map[string]bool)
	for begin := true; begin || meant.Cursor != ""; begin = false {
		page, err := h.Runs(t.Context(), meant)
		if err != nil {
			t.Fatal(err)
		}
		runs, meant.Cursor = append(runs, page.Runs...), page.Cursor
	}
	for i := range runs {
		partitions[runs[i].RunID[:10]] = true
		if i > 0 && runs[i].StartedAt > runs[i-1].StartedAt {
			t.Errorf("run %d is newer than the one before it", i)
		}
	}
	if len(partitions) < 2 {
		t.Errorf("all runs are of one partition")
	}
	return runs
}

// workHello completes so many jobs of channel hello, each with its data.
func workHello(t *testing.T, n *node.Node, jobs int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan struct{}, jobs)
	options := client.WorkOptions{Channel: "hello", Credit: 4, Report: func(*client.Job, error) { done <- struct{}{} }}
	ended := make(chan error, 1)
	w := dialNode(t, n)
	go func() {
		ended <- w.Work(ctx, options, func(_ context.Context, job *client.Job) error {
			job.Result(job.Data)
			return nil
		})
	}()
	for range jobs {
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatal("not all jobs were worked on")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
