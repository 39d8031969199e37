package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/batonmq/baton/fsm/workflow"
)

// TestWorkflow is what the workflow and the workers have to agree about: every channel of
// a step, or of what undoes one, has its worker.
func TestWorkflow(t *testing.T) {
	definition, problems := workflow.Parse(workflowText)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if definition.Name != workflowName {
		t.Errorf("its name is %s", definition.Name)
	}
	served := make(map[string]bool)
	for _, kind := range services() {
		s, err := newService(kind, t.TempDir(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for channel := range s {
			served[channel] = true
		}
	}
	for i := range definition.Steps {
		step := &definition.Steps[i]
		if step.Channel != "" && !served[step.Channel] {
			t.Errorf("no worker serves %s", step.Channel)
		}
		if c := step.Compensation; c != nil && !served[c.Channel] {
			t.Errorf("no worker serves %s, which undoes a step", c.Channel)
		}
	}
}

// TestLedger: an entry written twice is one, and one taken back is gone; ids of runs are no
// paths.
func TestLedger(t *testing.T) {
	l := ledger{filepath.Join(t.TempDir(), "ledger")}
	for range 2 {
		if err := l.put(pageCharged, "r1", 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.count(pageCharged); n != 1 {
		t.Errorf("%d entries", n)
	}
	for range 2 {
		if err := l.remove(pageCharged, "r1"); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.count(pageCharged); n != 0 {
		t.Errorf("%d entries after it was taken back", n)
	}
	for _, run := range []string{"", "../r1", "r.1"} {
		if err := l.put(pageCharged, run, 1); err == nil {
			t.Errorf("%q is the id of a run", run)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(l.directory)); err != nil || len(entries) != 1 {
		t.Errorf("beside the ledger there are %v, %v", entries, err)
	}
}
