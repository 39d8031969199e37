package members

import (
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// serve answers a question of founding; an error means that nothing was promised
// that anyone may rely on.
func (m *machine) serve(q *request) (reply, error) {
	if m.broken != nil {
		return reply{}, m.broken
	}
	answer := reply{from: m.self.ID, attempt: q.attempt}
	if q.to != m.self.ID {
		answer.outcome, answer.text = refused, "asked for "+q.to+", but this is "+m.self.ID
		return answer, nil
	}
	var err error
	switch q.kind {
	case askPromise:
		err = m.servePromise(q, &answer)
	case askState:
		m.serveState(q, &answer)
	case tellDecision:
		err = m.serveDecision(q, &answer)
	case askJoin:
		err = fmt.Errorf("%w: joining is not founding", ErrMalformed)
	}
	return answer, err
}

func (m *machine) servePromise(q *request, answer *reply) error {
	if text := m.unfit(q); text != "" {
		answer.outcome, answer.text = refused, text
		return nil
	}
	switch m.row.standing {
	case formed:
		m.answerBelongs(q.from, answer)
		return nil
	case free:
		if m.courting {
			answer.outcome, answer.text = refused, "a formed cluster is in sight"
			return nil
		}
	case promised:
		current := &m.row.promise
		if current.coordinator().ID != q.from || q.attempt < current.attempt {
			answer.outcome, answer.text = refused, fmt.Sprintf("it has promised to found a cluster with %s (%s)",
				memberNames(current.members), current.coordinator().ID)
			return nil
		}
		if q.attempt == current.attempt {
			answer.outcome = gavePromise
			if !sameSet(current.members, q.members) {
				answer.outcome, answer.text = refused, "the same attempt with another set"
			}
			return nil
		}
		// The same coordinator has gone on to a new attempt, so the old one is dead.
	}
	answer.outcome = gavePromise
	return m.bind(promise{attempt: q.attempt, members: slices.Clone(q.members)})
}

// unfit says what is wrong with a proposed set, or "".
func (m *machine) unfit(q *request) string {
	switch {
	case len(q.members) == 0 || q.members[0].ID != q.from:
		return "the asking node is not the set's coordinator"
	case !hasMember(q.members, m.self.ID):
		return "this node is not in the set"
	case len(q.members) != m.expect:
		return fmt.Sprintf("this node expects %d founders, not %d", m.expect, len(q.members))
	case !slices.IsSortedFunc(q.members, func(a, b command.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1 // Equal IDs count as disorder.
	}):
		return "the set is not in order"
	}
	for i := range q.members {
		if err := checkMember(&q.members[i]); err != nil {
			return err.Error()
		}
	}
	return ""
}

func (m *machine) serveState(q *request, answer *reply) {
	switch {
	case m.row.standing == formed:
		m.answerBelongs(q.from, answer)
	case q.coordinator != m.self.ID:
		answer.outcome = undecided
	case m.coordinates() && m.row.promise.attempt == q.attempt:
		answer.outcome = undecided
	case q.attempt <= m.row.attempt:
		answer.outcome = released
	default:
		answer.outcome, answer.text = refused, "it has no memory of that attempt"
	}
}

func (m *machine) serveDecision(q *request, answer *reply) error {
	f := &q.formation
	switch {
	case m.row.standing == formed && m.row.formation.ClusterID == f.ClusterID:
		answer.outcome = acknowledged
		return nil
	case m.row.standing == formed:
		m.answerBelongs(q.from, answer)
		return nil
	case m.row.standing == promised && !m.coordinates() && sameSet(m.row.promise.members, f.Members):
		answer.outcome = acknowledged
		return m.adopt(*f, true)
	}
	answer.outcome, answer.text = refused, "it has not promised to found that cluster"
	return nil
}

func (m *machine) answerBelongs(asker string, answer *reply) {
	answer.outcome, answer.founding = belongs, m.row.founding
	answer.formation = m.row.formation
	if !m.row.founding || !hasMember(m.row.formation.Members, asker) {
		answer.formation = m.row.formation.public()
	}
}
