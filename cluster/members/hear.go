package members

import "github.com/batonmq/baton/fsm/command"

// fail notes that a question got no answer.
func (m *machine) fail(a *ask, text string) {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	if len(m.notes) < MaxTable {
		m.notes[a.to.ID] = text
	}
}

// hear takes the answer to a question that plan returned, however late.
func (m *machine) hear(a *ask, p *reply) error {
	switch {
	case m.broken != nil:
		return m.broken
	case p.from != a.to.ID:
		m.fail(a, "another node answers there: "+p.from)
		return nil
	case p.text != "":
		m.fail(a, p.text)
	default:
		delete(m.notes, a.to.ID)
	}
	switch a.request.kind {
	case askPromise:
		return m.hearPromise(a, p)
	case askState:
		return m.hearState(a, p)
	case tellDecision:
		if p.outcome == acknowledged {
			m.told[a.to.ID] = true // plan notes when it was the last one.
		}
	case askJoin:
		if p.outcome == belongs && m.row.standing == free && p.formation.ClusterID == a.request.clusterID {
			return m.adopt(p.formation, false)
		}
	}
	return nil
}

// current tells whether the question is about what the row holds now: an answer
// that comes after a release is about nothing.
func (m *machine) current(coordinator string, attempt uint64) bool {
	return m.row.standing == promised &&
		m.row.promise.attempt == attempt && m.row.promise.coordinator().ID == coordinator
}

func (m *machine) hearPromise(a *ask, p *reply) error {
	if !m.current(m.self.ID, a.request.attempt) {
		return nil
	}
	switch p.outcome {
	case gavePromise:
		m.votes[p.from] = true
		return m.decide()
	case refused:
		m.contested = true
	case belongs:
		return m.hearBelongs(p)
	case undecided, released, acknowledged:
	}
	return nil
}

func (m *machine) hearState(a *ask, p *reply) error {
	if !m.current(a.request.coordinator, a.request.attempt) {
		return nil
	}
	switch p.outcome {
	case belongs:
		return m.hearBelongs(p)
	case released:
		if p.from == a.request.coordinator {
			return m.release()
		}
	case gavePromise, refused, undecided, acknowledged:
	}
	return nil
}

// hearBelongs takes the word of a member of a cluster. If the cluster is the one
// promised, it is ours. If one of our set founded, or is in, another one, then our
// attempt never had that node's standing promise and never will: it is dead.
func (m *machine) hearBelongs(p *reply) error {
	set := m.row.promise.members
	switch {
	case p.founding && sameSet(p.formation.Members, set):
		if len(p.formation.LeaseKey) == 0 {
			return nil // Not for us to take: the answer was made for someone else.
		}
		return m.adopt(p.formation, true)
	case hasMember(set, p.from), p.founding && overlap(set, p.formation.Members):
		return m.release()
	}
	return nil
}

func overlap(a, b []command.Member) bool {
	for i := range a {
		if hasMember(b, a[i].ID) {
			return true
		}
	}
	return false
}
