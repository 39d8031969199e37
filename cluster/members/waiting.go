package members

import (
	"fmt"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
)

// Waiting says, for a human, what founding or joining waits for; "" when this node
// belongs to a cluster.
func (m *Members) Waiting() string {
	v := m.table.view(m.config.Timing.Settle)
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	switch {
	case m.mu.trouble != nil:
		return m.mu.trouble.Error()
	case m.ready.Load():
		return ""
	}
	text := m.mu.machine.waiting(&v)
	if len(v.alive) < 2 && len(m.config.Join) > 0 {
		text += "; no answer yet from " + strings.Join(m.config.Join, ", ")
	}
	return text
}

func (m *machine) waiting(v *view) string {
	switch {
	case m.broken != nil:
		return m.broken.Error()
	case m.row.standing == formed:
		return "starting as a member of cluster " + m.row.formation.ClusterID
	case m.coordinates():
		return m.waitingForPromises(v)
	case m.row.standing == promised:
		return m.waitingForDecision(v)
	}
	return m.waitingFree(v)
}

func (m *machine) waitingForPromises(v *view) string {
	var missing []string
	for _, member := range m.row.promise.members {
		if member.ID != m.self.ID && !m.votes[member.ID] {
			missing = append(missing, m.describe(v, member))
		}
	}
	return fmt.Sprintf("founding a cluster of %s: waiting for the promise of %s",
		memberNames(m.row.promise.members), strings.Join(missing, ", "))
}

func (m *machine) waitingForDecision(v *view) string {
	coordinator := *m.row.promise.coordinator()
	text := fmt.Sprintf("promised to found a cluster of %s: waiting for the decision of %s",
		memberNames(m.row.promise.members), m.describe(v, coordinator))
	if !slices.ContainsFunc(v.alive, func(c candidate) bool { return c.member.ID == coordinator.ID }) {
		text += "; if its data is lost for good, remove this node's data directory too: it holds nothing yet"
	}
	return text
}

func (m *machine) waitingFree(v *view) string {
	switch clusters := v.clusters(); {
	case len(clusters) > 1:
		return "sees more than one cluster and will not choose: " + strings.Join(clusters, ", ")
	case len(clusters) == 1:
		var peers []string
		for _, peer := range v.formed() {
			peers = append(peers, m.describe(v, peer))
		}
		return fmt.Sprintf("joining cluster %s through %s", clusters[0], strings.Join(peers, ", "))
	case m.expect == 0:
		return "looking for a cluster to join"
	}
	here := v.founders(m.expect)
	if name := twins(here); name != "" {
		return fmt.Sprintf("two nodes are named %s: waiting for one of them to go", name)
	}
	texts := []string{fmt.Sprintf("founding a cluster: %d of %d nodes are here (%s)",
		len(here), m.expect, memberNames(here))}
	if len(here) >= m.expect && here[0].ID != m.self.ID {
		texts = append(texts, here[0].Name+" coordinates")
	}
	for i := range v.alive {
		if c := &v.alive[i]; c.cluster == "" && c.expect != m.expect {
			texts = append(texts, fmt.Sprintf("%s expects %d", c.member.Name, c.expect))
		}
	}
	return strings.Join(texts, "; ")
}

// describe names a node with what is known to be wrong with it.
func (m *machine) describe(v *view, member command.Member) string {
	here := slices.ContainsFunc(v.alive, func(c candidate) bool { return c.member.ID == member.ID })
	note := m.notes[member.ID]
	switch {
	case !here && note != "":
		return fmt.Sprintf("%s (%s, not in gossip; %s)", member.Name, member.ID, note)
	case !here:
		return fmt.Sprintf("%s (%s, not in gossip)", member.Name, member.ID)
	case note != "":
		return fmt.Sprintf("%s (%s)", member.Name, note)
	}
	return member.Name
}
