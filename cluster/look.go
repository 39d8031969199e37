package cluster

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// serveLook answers a look-up of an event or of dead letters, when everything
// that was accepted before is applied here.
func (a answerTo) serveLook(g *Group, what op, r *command.Reader) {
	var read func(view *storage.View) (any, error)
	if what == opLetters {
		query := readLetterQuery(r)
		read = func(view *storage.View) (any, error) { return fsm.ReadDeadLetters(view, &query) }
	} else {
		tenant, id := r.String(), r.EventID()
		read = func(view *storage.View) (any, error) { return fsm.ReadEvent(view, tenant, id) }
	}
	if r.Err() != nil {
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

// look reads from a view and sends what it found.
func (a answerTo) look(view *storage.View, read func(*storage.View) (any, error)) {
	found, err := read(view)
	_ = view.Close() // Nothing can fail that matters to a reader.
	var encoded []byte
	if err == nil {
		encoded, err = json.Marshal(found)
	}
	if err != nil {
		a.cluster.config.Logger.Error("cannot read what was asked for", "group", a.group, "error", err)
		a.status(statusUnknown)
		return
	}
	a.send(append(a.begin(statusDone), encoded...))
}
