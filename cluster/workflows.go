package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// MaxListedWorkflows is how many workflows one look lists.
const MaxListedWorkflows = 1000

// Workflow is a workflow's aliases and versions, WorkflowSummary what a list says of it,
// WorkflowVersion is a version of it, and KeptDefinition what that says.
type (
	Workflow        = fsm.Workflow
	WorkflowSummary = fsm.WorkflowSummary
	KeptDefinition  = fsm.KeptDefinition
	WorkflowVersion = fsm.WorkflowVersion
)

var (
	// ErrNoWorkflow says that a tenant has no such workflow, or version of it.
	ErrNoWorkflow = errors.New("the tenant has no such workflow, or no such version of it")
	// errNoPart says that partitions do not get a part of a workflow, or not any more.
	errNoPart = errors.New("no partition gets that part of the workflow")
)

// Workflows are a tenant's workflows whose names come after a name, in the order of
// names, at most limit and MaxListedWorkflows.
func (c *Cluster) Workflows(ctx context.Context, tenant, after string, limit int) (found []WorkflowSummary, err error) {
	want := command.AppendString(command.AppendString(nil, tenant), after)
	err = c.lookAtMeta(ctx, opWorkflows, command.AppendUint(want, uint64(max(limit, 1))), &found)
	return found, err
}

// Workflow is a workflow as the meta group has it; ErrNoWorkflow where there is none.
func (c *Cluster) Workflow(ctx context.Context, tenant, name string) (*Workflow, error) {
	var w *Workflow
	err := c.lookAtMeta(ctx, opWorkflow, command.AppendString(command.AppendString(nil, tenant), name), &w)
	if err == nil && w == nil {
		err = ErrNoWorkflow
	}
	return w, err
}

// Definition is what a version says, which is named in full; ErrNoWorkflow where there is
// none.
func (c *Cluster) Definition(ctx context.Context, tenant, name, version string) (*KeptDefinition, error) {
	var kept *KeptDefinition
	want := command.AppendString(command.AppendString(nil, tenant), name)
	err := c.lookAtMeta(ctx, opDefinition, command.AppendString(want, version), &kept)
	if err == nil && kept == nil {
		err = ErrNoWorkflow
	}
	return kept, err
}

// lookAtMeta reads something of the meta group's that comes as JSON.
func (c *Cluster) lookAtMeta(ctx context.Context, what op, body []byte, into any) error {
	answer, err := c.ofMeta(ctx, what, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read what the meta group has of workflows: %w", err)
	}
	return nil
}

// PutWorkflow keeps a version in the meta group, and returns when every partition has it
// and the workflow's aliases; created is false for one that was there. A *RefusedError is
// the state's; after another error it may be kept nevertheless, and come to the partitions
// later.
func (c *Cluster) PutWorkflow(ctx context.Context, put *command.PutWorkflow) (created bool, err error) {
	result, err := c.commandMeta(ctx, put.Append(nil))
	if err != nil {
		return false, err
	}
	if err := c.install(ctx, put); err != nil {
		return false, notEverywhere(err)
	}
	return !result.Duplicate, c.bringAliases(ctx, put.Tenant, put.Name)
}

// SetAlias moves an alias, or deletes it, and returns when it is so in every partition.
// Errors are as PutWorkflow's.
func (c *Cluster) SetAlias(ctx context.Context, set *command.SetAlias) error {
	if _, err := c.commandMeta(ctx, set.Append(nil)); err != nil {
		return err
	}
	return c.bringAliases(ctx, set.Tenant, set.Name)
}

// RemoveWorkflow removes a version, unless an alias names it or runs of it are live: a
// *RefusedError says so. The version retires first, so that nobody brings it to a
// partition again; then the partitions are asked, and where one needs it all get it back.
// After another error it may stay retiring: asking again goes on, and putting the version
// again ends that too.
func (c *Cluster) RemoveWorkflow(ctx context.Context, tenant, name, version string) error {
	stage := command.DeleteWorkflow{Tenant: tenant, Name: name, Version: version}
	if _, err := c.commandMeta(ctx, stage.Append(nil)); err != nil {
		return err
	}
	// A partition may not have heard yet that an alias has left the version.
	if err := c.bringAliases(ctx, tenant, name); err != nil {
		return err
	}
	remove := command.RemoveDefinition{Route: ofAnySlot(), Tenant: tenant, Name: name, Version: version}
	err := c.commandAll(ctx, remove.Append(nil))
	if err == nil {
		stage.Stage = command.StageForget
		_, err = c.commandMeta(ctx, stage.Append(nil))
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reason != command.NotFound {
		return errors.Join(err, c.restore(ctx, &stage))
	}
	return err
}

// restore gives a version back to the partitions that have removed it.
func (c *Cluster) restore(ctx context.Context, stage *command.DeleteWorkflow) error {
	stage.Stage = command.StageRestore
	if _, err := c.commandMeta(ctx, stage.Append(nil)); err != nil {
		return err
	}
	kept, err := c.Definition(ctx, stage.Tenant, stage.Name, stage.Version)
	if err != nil {
		return err
	}
	return c.install(ctx, &command.PutWorkflow{
		Tenant: stage.Tenant, Name: stage.Name, Version: stage.Version, Canonical: kept.Canonical, On: kept.On,
	})
}

// install brings a version to every partition.
func (c *Cluster) install(ctx context.Context, put *command.PutWorkflow) error {
	return c.commandAll(ctx, installing(fsm.WorkflowPart{Tenant: put.Tenant, Name: put.Name, Version: put.Version},
		&KeptDefinition{Canonical: put.Canonical, On: put.On}))
}

// bringAliases brings a workflow's aliases to every partition, as the meta group has them
// now.
func (c *Cluster) bringAliases(ctx context.Context, tenant, name string) error {
	w, err := c.Workflow(ctx, tenant, name)
	if errors.Is(err, ErrNoWorkflow) {
		return nil // It was removed meanwhile.
	}
	if err == nil {
		err = c.commandAll(ctx, aliasing(tenant, w))
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		err = errors.New(refused.Message) // It waits for a version: nobody's no.
	}
	return notEverywhere(err)
}

func notEverywhere(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the change is kept, but not in force everywhere yet: %w", err)
}

// commandMeta has the meta group carry out a command; a *RefusedError is its no.
func (c *Cluster) commandMeta(ctx context.Context, encoded []byte) (result command.Result, err error) {
	body, err := c.ofMeta(ctx, opCommand, encoded)
	if err != nil {
		return result, err
	}
	r := command.NewReader(body)
	if result = r.Result(); result.Reason != command.Done {
		return result, &RefusedError{result}
	}
	return result, nil
}

// commandAll has every partition carry out a command; a *RefusedError is the first no.
func (c *Cluster) commandAll(ctx context.Context, encoded []byte) error {
	answers, err := c.askAll(ctx, opCommand, encoded)
	if err != nil {
		return err
	}
	for _, answer := range answers {
		r := command.NewReader(answer)
		if result := r.Result(); result.Reason != command.Done {
			return &RefusedError{result}
		}
	}
	return nil
}

func ofAnySlot() command.Route { return command.Route{SlotMap: command.SlotMapVersion} }

func installing(part fsm.WorkflowPart, kept *KeptDefinition) []byte {
	c := command.InstallDefinition{
		Route: ofAnySlot(), Tenant: part.Tenant, Name: part.Name, Version: part.Version, Canonical: kept.Canonical, On: kept.On,
	}
	return c.Append(nil)
}

func aliasing(tenant string, w *Workflow) []byte {
	c := command.InstallAliases{Route: ofAnySlot(), Tenant: tenant, Name: w.Name, Count: w.Count, Aliases: w.Aliases}
	return c.Append(nil)
}

// workflowCommand is what brings a part of a workflow to a partition, read from this
// node's replica of the meta group; errNoPart where there is nothing to bring.
func (c *Cluster) workflowCommand(part fsm.WorkflowPart) ([]byte, error) {
	w, err := c.readWorkflow(part)
	switch {
	case err != nil:
		return nil, err
	case w == nil:
		return nil, errNoPart
	case part.Version == "":
		return aliasing(part.Tenant, w), nil
	case w.Retires(part.Version):
		return nil, errNoPart
	}
	view := c.group(MetaGroup).state.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	kept, err := fsm.ReadKept(view, part)
	if err != nil {
		return nil, err
	}
	if kept == nil {
		return nil, errNoPart
	}
	return installing(part, kept), nil
}

func (c *Cluster) readWorkflow(part fsm.WorkflowPart) (*Workflow, error) {
	g := c.group(MetaGroup)
	if g == nil {
		return nil, errNoGroup
	}
	view := g.state.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	return fsm.ReadWorkflow(view, part.Tenant, part.Name)
}

func readParts(body []byte) (parts []fsm.WorkflowPart, err error) {
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, fmt.Errorf("read which definitions a partition has: %w", err)
	}
	return parts, nil
}
