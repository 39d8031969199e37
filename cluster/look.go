package cluster

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// serveLook answers a look-up, when everything that was accepted before is applied
// here.
func (a answerTo) serveLook(g *Group, what op, r *command.Reader) {
	read := lookUp(g, what, r)
	if r.Err() != nil || read == nil {
		a.status(statusUnknown)
		return
	}
	g.after(func(how status) {
		if how != statusDone {
			a.status(how)
			return
		}
		// The goroutine that packs entries calls this, before the group's is waited
		// for; a page of letters is too much to read on it.
		view := g.state.View()
		g.running.Go(func() { a.look(view, read) })
	})
}

// lookUp reads what is asked for; nil for what this node does not know.
func lookUp(g *Group, what op, r *command.Reader) func(*storage.View) ([]byte, error) {
	if what == opFollow {
		return readBegin(r)
	}
	read := lookUpJSON(g, what, r)
	if read == nil {
		return nil
	}
	return func(view *storage.View) ([]byte, error) {
		found, err := read(view)
		if err != nil {
			return nil, err
		}
		return json.Marshal(found)
	}
}

// lookUpJSON is lookUp for what is answered as JSON.
func lookUpJSON(g *Group, what op, r *command.Reader) func(*storage.View) (any, error) { //nolint:revive,funlen // A case for each.
	switch what {
	case opTrace:
		tenant, id := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadLineage(view, tenant, id) }
	case opLetters:
		query := readLetterQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadDeadLetters(view, &query) }
	case opEvent, opWhy:
		return lookUpEvent(g, what, r)
	case opRun, opRuns, opSchedule, opSchedules:
		return lookUpRuns(what, r)
	case opTenant:
		tenant := r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadTenantSettings(view, tenant) }
	case opMembers:
		return func(view *storage.View) (any, error) { return readMembers(view) }
	case opSettings:
		channel := r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadChannelSettings(view, channel) }
	case opChannels:
		tenant, channel := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadChannels(view, tenant, channel) }
	case opCredentials:
		known := r.Uint()
		return func(view *storage.View) (any, error) { return fsm.ReadCredentials(view, known) }
	case opClient:
		if g.duty == nil {
			return nil // The meta group has no clients.
		}
		tenant, client := r.String(), r.String()
		return presenceOf(g, tenant, client)
	case opWorkflows, opWorkflow, opDefinition, opDefinitions:
		return lookUpWorkflows(what, r)
	case opCommand, opRenew, opFollow, opRunEnd:
	}
	return nil
}

// lookUpEvent is lookUpJSON for what is asked of one event.
func lookUpEvent(g *Group, what op, r *command.Reader) func(*storage.View) (any, error) {
	tenant, id := r.String(), r.EventID()
	switch {
	case what == opEvent:
		return func(view *storage.View) (any, error) { return fsm.ReadEvent(view, tenant, id) }
	case g.duty == nil:
		return nil // The meta group has no events.
	default:
		return whyOf(g, tenant, id)
	}
}

// lookUpRuns is lookUpJSON for what is asked of runs and their schedules.
func lookUpRuns(what op, r *command.Reader) func(*storage.View) (any, error) {
	switch what { //nolint:exhaustive // lookUpJSON has chosen these.
	case opRun:
		look := readRunLook(r)
		return func(view *storage.View) (any, error) { return fsm.ReadRun(view, &look) }
	case opRuns:
		query := readRunQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadRuns(view, &query) }
	case opSchedule:
		tenant, id := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadSchedule(view, tenant, id) }
	default:
		query := readScheduleQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadSchedules(view, &query) }
	}
}

// lookUpWorkflows is lookUpJSON for what is asked of workflows.
func lookUpWorkflows(what op, r *command.Reader) func(*storage.View) (any, error) {
	if what == opDefinitions {
		return func(view *storage.View) (any, error) { return fsm.ReadDefinitions(view) }
	}
	part := fsm.WorkflowPart{Tenant: r.String(), Name: r.String()}
	switch what { //nolint:exhaustive // lookUpJSON has chosen these.
	case opWorkflows:
		limit := int(min(r.Uint(), MaxListedWorkflows))
		return func(view *storage.View) (any, error) { return fsm.ReadWorkflows(view, part.Tenant, part.Name, limit) }
	case opWorkflow:
		return func(view *storage.View) (any, error) { return fsm.ReadWorkflow(view, part.Tenant, part.Name) }
	default:
		part.Version = r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadKept(view, part) }
	}
}

// look reads from a view and sends what it found.
func (a answerTo) look(view *storage.View, read func(*storage.View) ([]byte, error)) {
	found, err := read(view)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err != nil {
		a.cluster.config.Logger.Error("cannot read what was asked for", "group", a.group, "error", err)
		a.status(statusUnknown)
		return
	}
	a.send(append(a.begin(statusDone), found...))
}
