package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
)

func greeting(channel string) []byte {
	return []byte("workflow: greet\nsteps:\n  hello: {channel: " + channel + ", end: true}\n")
}

// TestWorkflowsOfAllNodes: a version that one node is told of is in every partition when it
// answers, and stays there while one node after the other restarts, with all that it
// leads: an alias only moves to what every partition has.
func TestWorkflowsOfAllNodes(t *testing.T) {
	c := &followed{}
	for i := range 3 {
		c.dirs = append(c.dirs, t.TempDir())
		var join []string
		if i > 0 {
			join = []string{c.nodes[0].GossipAddress()}
		}
		c.nodes = append(c.nodes, shortLogs(t, "n"+string(rune('1'+i)), c.dirs[i], nil, join...))
	}
	for _, n := range c.nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	var versions []string
	for _, channel := range []string{"a", "b"} {
		applied, err := httpOf(t, c.nodes[0]).ApplyWorkflow(t.Context(), greeting(channel), client.ApplyOptions{Alias: "prod"})
		if err != nil || !applied.Created {
			t.Fatalf("%+v, %v", applied, err)
		}
		versions = append(versions, applied.Version)
	}
	for i := range c.nodes {
		c.restart(t, i)
		for _, version := range versions {
			waitFor(t, "prod moves", func() error {
				_, err := httpOf(t, c.nodes[(i+1)%3]).MoveWorkflowAlias(t.Context(), "greet", "prod", []client.WorkflowTarget{{Version: version[:8], Share: 100}})
				return err
			})
		}
	}
	agreeAll(t, c.nodes...)
	removedOrRefused(t, httpOf(t, c.nodes[1]), versions)
	agreeAll(t, c.nodes...)
}

// removedOrRefused removes the version that is not prod.
func removedOrRefused(t *testing.T, h *client.HTTP, versions []string) {
	t.Helper()
	applied, err := h.ApplyWorkflow(t.Context(), greeting("a"), client.ApplyOptions{})
	if err != nil || applied.Created || applied.Version != versions[0] {
		t.Fatalf("applied again: %+v, %v", applied, err)
	}
	if _, err := h.RemoveWorkflow(t.Context(), "greet", versions[1][:8]); err == nil || !strings.Contains(err.Error(), "alias prod") {
		t.Errorf("removing prod: %v", err)
	}
	if removed, err := h.RemoveWorkflow(t.Context(), "greet", versions[0][:8]); err != nil || removed != versions[0] {
		t.Errorf("removed %s, %v", removed, err)
	}
	invalid, ok := errors.AsType[*client.InvalidWorkflowError](func() error {
		_, err := h.ApplyWorkflow(t.Context(), []byte("workflow: greet\n"), client.ApplyOptions{})
		return err
	}())
	if !ok || len(invalid.Problems) == 0 {
		t.Errorf("a definition without steps: %+v", invalid)
	}
}
