package fsm

import (
	"errors"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

func newDefinedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader(), definitionOf("t", "answer", 'a', "asked")))
	return w
}

// during is what a command of an entry would do.
func (w *world) during(do func(m *Machine)) {
	w.tb.Helper()
	tx := w.state.Begin()
	defer tx.Discard()
	w.index++
	tx.BeginEntry(w.index, 1)
	w.machine.tx, w.machine.out = tx, newOutcome(true, 0)
	do(w.machine)
	w.machine.writeBack()
	w.machine.tx = nil
	tx.EndEntry()
	check(w.tb, tx.Commit())
}

// TestVersionsOfLiveRunsStay: as long as runs are pinned to a version it is not removed,
// also over a restart.
func TestVersionsOfLiveRunsStay(t *testing.T) {
	w := newDefinedWorld(t)
	remove := &command.RemoveDefinition{Tenant: "t", Name: "answer", Version: versionOf("a")}
	w.during(func(m *Machine) {
		m.pin(m.definition(1), 1)
		m.pin(m.definition(1), 2)
	})
	w.reopen()
	r := w.apply(true, entryOf(command.Header{}, remove))[0].Results[0]
	if r.Reason != command.Sequence || !strings.HasPrefix(r.Message, "3 runs of version a") {
		t.Fatalf("with three runs: %+v", r)
	}
	w.during(func(m *Machine) { m.pin(m.definition(1), -3) })
	w.reopen()
	if r := w.apply(true, entryOf(command.Header{}, remove))[0].Results[0]; r.Reason != command.Done || r.Duplicate {
		t.Fatalf("without runs: %+v", r)
	}
	if w.reopen(); w.machine.definition(1) != nil {
		t.Fatal("it is there still")
	}
}

// TestVersionsAreCompiledOnce, when they are first needed, from the text that was
// installed; what cannot be compiled says so each time.
func TestVersionsAreCompiledOnce(t *testing.T) {
	w := newDefinedWorld(t)
	w.reopen()
	var texts []string
	broken := errors.New("broken")
	w.machine.workflows.compile = func(canonical []byte) (*workflow.Definition, error) {
		texts = append(texts, string(canonical))
		if len(texts) > 1 {
			return nil, broken
		}
		return &workflow.Definition{Name: "answer"}, nil
	}
	w.apply(true, entryOf(command.Header{}, definitionOf("t", "other", 'b')))
	w.during(func(m *Machine) {
		for range 2 {
			if d, err := m.definition(1).compiled(); err != nil || d.Name != "answer" {
				t.Errorf("compiled %+v, %v", d, err)
			}
			if d, err := m.definition(2).compiled(); d != nil || !errors.Is(err, broken) {
				t.Errorf("compiled %+v, %v", d, err)
			}
		}
	})
	if got := strings.Join(texts, " "); got != `{"workflow":"answer"} {"workflow":"other"}` {
		t.Errorf("compiled %s", got)
	}
}

// TestWorkflowsThatAreTooMuchAreRefused by a partition, whoever brings them.
func TestWorkflowsThatAreTooMuchAreRefused(t *testing.T) {
	w := newDefinedWorld(t)
	for what, change := range map[string]func(c *command.InstallDefinition){
		"no tenant":       func(c *command.InstallDefinition) { c.Tenant = "" },
		"no name":         func(c *command.InstallDefinition) { c.Name = "" },
		"a long name":     func(c *command.InstallDefinition) { c.Name = strings.Repeat("x", workflow.MaxNameBytes+1) },
		"a long tenant":   func(c *command.InstallDefinition) { c.Tenant = strings.Repeat("x", MaxNameBytes+1) },
		"a short version": func(c *command.InstallDefinition) { c.Version = "abcdef" },
		"capitals":        func(c *command.InstallDefinition) { c.Version = versionOf("A") },
		"no text":         func(c *command.InstallDefinition) { c.Canonical = nil },
		"a long text":     func(c *command.InstallDefinition) { c.Canonical = make([]byte, workflow.MaxDefinitionBytes+1) },
		"no channel":      func(c *command.InstallDefinition) { c.On = []string{""} },
	} {
		c := definitionOf("t", "next", 'b', "asked")
		change(c)
		if r := w.apply(true, entryOf(command.Header{}, c))[0].Results[0]; r.Reason != command.BadRequest || r.Message == "" {
			t.Errorf("%s: %+v", what, r)
		}
	}
}
