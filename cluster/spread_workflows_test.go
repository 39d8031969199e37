package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// applies is what both kinds of state do.
type applies interface {
	Apply(tx *storage.Tx, data []byte, effects bool) (*fsm.Outcome, error)
}

// stateful is a group without a log: the test is the log.
type stateful struct {
	state   *storage.State
	index   uint64
	machine applies
}

func (s *stateful) apply(t *testing.T, encoded []byte) *fsm.Outcome {
	t.Helper()
	s.index++
	tx := s.state.Begin()
	tx.BeginEntry(s.index, 1)
	header := command.Header{TimeMS: 1000, SlotMap: command.SlotMapVersion}
	outcome, err := s.machine.Apply(tx, command.AppendEntry(nil, &header, [][]byte{encoded}), true)
	check(t, err)
	tx.EndEntry()
	check(t, tx.Commit())
	return outcome
}

// reopen reads a partition back, as after a restart.
func (s *stateful) reopen(t *testing.T) {
	t.Helper()
	view := s.state.View()
	machine, err := fsm.Open(view)
	check(t, err)
	check(t, view.Close())
	s.machine = machine
}

// spreadWorld is a meta group and three partitions with their states, and the edge of
// whoever leads the meta group.
type spreadWorld struct {
	*edge

	t          *testing.T
	meta       stateful
	partitions []*stateful
	now        time.Time
	// deaf are partitions that do not answer.
	deaf map[uint32]bool
}

func newSpreadWorld(t *testing.T) *spreadWorld {
	t.Helper()
	store, err := storage.Open("data", storage.Options{
		FS: storage.NewCrashFS().FS(), CacheBytes: 4 << 20, MemTableBytes: 16 << 20,
		OnFatal: func(err error) { t.Errorf("storage failed: %v", err) },
	})
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	w := &spreadWorld{t: t, now: time.Unix(1000, 0), deaf: make(map[uint32]bool)}
	for group := range uint32(4) {
		state, err := store.OpenState(group + 1)
		check(t, err)
		if group > 0 {
			w.partitions = append(w.partitions, &stateful{state: state})
			w.partitions[group-1].reopen(t)
			start := command.LeaderStart{Node: "n2", Partition: group - 1, Partitions: 3, Epoch: 1}
			w.partitions[group-1].apply(t, start.Append(nil))
			continue
		}
		view := state.View()
		meta, err := fsm.OpenMeta(view)
		check(t, err)
		check(t, view.Close())
		w.meta = stateful{state: state, machine: meta}
	}
	w.newLeader()
	return w
}

// newLeader has another node lead the meta group, which knows nothing of what the former
// one has brought.
func (w *spreadWorld) newLeader() {
	w.t.Helper()
	w.edge, _, _ = ensures()
	w.Receive("n2", leadFrame(MetaGroup, 1, "n2"))
	group := &Group{}
	group.state = w.meta.state
	group.serving.Store(1)
	w.mu.groups[MetaGroup] = group
	w.change(&command.LeaderStart{Node: "n1", Partitions: 1, Epoch: 1})
}

// change applies a command of the meta group.
func (w *spreadWorld) change(c interface{ Append([]byte) []byte }) {
	w.t.Helper()
	outcome := w.meta.apply(w.t, c.Append(nil))
	if r := outcome.Results[0]; r.Reason != command.Done {
		w.t.Fatalf("%+v", r)
	}
	w.metaApplied(outcome)
}

// brings ticks once, and wants the partitions to have been asked for that. Each is told
// as its number and kind.
func (w *spreadWorld) brings(want string) {
	w.t.Helper()
	w.now = w.now.Add(spreadRetry)
	w.tickSpread(w.now)
	if got := w.exchange(); got != want {
		w.t.Fatalf("brought %s, want %s", got, want)
	}
}

// exchange answers what was asked since the last time, and tells it in order.
func (w *spreadWorld) exchange() string {
	w.t.Helper()
	var asked []string
	for _, s := range w.links.take() {
		f := readFrame(s.data)
		if f.kind != frameAsk {
			continue
		}
		seq, what := f.Uint(), op(f.Byte())
		f.Uint()
		if f.group == MetaGroup {
			w.answer(f.group, seq, w.serveMeta(what, f.Rest()))
			continue
		}
		partition := f.group - 1
		word, answer := w.serve(partition, what, f.Rest())
		asked = append(asked, fmt.Sprint(partition, " ", word))
		if !w.deaf[partition] {
			w.answer(f.group, seq, answer)
		}
	}
	slices.Sort(asked)
	return strings.Join(asked, ", ")
}

func (w *spreadWorld) answer(group uint32, seq uint64, answer []byte) {
	frame := command.AppendUint(appendFrame(nil, frameAnswer, group, 1), seq)
	w.Receive("n2", append(append(frame, byte(statusDone)), answer...))
}

// serveMeta is the answer of the meta group's leader.
func (w *spreadWorld) serveMeta(what op, body []byte) []byte {
	w.t.Helper()
	if what == opCommand {
		outcome := w.meta.apply(w.t, body)
		w.metaApplied(outcome)
		return command.AppendResult(nil, &outcome.Results[0])
	}
	view := w.meta.state.View()
	defer func() { check(w.t, view.Close()) }()
	r := command.NewReader(body)
	found, err := lookUp(nil, what, &r)(view)
	check(w.t, err)
	return found
}

// during answers what a call asks until it returns.
func (w *spreadWorld) during(call func() error) error {
	w.t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	for {
		select {
		case err := <-done:
			return err
		default:
			w.exchange()
			runtime.Gosched()
		}
	}
}

func (w *spreadWorld) serve(partition uint32, what op, body []byte) (word string, answer []byte) {
	w.t.Helper()
	p := w.partitions[partition]
	if what == opDefinitions {
		view := p.state.View()
		defer func() { check(w.t, view.Close()) }()
		found, err := lookUp(nil, opDefinitions, &command.Reader{})(view)
		check(w.t, err)
		return "inventory", found
	}
	prefix, _ := command.ReadPrefix(body)
	if w.deaf[partition] {
		return prefix.Kind.String(), nil
	}
	result := p.apply(w.t, body).Results[0]
	return prefix.Kind.String(), command.AppendResult(nil, &result)
}

// have wants every partition to have so many versions.
func (w *spreadWorld) have(want int) {
	w.t.Helper()
	for i, p := range w.partitions {
		view := p.state.View()
		found, err := fsm.ReadDefinitions(view)
		check(w.t, err)
		check(w.t, view.Close())
		if len(found) != want {
			w.t.Errorf("partition %d has %+v", i, found)
		}
	}
}

func version(digit string) string { return strings.Repeat(digit, 32) }

func put(digit, alias string) *command.PutWorkflow {
	return &command.PutWorkflow{
		Tenant: "t", Name: "greet", Version: version(digit), Canonical: []byte("{}"), Source: []byte("x"), On: []string{"asked"}, Alias: alias,
	}
}

// TestWorkflowsAreSpread: definitions come before the aliases that name them, to every
// partition, over restarts and through other leaders, which bring what is missing and
// nothing else.
func TestWorkflowsAreSpread(t *testing.T) {
	w := newSpreadWorld(t)
	w.brings("")
	w.change(put("a", "prod"))
	w.brings("0 install_aliases, 0 install_definition, 1 install_aliases, 1 install_definition, 2 install_aliases, 2 install_definition")
	w.brings("")
	w.have(1)

	w.deaf[1] = true
	w.change(put("b", "prod"))
	w.brings("0 install_aliases, 0 install_definition, 1 install_aliases, 1 install_definition, 2 install_aliases, 2 install_definition")
	w.partitions[1].reopen(t)
	w.deaf[1] = false
	w.newLeader()
	w.brings("0 inventory, 1 inventory, 2 inventory")
	w.brings("0 install_aliases, 1 install_aliases, 1 install_definition, 2 install_aliases")
	w.brings("")
	w.have(2)

	// What a partition lacks, though nobody knows of it, it gets when it says so.
	lost := command.RemoveDefinition{Tenant: "t", Name: "greet", Version: version("a")}
	w.partitions[2].apply(t, lost.Append(nil))
	w.change(&command.SetAlias{Tenant: "t", Name: "greet", Alias: "prod", Targets: []command.WorkflowTarget{{Version: version("a"), Share: command.WholeShare}}})
	w.brings("0 install_aliases, 1 install_aliases, 2 install_aliases")
	w.brings("2 install_aliases, 2 install_definition")
	w.brings("")
	w.have(2)
}

// TestWhatRetiresIsNotSpread: a version on its way out is brought to nobody, though it was
// on its way in.
func TestWhatRetiresIsNotSpread(t *testing.T) {
	w := newSpreadWorld(t)
	w.change(put("a", ""))
	w.change(&command.DeleteWorkflow{Tenant: "t", Name: "greet", Version: version("a")})
	w.brings("0 install_aliases, 1 install_aliases, 2 install_aliases")
	w.have(0)
	w.change(&command.DeleteWorkflow{Tenant: "t", Name: "greet", Version: version("a"), Stage: command.StageRestore})
	w.brings("0 install_aliases, 0 install_definition, 1 install_aliases, 1 install_definition, 2 install_aliases, 2 install_definition")
	w.have(1)
	w.newLeader()
	w.change(&command.DeleteWorkflow{Tenant: "t", Name: "greet", Version: version("a")})
	w.change(&command.DeleteWorkflow{Tenant: "t", Name: "greet", Version: version("a"), Stage: command.StageForget})
	w.brings("0 inventory, 1 inventory, 2 inventory")
	w.brings("")
}

// TestWorkflowsAreLookedUp: what the meta group is asked for comes back whole.
func TestWorkflowsAreLookedUp(t *testing.T) {
	w := newSpreadWorld(t)
	w.change(put("a", "prod"))
	ask := func(what op, into any, words ...string) {
		t.Helper()
		var body []byte
		for _, word := range words {
			body = command.AppendString(body, word)
		}
		if what == opWorkflows {
			body = command.AppendUint(body, 5)
		}
		r := command.NewReader(body)
		view := w.meta.state.View()
		defer func() { check(t, view.Close()) }()
		found, err := lookUp(nil, what, &r)(view)
		check(t, err)
		check(t, json.Unmarshal(found, into))
	}
	var list []WorkflowSummary
	if ask(opWorkflows, &list, "t", ""); len(list) != 1 || list[0].Name != "greet" || list[0].Versions != 1 {
		t.Errorf("listed %+v", list)
	}
	if ask(opWorkflows, &list, "u", ""); len(list) != 0 {
		t.Errorf("another tenant's are %+v", list)
	}
	var one, none *Workflow
	if ask(opWorkflow, &one, "t", "greet"); one == nil || one.Targets("prod")[0].Version != version("a") {
		t.Errorf("found %+v", one)
	}
	if ask(opWorkflow, &none, "u", "greet"); none != nil {
		t.Errorf("another tenant's is %+v", none)
	}
	var kept *KeptDefinition
	if ask(opDefinition, &kept, "t", "greet", version("a")); kept == nil || string(kept.Source) != "x" || kept.On[0] != "asked" {
		t.Errorf("kept is %+v", kept)
	}
}

// TestWorkflowsChangeEverywhere: a change returns when every partition has it, and a
// removal takes the version from all of them, or from none.
func TestWorkflowsChangeEverywhere(t *testing.T) {
	w := newSpreadWorld(t)
	created, err := false, w.during(func() error {
		created, err := w.PutWorkflow(t.Context(), put("a", "prod"))
		if err == nil && !created {
			err = errors.New("it was there")
		}
		return err
	})
	check(t, err)
	w.have(1)
	check(t, w.during(func() error {
		created, err = w.PutWorkflow(t.Context(), put("b", ""))
		return err
	}))
	check(t, w.during(func() error {
		again, err := w.PutWorkflow(t.Context(), put("b", ""))
		if again || !created {
			return fmt.Errorf("created %v, then %v", created, again)
		}
		return err
	}))
	remove := func(digit string) error {
		return w.during(func() error { return w.RemoveWorkflow(t.Context(), "t", "greet", version(digit)) })
	}
	if refused, ok := errors.AsType[*RefusedError](remove("a")); !ok || refused.Reason != command.Sequence {
		t.Errorf("what an alias names: %v", refused)
	}
	w.have(2)

	// The last partition needs it: it has newer aliases than the meta group.
	needs := command.InstallAliases{Tenant: "t", Name: "greet", Count: 1000, Aliases: []command.WorkflowAlias{
		{Alias: "old", Targets: []command.WorkflowTarget{{Version: version("b"), Share: command.WholeShare}}},
	}}
	w.partitions[2].apply(t, needs.Append(nil))
	if refused, ok := errors.AsType[*RefusedError](remove("b")); !ok || !strings.Contains(refused.Message, "alias old") {
		t.Errorf("what a partition needs: %v", refused)
	}
	w.have(2)
	needs.Count, needs.Aliases = 1001, nil
	w.partitions[2].apply(t, needs.Append(nil))
	check(t, remove("b"))
	w.have(1)
	if refused, ok := errors.AsType[*RefusedError](remove("b")); !ok || refused.Reason != command.NotFound {
		t.Errorf("what is gone: %v", refused)
	}
	// An interrupted removal goes on.
	w.change(put("c", ""))
	w.change(&command.DeleteWorkflow{Tenant: "t", Name: "greet", Version: version("c")})
	check(t, remove("c"))
	w.have(1)
}
