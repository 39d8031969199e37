package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/internal/invariants"
)

// workflows are the definitions of a partition. The meta group keeps all of them, and
// brings them here: see InstallDefinition. An alias names installed versions only,
// because a version comes before the aliases that name it, and goes after them.
type workflows struct {
	definitions map[uint32]*definition
	byVersion   map[versionName]*definition
	byName      map[workflowName]*workflowAliases
	// starts are the workflows of which an event of a channel may start a run, by name:
	// those with a target of DefaultAlias that says so.
	starts map[startName][]*workflowAliases
	// compile is workflow.Compile, but in tests of what has nothing to do with it.
	compile func(canonical []byte) (*workflow.Definition, error)
}

type workflowName struct {
	tenant uint32
	name   string
}

type versionName struct {
	workflowName

	version string
}

type startName struct {
	tenant  uint32
	channel string
}

func newWorkflows() workflows {
	return workflows{
		definitions: make(map[uint32]*definition),
		byVersion:   make(map[versionName]*definition),
		byName:      make(map[workflowName]*workflowAliases),
		starts:      make(map[startName][]*workflowAliases),
		compile:     workflow.Compile,
	}
}

// workflowAliases are a workflow's aliases as the partition has them.
type workflowAliases struct {
	workflowRow
	workflowName

	// on are the channels under which it stands in starts.
	on []string
}

type workflowRow struct {
	// count is the meta group's count of changes that brought them.
	count   uint64
	aliases []command.WorkflowAlias
}

func (w *workflowRow) append(dst []byte) []byte {
	return command.AppendWorkflowAliases(command.AppendUint(append(dst, rowVersion), w.count), w.aliases)
}

func (w *workflowRow) read(value []byte) {
	r := openRow(value)
	w.count, w.aliases = r.Uint(), r.WorkflowAliases()
	closeRow(&r)
}

// targets are those of an alias, none where there is no such alias.
func (w *workflowRow) targets(alias string) []command.WorkflowTarget {
	for i := range w.aliases {
		if w.aliases[i].Alias == alias {
			return w.aliases[i].Targets
		}
	}
	return nil
}

// installDefinition takes a version that the partition does not have.
func (m *Machine) installDefinition(c *command.InstallDefinition) command.Result {
	if wrong := cmp.Or(wrongVersion(c.Tenant, c.Name, c.Version), wrongText(c.Canonical), wrongStarts(c.On)); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	row := definitionRow{
		tenant: m.intern(nameTenant, c.Tenant, &m.counters.nextTenant), name: c.Name, version: c.Version, on: c.On,
	}
	if m.workflows.byVersion[row.key()] != nil {
		return command.Result{Duplicate: true}
	}
	m.counters.definitions++
	d := m.addDefinition(m.counters.definitions, row)
	m.set(keyDefinition(m.scratch.key[:0], definitionHead, d.number), row.append(m.scratch.value[:0]))
	text := append(append(m.scratch.value[:0], rowVersion), c.Canonical...)
	m.set(keyDefinition(m.scratch.key[:0], definitionText, d.number), text)
	return command.Result{}
}

// installAliases takes aliases that are newer than those the workflow has.
func (m *Machine) installAliases(c *command.InstallAliases) command.Result {
	if wrong := cmp.Or(wrongWorkflow(c.Tenant, c.Name), wrongAliases(c.Aliases)); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	name := workflowName{m.intern(nameTenant, c.Tenant, &m.counters.nextTenant), c.Name}
	w := m.workflows.byName[name]
	if w != nil && w.count >= c.Count {
		return command.Result{Duplicate: true, Offset: w.count}
	}
	for i := range c.Aliases {
		for _, target := range c.Aliases[i].Targets {
			if m.workflows.byVersion[versionName{name, target.Version}] == nil {
				return refuse(command.NotFound, fmt.Sprintf("version %s of workflow %s is not here", target.Version, c.Name))
			}
		}
	}
	if w == nil {
		w = &workflowAliases{workflowName: name}
		m.workflows.byName[name] = w
	}
	w.workflowRow = workflowRow{count: c.Count, aliases: c.Aliases}
	m.workflows.restart(w)
	m.set(keyAliases(m.scratch.key[:0], name.tenant, name.name), w.append(m.scratch.value[:0]))
	return command.Result{Offset: w.count}
}

// removeDefinition takes a version away that nothing here needs.
func (m *Machine) removeDefinition(c *command.RemoveDefinition) command.Result {
	if wrong := wrongVersion(c.Tenant, c.Name, c.Version); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	d := m.workflows.byVersion[versionName{workflowName{m.names.find(nameTenant, c.Tenant), c.Name}, c.Version}]
	if d == nil {
		return command.Result{Duplicate: true}
	}
	if d.live > 0 {
		return refuse(command.Sequence, fmt.Sprintf("%d runs of version %s of workflow %s are live in a partition", d.live, c.Version, c.Name))
	}
	if w := m.workflows.byName[d.key().workflowName]; w != nil {
		if alias := namedBy(w.aliases, c.Version); alias != "" {
			return refuse(command.Sequence, fmt.Sprintf("alias %s names version %s of workflow %s in a partition", alias, c.Version, c.Name))
		}
	}
	delete(m.workflows.definitions, d.number)
	delete(m.workflows.byVersion, d.key())
	m.remove(keyDefinition(m.scratch.key[:0], definitionHead, d.number))
	m.remove(keyDefinition(m.scratch.key[:0], definitionText, d.number))
	return command.Result{}
}

// namedBy is the first alias that names a version, empty where none does.
func namedBy(aliases []command.WorkflowAlias, version string) string {
	for i := range aliases {
		for _, target := range aliases[i].Targets {
			if target.Version == version {
				return aliases[i].Alias
			}
		}
	}
	return ""
}

func (m *Machine) addDefinition(number uint32, row definitionRow) *definition {
	d := &definition{definitionRow: row, number: number, machine: m}
	m.workflows.definitions[number] = d
	m.workflows.byVersion[row.key()] = d
	return d
}

// restart puts a workflow under the channels that its aliases start runs from.
func (all *workflows) restart(w *workflowAliases) {
	for _, channel := range w.on {
		all.stopStarting(startName{w.tenant, channel}, w)
	}
	w.on = nil
	for _, target := range w.targets(DefaultAlias) {
		d := all.byVersion[versionName{w.workflowName, target.Version}]
		invariants.Check(d != nil, "alias %s of workflow %q names a version that is not here", DefaultAlias, w.name)
		for _, channel := range d.on {
			if !slices.Contains(w.on, channel) {
				w.on = append(w.on, channel)
				all.startOn(startName{w.tenant, channel}, w)
			}
		}
	}
}

func (all *workflows) startOn(from startName, w *workflowAliases) {
	at, _ := slices.BinarySearchFunc(all.starts[from], w.name, byWorkflowName)
	all.starts[from] = slices.Insert(all.starts[from], at, w)
}

func (all *workflows) stopStarting(from startName, w *workflowAliases) {
	at, found := slices.BinarySearchFunc(all.starts[from], w.name, byWorkflowName)
	invariants.Check(found, "workflow %q is not under a channel that starts it", w.name)
	if all.starts[from] = slices.Delete(all.starts[from], at, at+1); len(all.starts[from]) == 0 {
		delete(all.starts, from)
	}
}

func byWorkflowName(w *workflowAliases, name string) int { return cmp.Compare(w.name, name) }

func (m *Machine) loadAliases(from reader) error {
	prefix := []byte{kindAliases}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		w := &workflowAliases{workflowName: workflowName{u32At(key, 1), string(key[5:])}}
		w.read(value)
		m.workflows.byName[w.workflowName] = w
		m.workflows.restart(w)
		return true, nil
	})
}
