package members

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// plan takes the steps that v allows and returns what to ask whom.
func (m *machine) plan(v view) ([]ask, error) {
	if m.broken != nil {
		return nil, m.broken
	}
	clusters := v.clusters()
	m.courting = len(clusters) > 0
	if m.coordinates() && m.mustGiveUp(v) {
		if err := m.release(); err != nil {
			return nil, err
		}
	}
	if m.row.standing == free && !m.courting && v.settled {
		if err := m.propose(v); err != nil {
			return nil, err
		}
	}
	switch m.row.standing {
	case free:
		if len(clusters) == 1 {
			return m.planJoin(v), nil
		}
		return nil, nil
	case promised:
		if m.coordinates() {
			return m.planPromises(), nil
		}
		return m.planQuestions(v), nil
	case formed:
		return m.planDecision(v)
	}
	return nil, nil
}

// mustGiveUp tells whether the own, undecided try stands in the way. Giving up is
// always safe, because nobody else can decide it; doing so too early would only
// lose time.
func (m *machine) mustGiveUp(v view) bool {
	if m.courting {
		return true
	}
	target, ok := v.target(m.expect)
	if !ok || !v.settled || sameSet(target, m.row.promise.members) {
		return false
	}
	missing := slices.ContainsFunc(m.row.promise.members, func(member command.Member) bool {
		return !slices.ContainsFunc(v.alive, func(c candidate) bool { return c.member.ID == member.ID })
	})
	return missing || m.contested
}

// propose starts an own try if this node is to coordinate.
func (m *machine) propose(v view) error {
	target, ok := v.target(m.expect)
	if !ok || target[0].ID != m.self.ID {
		return nil
	}
	if err := m.bind(promise{attempt: m.row.attempt + 1, members: target}); err != nil {
		return err
	}
	return m.decide() // Alone, its own promise is all.
}

func (m *machine) planPromises() []ask {
	var asks []ask
	for _, to := range m.row.promise.members {
		if to.ID != m.self.ID && !m.votes[to.ID] {
			asks = append(asks, m.ask(to, request{
				kind: askPromise, attempt: m.row.promise.attempt, members: m.row.promise.members,
			}))
		}
	}
	return asks
}

// planQuestions asks the other founders, and one member of any cluster in sight,
// what became of the promise.
func (m *machine) planQuestions(v view) []ask {
	question := request{
		kind: askState, coordinator: m.row.promise.coordinator().ID, attempt: m.row.promise.attempt,
	}
	var asks []ask
	for _, to := range m.row.promise.members {
		if to.ID != m.self.ID {
			asks = append(asks, m.ask(v.latest(to), question))
		}
	}
	if peers := v.formed(); len(peers) > 0 {
		m.turn++
		if to := peers[m.turn%len(peers)]; !hasMember(m.row.promise.members, to.ID) {
			asks = append(asks, m.ask(to, question))
		}
	}
	return asks
}

// planDecision tells the founders, but not those the cluster has given up since.
func (m *machine) planDecision(v view) ([]ask, error) {
	if !m.announces() {
		return nil, nil
	}
	var asks []ask
	for _, to := range m.row.formation.Members {
		lost := len(v.admitted) > 0 && !hasMember(v.admitted, to.ID)
		if to.ID != m.self.ID && !m.told[to.ID] && !lost {
			asks = append(asks, m.ask(v.latest(to), request{kind: tellDecision, formation: m.row.formation}))
		}
	}
	if len(asks) > 0 {
		return asks, nil
	}
	next := m.row
	next.announced = true
	return nil, m.write(next)
}

func (m *machine) planJoin(v view) []ask {
	peers := v.formed()
	m.turn++
	i := slices.IndexFunc(v.alive, func(c candidate) bool { return c.cluster != "" })
	return []ask{m.ask(peers[m.turn%len(peers)], request{
		kind: askJoin, clusterID: v.alive[i].cluster, member: m.self,
	})}
}

func (m *machine) ask(to command.Member, q request) ask {
	q.from, q.to = m.self.ID, to.ID
	return ask{to: to, request: q}
}

// clusters are the ids of all clusters in sight.
func (v *view) clusters() []string {
	var ids []string
	for i := range v.alive {
		if id := v.alive[i].cluster; id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// formed are the nodes that belong to a cluster.
func (v *view) formed() []command.Member {
	var list []command.Member
	for i := range v.alive {
		if v.alive[i].cluster != "" {
			list = append(list, v.alive[i].member)
		}
	}
	sortMembers(list)
	return list
}

// founders are the nodes in sight that would found a cluster of that many.
func (v *view) founders(expect int) []command.Member {
	var list []command.Member
	for i := range v.alive {
		if v.alive[i].cluster == "" && v.alive[i].expect == expect {
			list = append(list, v.alive[i].member)
		}
	}
	sortMembers(list)
	return list
}

// target is the set to found: the expect smallest IDs. Two nodes of one name are
// a wiped node and its ghost, or a mistake; either way, not yet.
func (v *view) target(expect int) ([]command.Member, bool) {
	list := v.founders(expect)
	if expect == 0 || len(list) < expect || twins(list) != "" {
		return nil, false
	}
	return list[:expect:expect], true
}

// latest is the member with the addresses that gossip has now.
func (v *view) latest(member command.Member) command.Member {
	for i := range v.alive {
		if v.alive[i].member.ID == member.ID {
			return v.alive[i].member
		}
	}
	return member
}

// twins is a name that two of the nodes share, or "".
func twins(list []command.Member) string {
	seen := make(map[string]bool, len(list))
	for i := range list {
		if seen[list[i].Name] {
			return list[i].Name
		}
		seen[list[i].Name] = true
	}
	return ""
}
