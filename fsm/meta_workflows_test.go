package fsm

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// putting is a version of tenant t's workflow answer, with an alias or none.
func putting(digit, alias string, expect uint64) *command.PutWorkflow {
	return &command.PutWorkflow{
		Tenant: "t", Name: "answer", Version: versionOf(digit), Canonical: []byte(`{"workflow":"answer"}`), Source: []byte("workflow: " + digit),
		On: []string{"asked"}, Alias: alias, Expect: expect,
	}
}

func moving(alias string, expect uint64, digits ...string) *command.SetAlias {
	c := &command.SetAlias{Tenant: "t", Name: "answer", Alias: alias, Expect: expect}
	for _, digit := range digits {
		c.Targets = append(c.Targets, command.WorkflowTarget{Version: versionOf(digit), Share: uint32(command.WholeShare / len(digits))})
	}
	return c
}

func removing(digit string, stage command.RemovalStage) *command.DeleteWorkflow {
	return &command.DeleteWorkflow{Tenant: "t", Name: "answer", Version: versionOf(digit), Stage: stage}
}

// tellParts are a change's words for the partitions: the digits of versions, and a star
// for aliases.
func tellParts(parts []WorkflowPart) (told string) {
	for _, part := range parts {
		told += (part.Version + "*")[:1]
	}
	return told
}

// TestMetaKeepsWorkflows puts versions, moves aliases and removes versions, and tells the
// partitions what has changed; what was decided by what is no more is refused.
func TestMetaKeepsWorkflows(t *testing.T) {
	w := newMetaWorld(t)
	for _, step := range []struct {
		what string
		send interface{ Append([]byte) []byte }
		want string
	}{
		{"a version", putting("a", "prod", 0), "done false 1 a*"},
		{"it again", putting("a", "", 0), "done true 2 a*"},
		{"another", putting("b", "", 2), "done false 3 b*"},
		{"decided by an earlier state", putting("c", "", 2), "sequence false 3 "},
		{"a canary", moving("prod", 3, "a", "b"), "done false 4 *"},
		{"an alias decided by an earlier state", moving("prod", 3, "b"), "sequence false 4 "},
		{"an alias of what is not there", moving("prod", 4, "c"), "not_found false 0 "},
		{"an alias that reads as a version", moving("decade", 0, "a"), "bad_request false 0 "},
		{"removing what an alias names", removing("a", command.StageRetire), "sequence false 0 "},
		{"moving it wholly", moving("prod", 0, "b"), "done false 5 *"},
		{"forgetting what is not retiring", removing("a", command.StageForget), "sequence false 0 "},
		{"retiring", removing("a", command.StageRetire), "done false 6 *"},
		{"an alias of what retires", moving("old", 0, "a"), "sequence false 0 "},
		{"putting it back", putting("a", "", 0), "done true 7 a*"},
		{"retiring again", removing("a", command.StageRetire), "done false 8 *"},
		{"a partition needs it", removing("a", command.StageRestore), "done false 9 a*"},
		{"retiring once more", removing("a", command.StageRetire), "done false 10 *"},
		{"forgetting", removing("a", command.StageForget), "done false 11 *"},
		{"forgetting again", removing("a", command.StageForget), "not_found false 0 "},
		{"deleting an alias that is not there", moving("old", 0), "not_found false 0 "},
		{"another alias", moving("old", 0, "b"), "done false 12 *"},
		{"deleting it", moving("old", 0), "done false 13 *"},
		{"an unknown stage", removing("b", 9), "bad_request false 0 "},
		{"another tenant's", &command.SetAlias{Tenant: "u", Name: "answer", Alias: "prod"}, "not_found false 0 "},
		{"a version cut short", &command.PutWorkflow{Tenant: "t", Name: "x", Version: "abc"}, "bad_request false 0 "},
	} {
		outcome := w.applyMeta(t, true, step.send.Append(nil))
		r := outcome.Results[0]
		if got := fmt.Sprintf("%s %v %d %s", r.Reason, r.Duplicate, r.Offset, tellParts(outcome.Workflows)); got != step.want {
			t.Errorf("%s: %s (%s), want %s", step.what, got, r.Message, step.want)
		}
	}
	w.applyMeta(t, true, (&command.PutWorkflow{
		Tenant: "t", Name: "next", Version: versionOf("d"), Canonical: []byte("{}"), Source: []byte("{}"), Alias: "prod",
	}).Append(nil))
	kept := w.meta.workflows
	w.reopenMeta(t)
	if !reflect.DeepEqual(kept, w.meta.workflows) {
		t.Errorf("kept %+v, read back %+v", kept, w.meta.workflows)
	}
	if start := w.applyMeta(t, true, firstLeader().Append(nil)); tellParts(start.Workflows) != "b*d*" {
		t.Errorf("a new leader is told of %+v", start.Workflows)
	}
	w.read(func(view *storage.View) {
		checkKept(t, view)
		checkListed(t, view)
	})
}

// checkKept reads the workflow of TestMetaKeepsWorkflows.
func checkKept(t *testing.T, view *storage.View) {
	t.Helper()
	one, err := ReadWorkflow(view, "t", "answer")
	check(t, err)
	if one.Count != 13 || len(one.Versions) != 1 || one.Versions[0].CreatedMS != 1000 || one.Targets("prod")[0].Version != versionOf("b") {
		t.Errorf("read %+v", one)
	}
	definition, err := ReadKept(view, WorkflowPart{"t", "answer", versionOf("b")})
	check(t, err)
	if string(definition.Source) != "workflow: b" || definition.On[0] != "asked" {
		t.Errorf("read %+v", definition)
	}
	gone, err := ReadKept(view, WorkflowPart{"t", "answer", versionOf("a")})
	if check(t, err); gone != nil {
		t.Errorf("what was forgotten is %+v", gone)
	}
}

// checkListed reads the workflows of both tenants, page by page.
func checkListed(t *testing.T, view *storage.View) {
	t.Helper()
	var pages []string
	for after, more := "", true; more; {
		page, err := ReadWorkflows(view, "t", after, 1)
		check(t, err)
		if more = len(page) == 1; more {
			after = page[0].Name
			pages = append(pages, after)
			if page[0].Versions != 1 || len(page[0].Aliases) != 1 {
				t.Errorf("listed %+v", page[0])
			}
		}
	}
	if got := strings.Join(pages, " "); got != "answer next" {
		t.Errorf("listed %s", got)
	}
	if none, err := ReadWorkflows(view, "u", "", 9); err != nil || len(none) != 0 {
		t.Errorf("another tenant has %+v, %v", none, err)
	}
}

// TestMetaForgetsAWorkflowWithItsLastVersion, and counts on: partitions take what is newer.
func TestMetaForgetsAWorkflowWithItsLastVersion(t *testing.T) {
	w := newMetaWorld(t)
	w.applyMeta(t, true, putting("a", "", 0).Append(nil), removing("a", command.StageRetire).Append(nil), removing("a", command.StageForget).Append(nil))
	w.reopenMeta(t)
	if len(w.meta.workflows.all) != 0 || w.meta.workflows.bytes != 0 {
		t.Fatalf("left is %+v", w.meta.workflows)
	}
	if r := w.applyMeta(t, true, putting("a", "prod", 0).Append(nil)).Results[0]; r.Offset != 3 || r.Duplicate {
		t.Fatalf("made again: %+v", r)
	}
}

// TestMetaBoundsWorkflows: one more than there may be of anything is refused, and says of
// what.
func TestMetaBoundsWorkflows(t *testing.T) {
	for what, fill := range map[string]func(m *Meta){
		"10000 workflows": func(m *Meta) {
			for i := range MaxWorkflows {
				m.workflows.all = append(m.workflows.all, &Workflow{Tenant: "u", Name: fmt.Sprintf("w%04d", i)})
			}
		},
		"1000 versions": func(m *Meta) {
			m.workflows.all = []*Workflow{{Tenant: "t", Name: "answer", Versions: make([]WorkflowVersion, MaxVersions)}}
		},
		"1073741824 bytes": func(m *Meta) { m.workflows.bytes = MaxWorkflowBytes },
		"64 aliases": func(m *Meta) {
			m.workflows.all = []*Workflow{{Tenant: "t", Name: "answer"}}
			for i := range command.MaxAliases {
				m.workflows.all[0].Aliases = append(m.workflows.all[0].Aliases, command.WorkflowAlias{Alias: fmt.Sprintf("a%02d", i)})
			}
		},
	} {
		w := newMetaWorld(t)
		fill(w.meta)
		if r := w.applyMeta(t, true, putting("a", "prod", 0).Append(nil)).Results[0]; r.Reason != command.TooLarge || !strings.Contains(r.Message, what) {
			t.Errorf("%s: %+v", what, r)
		}
	}
}
