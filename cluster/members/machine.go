package members

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// machine decides founding and joining. It has no clock, socket or goroutine:
// plan says what to ask, serve answers others, hear takes their answers. Its only
// effect is the row in LocalStore, written before anything that depends on it is
// said. Its caller serializes every method.
type machine struct {
	self                 command.Member
	expect               int
	partitions, replicas uint32
	store                LocalStore
	random               io.Reader

	// row is what the store holds. The machine never acts on anything newer.
	row row
	// broken is the first failed write: what is durable is unknown from then on,
	// so the machine says and does nothing more.
	broken error

	// What follows is lost at a restart and learned again.

	// writes counts changes of the row.
	writes int
	// votes are the members whose promise of the row's attempt was heard.
	votes map[string]bool
	// told are the founders that have acknowledged the decision.
	told map[string]bool
	// notes are the last trouble with each node, for Waiting.
	notes map[string]string
	// contested: a member of the own set is bound elsewhere.
	contested bool
	// courting: the last view showed a cluster to join, so no promise is given.
	courting bool
	// turn rotates the peer that is asked to admit this node.
	turn int
}

// candidate is a node that gossip believes alive.
type candidate struct {
	member  command.Member
	expect  int
	cluster string
}

// view is what gossip shows to the machine; the node itself is always in it.
type view struct {
	alive []candidate
	// settled: nothing changed for a while. New sets are made only then.
	settled bool
	// admitted are the cluster's members, once they are known; else empty.
	admitted []command.Member
}

// ask is a question to be put to a node.
type ask struct {
	to      command.Member
	request request
}

func newMachine(c *Config, random io.Reader) (*machine, error) {
	m := &machine{
		self: c.Self, expect: c.Expect, partitions: c.Partitions, replicas: c.Replicas,
		store: c.Local, random: random,
		votes: map[string]bool{}, told: map[string]bool{}, notes: map[string]string{},
	}
	record, found, err := m.store.GetLocal(rowName)
	if err != nil {
		return nil, fmt.Errorf("read what this node has promised: %w", err)
	}
	if !found {
		m.row = row{standing: free, owner: m.self.ID}
		return m, nil
	}
	if m.row, err = decodeRow(record); err != nil {
		return nil, fmt.Errorf("read what this node has promised: %w", err)
	}
	if m.row.owner != m.self.ID {
		return nil, fmt.Errorf("members: this data belongs to node %q, not to %q", m.row.owner, m.self.ID)
	}
	return m, nil
}

// write makes next durable and then current.
func (m *machine) write(next row) error {
	if m.broken != nil {
		return m.broken
	}
	next.owner = m.self.ID
	if err := m.store.SetLocal(rowName, next.encode()); err != nil {
		m.broken = fmt.Errorf("store what this node has promised: %w", err)
		return m.broken
	}
	m.row = next
	m.writes++
	clear(m.votes)
	clear(m.notes)
	m.contested = false
	return nil
}

// bind promises a set, to itself or to another coordinator.
func (m *machine) bind(p promise) error {
	next := row{standing: promised, attempt: m.row.attempt, promise: p}
	if p.coordinator().ID == m.self.ID {
		next.attempt = p.attempt
	}
	return m.write(next)
}

// release leaves the promise. Invariant: its attempt can never be decided.
func (m *machine) release() error {
	return m.write(row{standing: free, attempt: m.row.attempt})
}

// adopt becomes a member of a cluster, for good.
func (m *machine) adopt(f Formation, founding bool) error {
	if err := f.check(); err != nil {
		return err
	}
	return m.write(row{standing: formed, attempt: m.row.attempt, founding: founding, formation: f})
}

// coordinates tells whether the current promise is this node's own try.
func (m *machine) coordinates() bool {
	return m.row.standing == promised && m.row.promise.coordinator().ID == m.self.ID
}

// decide founds the cluster, if every member of the set has promised.
func (m *machine) decide() error {
	for i := range m.row.promise.members {
		id := m.row.promise.members[i].ID
		if id != m.self.ID && !m.votes[id] {
			return nil
		}
	}
	secret := make([]byte, 8+32)
	if _, err := io.ReadFull(m.random, secret); err != nil {
		return fmt.Errorf("make a cluster id: %w", err)
	}
	return m.adopt(Formation{
		ClusterID:  hex.EncodeToString(secret[:8]),
		Partitions: m.partitions, Replicas: m.replicas,
		LeaseKey: secret[8:],
		Members:  slices.Clone(m.row.promise.members),
	}, true)
}

// announces tells whether this node decided and someone may not know it yet.
func (m *machine) announces() bool {
	return m.row.standing == formed && m.row.founding && !m.row.announced &&
		len(m.row.formation.Members) > 0 && m.row.formation.Members[0].ID == m.self.ID
}
