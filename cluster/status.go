package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
)

// Status is the cluster as one of its nodes sees it: GET /v1/cluster.
type Status struct {
	ClusterID string `json:"cluster_id"`
	Node      string `json:"node"`
	// Ready says whether this node reaches every leader; Waiting what is missing.
	Ready   bool           `json:"ready"`
	Waiting string         `json:"waiting,omitempty"`
	Members []MemberStatus `json:"members"`
	Meta    GroupStatus    `json:"meta"`
	// Partitions are in order.
	Partitions []GroupStatus `json:"partitions"`
}

// MemberStatus is one admitted member.
type MemberStatus struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	State         string `json:"state"`
	PeerAddress   string `json:"peer_address"`
	GossipAddress string `json:"gossip_address"`
	ClientURL     string `json:"client_url"`
	Version       string `json:"version"`
	Self          bool   `json:"self"`
}

// GroupStatus is one replicated group. Applied and Chain are this node's own
// replica's: the last applied index, and the chain hash there.
type GroupStatus struct {
	Partition  *uint32  `json:"partition,omitempty"`
	Leader     string   `json:"leader"`
	Generation uint64   `json:"generation"`
	Ready      bool     `json:"ready"`
	Replicas   []string `json:"replicas"`
	Applied    uint64   `json:"applied,omitempty"`
	Chain      string   `json:"chain,omitempty"`
	Digest     string   `json:"digest,omitempty"`
}

// Status is the cluster as JSON, see the type of that name.
func (c *Cluster) Status(ctx context.Context) ([]byte, error) {
	status := Status{ClusterID: c.ClusterID(), Node: c.config.Self.ID, Members: c.memberStatus()}
	if err := c.Ready(ctx); err != nil {
		status.Waiting = err.Error()
	} else {
		status.Ready = true
	}
	c.eachLane(func(l *lane) {
		g := c.groupStatus(l)
		if l.group == MetaGroup {
			status.Meta = g
		} else {
			status.Partitions = append(status.Partitions, g)
		}
	})
	return json.Marshal(status)
}

// memberStatus lists each admitted member once, with what gossip knows of it.
// Before the cluster is formed there are none.
func (c *Cluster) memberStatus() []MemberStatus {
	c.mu.RLock()
	admitted := slices.Clone(c.mu.admitted)
	c.mu.RUnlock()
	table := make(map[string]members.Peer)
	for _, peer := range c.members.Table() {
		table[peer.ID] = peer
	}
	f := c.formation.Load()
	for id, peer := range table {
		known := slices.ContainsFunc(admitted, func(m command.Member) bool { return m.ID == id })
		if f != nil && !known && peer.ClusterID == f.ClusterID {
			admitted = append(admitted, peer.Member)
		}
	}
	slices.SortFunc(admitted, func(a, b command.Member) int { return strings.Compare(a.ID, b.ID) })
	list := make([]MemberStatus, 0, len(admitted))
	for i := range admitted {
		m := &admitted[i]
		state := members.Dead.String()
		if peer, known := table[m.ID]; known {
			state = peer.State.String()
			if peer.State == members.Alive {
				m = &peer.Member
			}
		}
		list = append(list, MemberStatus{
			ID: m.ID, Name: m.Name, State: state, PeerAddress: m.PeerAddress, GossipAddress: m.GossipAddress,
			ClientURL: m.ClientURL, Version: m.Version, Self: m.ID == c.config.Self.ID,
		})
	}
	return list
}

func (c *Cluster) groupStatus(l *lane) GroupStatus {
	leader, generation, up := l.current()
	status := GroupStatus{Leader: string(leader), Generation: generation, Ready: up}
	if l.group != MetaGroup {
		partition := l.group - 1
		status.Partition = &partition
	}
	if f := c.formation.Load(); f != nil {
		status.Replicas = founders(f, l.group)
	}
	if g := c.group(l.group); g != nil {
		applied := g.state.Applied()
		status.Applied, status.Chain = applied.Index, hex64(applied.Chain)
	}
	return status
}

// Digest is the scrub digest of this node's replica of a group, with the index
// and chain hash it stands for: equal on all replicas at an equal index.
func (c *Cluster) Digest(group uint32) (index, chain, digest uint64, err error) {
	g := c.group(group)
	if g == nil {
		return 0, 0, 0, ErrNotReady
	}
	view := g.state.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	digest, err = view.Digest()
	applied := view.Applied()
	return applied.Index, applied.Chain, digest, err
}

func hex64(v uint64) string {
	const digits = "0123456789abcdef"
	var text [16]byte
	for i := range text {
		text[15-i] = digits[v>>(4*i)&15]
	}
	return string(text[:])
}
