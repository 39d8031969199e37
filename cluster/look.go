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
func lookUpJSON(g *Group, what op, r *command.Reader) func(*storage.View) (any, error) {
	if read := lookUps[what]; read != nil {
		return read(r)
	}
	if read := ownLookUps[what]; read != nil && g.duty != nil {
		return read(g, r)
	}
	return nil
}

// lookUps read what rows alone tell.
//
//nolint:gochecknoglobals,exhaustive // A table that is not changed, of these operations only.
var lookUps = map[op]func(*command.Reader) func(*storage.View) (any, error){
	opTrace: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, id := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadLineage(view, tenant, id) }
	},
	opLetters: func(r *command.Reader) func(*storage.View) (any, error) {
		query := readLetterQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadDeadLetters(view, &query) }
	},
	opEvent: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, id := r.String(), r.EventID()
		return func(view *storage.View) (any, error) { return fsm.ReadEvent(view, tenant, id) }
	},
	opTenant: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant := r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadTenantSettings(view, tenant) }
	},
	opRun: func(r *command.Reader) func(*storage.View) (any, error) {
		look := readRunLook(r)
		return func(view *storage.View) (any, error) { return fsm.ReadRun(view, &look) }
	},
	opRuns: func(r *command.Reader) func(*storage.View) (any, error) {
		query := readRunQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadRuns(view, &query) }
	},
	opSchedule: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, id := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadSchedule(view, tenant, id) }
	},
	opSchedules: func(r *command.Reader) func(*storage.View) (any, error) {
		query := readScheduleQuery(r)
		return func(view *storage.View) (any, error) { return fsm.ReadSchedules(view, &query) }
	},
	opMembers: func(*command.Reader) func(*storage.View) (any, error) {
		return func(view *storage.View) (any, error) { return readMembers(view) }
	},
	opSettings: func(r *command.Reader) func(*storage.View) (any, error) {
		channel := r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadChannelSettings(view, channel) }
	},
	opChannels: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, channel := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadChannels(view, tenant, channel) }
	},
	opCredentials: func(r *command.Reader) func(*storage.View) (any, error) {
		known := r.Uint()
		return func(view *storage.View) (any, error) { return fsm.ReadCredentials(view, known) }
	},
	opWorkflows: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, name, limit := r.String(), r.String(), int(min(r.Uint(), MaxListedWorkflows))
		return func(view *storage.View) (any, error) { return fsm.ReadWorkflows(view, tenant, name, limit) }
	},
	opWorkflow: func(r *command.Reader) func(*storage.View) (any, error) {
		tenant, name := r.String(), r.String()
		return func(view *storage.View) (any, error) { return fsm.ReadWorkflow(view, tenant, name) }
	},
	opDefinition: func(r *command.Reader) func(*storage.View) (any, error) {
		part := fsm.WorkflowPart{Tenant: r.String(), Name: r.String(), Version: r.String()}
		return func(view *storage.View) (any, error) { return fsm.ReadKept(view, part) }
	},
	opDefinitions: func(*command.Reader) func(*storage.View) (any, error) {
		return func(view *storage.View) (any, error) { return fsm.ReadDefinitions(view) }
	},
}

// ownLookUps need what the group knows beside its rows. The meta group knows none of
// that: it has no events and no clients.
//
//nolint:gochecknoglobals,exhaustive // As above.
var ownLookUps = map[op]func(*Group, *command.Reader) func(*storage.View) (any, error){
	opWhy: func(g *Group, r *command.Reader) func(*storage.View) (any, error) {
		tenant, id := r.String(), r.EventID()
		return whyOf(g, tenant, id)
	},
	opClient: func(g *Group, r *command.Reader) func(*storage.View) (any, error) {
		tenant, client := r.String(), r.String()
		return presenceOf(g, tenant, client)
	},
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
