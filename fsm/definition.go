package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/internal/invariants"
)

// definition is a version of a workflow that the partition has.
type definition struct {
	definitionRow

	// number names it in the rows of runs.
	number uint32
	// live is how many runs here are pinned to it. dirty means that its row is to be
	// written at the entry's end.
	live  uint64
	dirty bool

	machine *Machine
	// program is what was made of its text, failed why that could not be.
	program *engine.Program
	failed  error
}

// definitionRow is what a version is, but for its text: only what is started is read.
type definitionRow struct {
	tenant        uint32
	name, version string
	// on are the channels whose events start runs.
	on []string
}

func (d *definitionRow) append(dst []byte) []byte {
	dst = command.AppendUint(append(dst, rowVersion), uint64(d.tenant))
	dst = command.AppendString(command.AppendString(dst, d.name), d.version)
	return command.AppendStrings(dst, d.on)
}

func (d *definitionRow) read(value []byte) {
	r := openRow(value)
	d.tenant, d.name, d.version = r.Uint32(), r.String(), r.String()
	d.on = r.Strings(command.MaxStartChannels)
	closeRow(&r)
}

func (d *definitionRow) key() versionName {
	return versionName{workflowName{d.tenant, d.name}, d.version}
}

// definition is the version behind a number, nil where there is none.
func (m *Machine) definition(number uint32) *definition { return m.workflows.definitions[number] }

// compiled is what to run, made of the text when it is first asked for. The error says
// why that cannot be; it is the same each time. Only during an Apply.
func (d *definition) compiled() (*engine.Program, error) {
	if d.program == nil && d.failed == nil {
		value, found := d.machine.get(keyDefinition(d.machine.scratch.key[:0], definitionText, d.number))
		invariants.Check(found, "definition %d has no text", d.number)
		read, err := d.machine.workflows.compile(slices.Clone(openRest(value)))
		if err != nil {
			d.failed = fmt.Errorf("compile version %s of workflow %s: %w", d.version, d.name, err)
			return nil, d.failed
		}
		d.program = engine.NewProgram(read)
	}
	return d.program, d.failed
}

// pickDefinition is the version that a run is started of: of an alias, DefaultAlias
// where none is named, the one that gets the seed by its share; or the version itself,
// named in full. It is nil where there is none.
func (m *Machine) pickDefinition(tenant uint32, name, aliasOrVersion string, seed uint64) *definition {
	of := workflowName{tenant, name}
	if w := m.workflows.byName[of]; w != nil {
		if version := shareOf(w.targets(cmp.Or(aliasOrVersion, DefaultAlias)), seed); version != "" {
			return m.workflows.byVersion[versionName{of, version}]
		}
	}
	return m.workflows.byVersion[versionName{of, aliasOrVersion}]
}

// shareOf is the target that a seed falls to, empty where there are no targets.
func shareOf(targets []command.WorkflowTarget, seed uint64) string {
	left := seed % command.WholeShare
	for _, target := range targets {
		if left < uint64(target.Share) {
			return target.Version
		}
		left -= uint64(target.Share)
	}
	return ""
}

// startedBy are the versions that an event of a channel starts runs of, by the names of
// their workflows: of each workflow the one that DefaultAlias gives the seed, if that
// says so.
func (m *Machine) startedBy(tenant uint32, channel string, seed uint64) (started []*definition) {
	if len(m.workflows.starts) == 0 {
		return nil
	}
	for _, w := range m.workflows.starts[startName{tenant, channel}] {
		d := m.pickDefinition(tenant, w.name, DefaultAlias, seed)
		if d != nil && slices.Contains(d.on, channel) {
			started = append(started, d)
		}
	}
	return started
}

// pin counts so many runs more of a version as live, or fewer. A version with live runs
// is not removed.
func (m *Machine) pin(d *definition, by int64) {
	live := int64(d.live) + by //nolint:gosec // A count of what is stored.
	invariants.Check(live >= 0, "more runs of definition %d have ended than began", d.number)
	d.live = uint64(live) //nolint:gosec // Not negative.
	if !d.dirty {
		d.dirty = true
		m.pinned = append(m.pinned, d)
	}
}

// savePinned writes how many runs are live of each version whose count changed.
func (m *Machine) savePinned() {
	for _, d := range m.pinned {
		d.dirty = false
		key := keyDefinition(m.scratch.key[:0], definitionLive, d.number)
		if d.live == 0 {
			m.remove(key)
			continue
		}
		m.set(key, command.AppendUint(append(m.scratch.value[:0], rowVersion), d.live))
	}
	clear(m.pinned)
	m.pinned = m.pinned[:0]
}

func (m *Machine) loadDefinitions(from reader) error {
	prefix := []byte{kindDefinition, definitionHead}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		var row definitionRow
		row.read(value)
		m.addDefinition(u32At(key, 2), row)
		return true, nil
	})
}

func (m *Machine) loadLive(from reader) error {
	prefix := []byte{kindDefinition, definitionLive}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		d := m.workflows.definitions[u32At(key, 2)]
		invariants.Check(d != nil, "a count of runs has no definition")
		r := openRow(value)
		d.live = r.Uint()
		closeRow(&r)
		return true, nil
	})
}
