package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// KeptDefinition is what a version says, as the meta group keeps it.
type KeptDefinition struct {
	// Canonical is what partitions compile, Source what the author wrote.
	Canonical []byte `json:"canonical"`
	Source    []byte `json:"source"`
	// On are the channels whose events start runs.
	On []string `json:"on"`
}

func (k *KeptDefinition) append(dst []byte) []byte {
	dst = command.AppendString(append(dst, rowVersion), k.Canonical)
	return command.AppendStrings(command.AppendString(dst, k.Source), k.On)
}

// read copies what it keeps.
func (k *KeptDefinition) read(value []byte) {
	r := openRow(value)
	k.Canonical, k.Source = slices.Clone(r.Bytes()), slices.Clone(r.Bytes())
	k.On = r.Strings(command.MaxStartChannels)
	closeRow(&r)
}

func keyTenantWorkflows(tenant string) []byte {
	return command.AppendString([]byte{kindWorkflow}, tenant)
}

func keyWorkflow(tenant, name string) []byte { return append(keyTenantWorkflows(tenant), name...) }

func keyKept(tenant, name, version string) []byte {
	key := command.AppendString(command.AppendString([]byte{kindKept}, tenant), name)
	return append(key, version...)
}

func (all *metaWorkflows) load(view *storage.View) error {
	value, found, err := view.Get([]byte{kindWorkflow})
	if err != nil || !found {
		return err
	}
	r := openRow(value)
	all.count = r.Uint()
	closeRow(&r)
	prefix := []byte{kindWorkflow}
	return view.Scan([]byte{kindWorkflow, 0}, after(prefix), func(_, value []byte) (bool, error) {
		w := &Workflow{}
		w.read(value)
		at, _ := all.find(w.Tenant, w.Name)
		all.all = slices.Insert(all.all, at, w)
		for i := range w.Versions {
			all.bytes += w.Versions[i].Bytes
		}
		return true, nil
	})
}

// WorkflowSummary is a workflow in a list of them.
type WorkflowSummary struct {
	Name    string                  `json:"workflow"`
	Aliases []command.WorkflowAlias `json:"aliases"`
	// Versions is how many there are.
	Versions int `json:"versions"`
}

// ReadWorkflows reads a tenant's workflows whose names come after a name, in the order
// of names, at most limit.
func ReadWorkflows(view *storage.View, tenant, name string, limit int) (found []WorkflowSummary, err error) {
	defer invariants.Recover(&err)
	prefix := keyTenantWorkflows(tenant)
	from := append(keyWorkflow(tenant, name), 0)
	err = view.Scan(from, after(prefix), func(_, value []byte) (bool, error) {
		var w Workflow
		w.read(value)
		found = append(found, WorkflowSummary{Name: w.Name, Aliases: w.Aliases, Versions: len(w.Versions)})
		return len(found) < limit, nil
	})
	return found, err
}

// ReadWorkflow reads a workflow in the meta group, nil where there is none.
func ReadWorkflow(view *storage.View, tenant, name string) (w *Workflow, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(keyWorkflow(tenant, name))
	if err != nil || !found {
		return nil, err
	}
	w = &Workflow{}
	w.read(value)
	return w, nil
}

// ReadKept reads what a version says in the meta group, nil where it is not there.
func ReadKept(view *storage.View, part WorkflowPart) (kept *KeptDefinition, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(keyKept(part.Tenant, part.Name, part.Version))
	if err != nil || !found {
		return nil, err
	}
	kept = &KeptDefinition{}
	kept.read(value)
	return kept, nil
}

// ReadDefinitions reads which versions a partition has.
func ReadDefinitions(view *storage.View) (found []WorkflowPart, err error) {
	defer invariants.Recover(&err)
	names := newNameReader(view)
	var rows []definitionRow
	prefix := []byte{kindDefinition, definitionHead}
	err = view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		var row definitionRow
		row.read(value)
		rows = append(rows, row)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		found = append(found, WorkflowPart{names.text(nameTenant, rows[i].tenant), rows[i].name, rows[i].version})
	}
	return found, names.err
}
