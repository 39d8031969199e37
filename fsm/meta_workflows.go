package fsm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

const (
	// MaxWorkflows is how many workflows a cluster has at most, all tenants together.
	MaxWorkflows = 10_000
	// MaxVersions is how many versions of a workflow are kept at most; one that is not
	// needed any more is removed by whoever wants room.
	MaxVersions = 1000
	// MaxWorkflowBytes bounds all definitions of a cluster together, in their canonical
	// form and as they were written.
	MaxWorkflowBytes = 1 << 30
)

// Workflow is what the meta group knows of a workflow, but for the definitions.
type Workflow struct {
	Tenant string `json:"-"`
	Name   string `json:"workflow"`
	// Count is the meta group's count of changes when this last changed.
	Count uint64 `json:"count"`
	// Aliases are in ascending order, Versions in that of their arrival.
	Aliases  []command.WorkflowAlias `json:"aliases"`
	Versions []WorkflowVersion       `json:"versions"`
}

// WorkflowVersion is a version of a workflow.
type WorkflowVersion struct {
	Version string `json:"version"`
	// CreatedMS is when it was first put.
	CreatedMS int64 `json:"created_ms"`
	// Bytes is how large its definition is, with the text.
	Bytes uint64 `json:"bytes"`
	// Retiring means that its removal has begun, and not come to its end.
	Retiring bool `json:"retiring,omitempty"`
}

// WorkflowPart names what partitions get of a workflow: a version, or its aliases
// where Version is empty.
type WorkflowPart struct {
	Tenant, Name, Version string
}

// Targets are those of an alias, none where there is no such alias.
func (w *Workflow) Targets(alias string) []command.WorkflowTarget {
	if at, found := w.findAlias(alias); found {
		return w.Aliases[at].Targets
	}
	return nil
}

// Retires tells whether a version is on its way out.
func (w *Workflow) Retires(version string) bool {
	v := w.version(version)
	return v != nil && v.Retiring
}

func (w *Workflow) append(dst []byte) []byte {
	dst = command.AppendString(command.AppendString(append(dst, rowVersion), w.Tenant), w.Name)
	dst = command.AppendWorkflowAliases(command.AppendUint(dst, w.Count), w.Aliases)
	dst = command.AppendUint(dst, uint64(len(w.Versions)))
	for i := range w.Versions {
		v := &w.Versions[i]
		dst = command.AppendInt(command.AppendString(dst, v.Version), v.CreatedMS)
		dst = command.AppendBool(command.AppendUint(dst, v.Bytes), v.Retiring)
	}
	return dst
}

func (w *Workflow) read(value []byte) {
	r := openRow(value)
	w.Tenant, w.Name, w.Count = r.String(), r.String(), r.Uint()
	w.Aliases = r.WorkflowAliases()
	for range r.Count(MaxVersions) {
		w.Versions = append(w.Versions, WorkflowVersion{
			Version: r.String(), CreatedMS: r.Int(), Bytes: r.Uint(), Retiring: r.Bool(),
		})
	}
	closeRow(&r)
}

// version is what is known of a version, nil where it is not there.
func (w *Workflow) version(version string) *WorkflowVersion {
	at := slices.IndexFunc(w.Versions, func(v WorkflowVersion) bool { return v.Version == version })
	if at < 0 {
		return nil
	}
	return &w.Versions[at]
}

// setAlias moves an alias, or deletes it where there are no targets.
func (w *Workflow) setAlias(alias string, targets []command.WorkflowTarget) {
	at, found := w.findAlias(alias)
	switch {
	case len(targets) == 0 && found:
		w.Aliases = slices.Delete(w.Aliases, at, at+1)
	case len(targets) == 0:
	case found:
		w.Aliases[at].Targets = targets
	default:
		w.Aliases = slices.Insert(w.Aliases, at, command.WorkflowAlias{Alias: alias, Targets: targets})
	}
}

func (w *Workflow) findAlias(alias string) (at int, found bool) {
	return slices.BinarySearchFunc(w.Aliases, alias, func(have command.WorkflowAlias, alias string) int {
		return cmp.Compare(have.Alias, alias)
	})
}

// metaWorkflows are the workflows of the cluster, without their definitions.
type metaWorkflows struct {
	// all are in the order of tenants, then names.
	all []*Workflow
	// count counts the changes, bytes how large the definitions are together.
	count, bytes uint64
}

func (all *metaWorkflows) find(tenant, name string) (at int, found bool) {
	return slices.BinarySearchFunc(all.all, workflowOf{tenant, name}, func(have *Workflow, want workflowOf) int {
		return cmp.Or(cmp.Compare(have.Tenant, want.tenant), cmp.Compare(have.Name, want.name))
	})
}

type workflowOf struct{ tenant, name string }

func (all *metaWorkflows) get(tenant, name string) *Workflow {
	if at, found := all.find(tenant, name); found {
		return all.all[at]
	}
	return nil
}

// parts are what every partition has to have, definitions before the aliases that name
// them. What is on its way out is nobody's any more.
func (all *metaWorkflows) parts() (parts []WorkflowPart) {
	for _, w := range all.all {
		for i := range w.Versions {
			if !w.Versions[i].Retiring {
				parts = append(parts, WorkflowPart{w.Tenant, w.Name, w.Versions[i].Version})
			}
		}
		parts = append(parts, WorkflowPart{w.Tenant, w.Name, ""})
	}
	return parts
}

func (m *Meta) executeWorkflow(tx *storage.Tx, out *Outcome, kind command.Kind, r *command.Reader) command.Result {
	switch kind { //nolint:exhaustive // execute has chosen these.
	case command.KindPutWorkflow:
		var put command.PutWorkflow
		put.Decode(r)
		return checked(r, func() command.Result { return m.putWorkflow(tx, out, &put) })
	case command.KindSetAlias:
		var set command.SetAlias
		set.Decode(r)
		return checked(r, func() command.Result { return m.setAlias(tx, out, &set) })
	default:
		var gone command.DeleteWorkflow
		gone.Decode(r)
		return checked(r, func() command.Result { return m.deleteWorkflow(tx, out, &gone) })
	}
}

// putWorkflow keeps a version. One that was on its way out comes back.
func (m *Meta) putWorkflow(tx *storage.Tx, out *Outcome, c *command.PutWorkflow) command.Result {
	wrong := cmp.Or(wrongVersion(c.Tenant, c.Name, c.Version), wrongText(c.Canonical), wrongText(c.Source), wrongStarts(c.On))
	if c.Alias != "" {
		wrong = cmp.Or(wrong, wrongAliasName(c.Alias))
	}
	if wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	w := m.workflows.get(c.Tenant, c.Name)
	if r := unexpected(w, c.Expect); r.Reason != command.Done {
		return r
	}
	size := uint64(len(c.Canonical) + len(c.Source))
	if full := m.workflows.full(w, c, size); full != "" {
		return refuse(command.TooLarge, full)
	}
	if w == nil {
		w = &Workflow{Tenant: c.Tenant, Name: c.Name}
		at, _ := m.workflows.find(c.Tenant, c.Name)
		m.workflows.all = slices.Insert(m.workflows.all, at, w)
	}
	have := w.version(c.Version)
	known := have != nil
	if !known {
		w.Versions = append(w.Versions, WorkflowVersion{Version: c.Version, CreatedMS: m.timeMS})
		have = w.version(c.Version)
	}
	m.workflows.bytes += size - have.Bytes
	have.Bytes, have.Retiring = size, false
	if c.Alias != "" {
		w.setAlias(c.Alias, []command.WorkflowTarget{{Version: c.Version, Share: command.WholeShare}})
	}
	kept := KeptDefinition{Canonical: c.Canonical, Source: c.Source, On: c.On}
	must(tx.Set(keyKept(c.Tenant, c.Name, c.Version), kept.append(nil)))
	out.tellWorkflow(WorkflowPart{c.Tenant, c.Name, c.Version})
	r := m.changed(tx, out, w)
	r.Duplicate = known
	return r
}

// full says what there would be too much of with another definition, empty where it
// has room.
func (all *metaWorkflows) full(w *Workflow, c *command.PutWorkflow, size uint64) string {
	switch {
	case w == nil && len(all.all) >= MaxWorkflows:
		return fmt.Sprintf("the cluster has %d workflows, no more can be", MaxWorkflows)
	case all.bytes+size > MaxWorkflowBytes:
		return fmt.Sprintf("the definitions of the cluster would have more than %d bytes: remove versions that are not needed", MaxWorkflowBytes)
	case w == nil:
		return ""
	case w.version(c.Version) == nil && len(w.Versions) >= MaxVersions:
		return fmt.Sprintf("workflow %s has %d versions, no more are kept: remove some", c.Name, MaxVersions)
	case c.Alias != "" && len(w.Aliases) >= command.MaxAliases && w.Targets(c.Alias) == nil:
		return tooManyAliases(c.Name)
	default:
		return ""
	}
}

func tooManyAliases(name string) string {
	return fmt.Sprintf("workflow %s has %d aliases, no more can be", name, command.MaxAliases)
}

// setAlias moves an alias to versions that are there to stay.
func (m *Meta) setAlias(tx *storage.Tx, out *Outcome, c *command.SetAlias) command.Result {
	wrong := cmp.Or(wrongWorkflow(c.Tenant, c.Name), wrongAliasName(c.Alias))
	if len(c.Targets) > 0 {
		wrong = cmp.Or(wrong, wrongAlias(&command.WorkflowAlias{Alias: c.Alias, Targets: c.Targets}))
	}
	if wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	w := m.workflows.get(c.Tenant, c.Name)
	if w == nil {
		return noWorkflow(c.Name)
	}
	if r := unexpected(w, c.Expect); r.Reason != command.Done {
		return r
	}
	for _, target := range c.Targets {
		switch v := w.version(target.Version); {
		case v == nil:
			return refuse(command.NotFound, fmt.Sprintf("workflow %s has no version %s", c.Name, target.Version))
		case v.Retiring:
			return refuse(command.Sequence, fmt.Sprintf("version %s of workflow %s is being removed", target.Version, c.Name))
		}
	}
	switch has := w.Targets(c.Alias) != nil; {
	case !has && len(c.Targets) == 0:
		return refuse(command.NotFound, fmt.Sprintf("workflow %s has no alias %s", c.Name, c.Alias))
	case !has && len(w.Aliases) >= command.MaxAliases:
		return refuse(command.TooLarge, tooManyAliases(c.Name))
	}
	w.setAlias(c.Alias, c.Targets)
	return m.changed(tx, out, w)
}

// deleteWorkflow is a step of a removal: partitions are asked between retiring a version
// and forgetting it.
func (m *Meta) deleteWorkflow(tx *storage.Tx, out *Outcome, c *command.DeleteWorkflow) command.Result {
	w := m.workflows.get(c.Tenant, c.Name)
	if w == nil {
		return noWorkflow(c.Name)
	}
	v := w.version(c.Version)
	if v == nil {
		return refuse(command.NotFound, fmt.Sprintf("workflow %s has no version %s", c.Name, c.Version))
	}
	switch c.Stage {
	case command.StageRetire:
		if alias := namedBy(w.Aliases, c.Version); alias != "" {
			return refuse(command.Sequence, fmt.Sprintf("alias %s names version %s of workflow %s", alias, c.Version, c.Name))
		}
		v.Retiring = true
		return m.changed(tx, out, w)
	case command.StageRestore:
		v.Retiring = false
		out.tellWorkflow(WorkflowPart{c.Tenant, c.Name, c.Version})
		return m.changed(tx, out, w)
	case command.StageForget:
		if !v.Retiring {
			return refuse(command.Sequence, fmt.Sprintf("version %s of workflow %s was applied again meanwhile", c.Version, c.Name))
		}
		return m.forgetVersion(tx, out, w, v)
	default:
		return refuse(command.BadRequest, "the removal has a stage that is not known")
	}
}

// forgetVersion ends a removal; with its last version the workflow goes.
func (m *Meta) forgetVersion(tx *storage.Tx, out *Outcome, w *Workflow, v *WorkflowVersion) command.Result {
	m.workflows.bytes -= v.Bytes
	must(tx.Delete(keyKept(w.Tenant, w.Name, v.Version)))
	gone := v.Version
	w.Versions = slices.DeleteFunc(w.Versions, func(v WorkflowVersion) bool { return v.Version == gone })
	if len(w.Versions) > 0 {
		return m.changed(tx, out, w)
	}
	at, _ := m.workflows.find(w.Tenant, w.Name)
	m.workflows.all = slices.Delete(m.workflows.all, at, at+1)
	must(tx.Delete(keyWorkflow(w.Tenant, w.Name)))
	return command.Result{Offset: m.workflows.count}
}

// changed writes a workflow under the next count.
func (m *Meta) changed(tx *storage.Tx, out *Outcome, w *Workflow) command.Result {
	m.workflows.count++
	w.Count = m.workflows.count
	must(tx.Set([]byte{kindWorkflow}, command.AppendUint([]byte{rowVersion}, m.workflows.count)))
	must(tx.Set(keyWorkflow(w.Tenant, w.Name), w.append(nil)))
	out.tellWorkflow(WorkflowPart{w.Tenant, w.Name, ""})
	return command.Result{Offset: w.Count}
}

func (o *Outcome) tellWorkflow(part WorkflowPart) {
	if o.effects {
		o.Workflows = append(o.Workflows, part)
	}
}

// unexpected refuses a change that was decided by an earlier state.
func unexpected(w *Workflow, expect uint64) command.Result {
	var have uint64
	if w != nil {
		have = w.Count
	}
	if expect == 0 || expect == have {
		return command.Result{}
	}
	r := refuse(command.Sequence, fmt.Sprintf("the workflow has count %d, not %d: read it again", have, expect))
	r.Offset = have
	return r
}

func noWorkflow(name string) command.Result {
	return refuse(command.NotFound, "there is no workflow "+name)
}

// wrongAliasName keeps aliases apart from versions: in a URL either may stand.
func wrongAliasName(alias string) string {
	switch {
	case alias == "" || len(alias) > MaxAliasBytes:
		return fmt.Sprintf("an alias has 1 to %d bytes", MaxAliasBytes)
	case len(alias) >= MinVersionPrefix && strings.Trim(alias, "0123456789abcdef") == "":
		return fmt.Sprintf("alias %s could be taken for a version", alias)
	default:
		return ""
	}
}
