package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// status is what a node shows of the cluster, as far as it is looked at here.
type status struct {
	ClusterID  string `json:"cluster_id"`
	Node       string
	Members    []member
	Meta       replica
	Partitions []replica
}

type member struct{ ID, Name string }

// replica is a node's own copy of a group.
type replica struct {
	Leader, Chain string
	Applied       uint64
}

func (f *Fleet) status(t *testing.T, n *Node) (*status, error) {
	t.Helper()
	s := &status{}
	return s, f.get(t.Context(), n.URL+"/v1/cluster", s)
}

// Identity is what must be the same in every life of a cluster.
func (f *Fleet) Identity(t *testing.T) string {
	t.Helper()
	var all []string
	for _, n := range f.Nodes {
		s, err := f.status(t, n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s of %s with %v", s.Node, s.ClusterID, s.Members))
	}
	return strings.Join(all, "; ")
}

// ByLeadership is the nodes, those that lead most first, and how many groups
// each leads.
func (f *Fleet) ByLeadership(t *testing.T) ([]*Node, map[*Node]int) {
	t.Helper()
	s, err := f.status(t, f.Nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	leads := make(map[*Node]int)
	for _, g := range append([]replica{s.Meta}, s.Partitions...) {
		for _, n := range f.Nodes {
			if strings.HasPrefix(g.Leader, n.Name) {
				leads[n]++
			}
		}
	}
	nodes := slices.Clone(f.Nodes)
	slices.SortStableFunc(nodes, func(a, b *Node) int { return leads[b] - leads[a] })
	return nodes, leads
}

// AwaitAgreement waits until the replicas of each group have applied the same
// entries. On the way, equal indices must mean equal chain hashes.
func (f *Fleet) AwaitAgreement(t *testing.T) {
	t.Helper()
	seen := make(map[string]map[uint64]string) // chain hash, by group and index
	WaitFor(t, "the replicas agree", func() error {
		at := make(map[string][]uint64)
		for _, n := range f.Nodes {
			s, err := f.status(t, n)
			if err != nil {
				return err
			}
			for i, g := range append([]replica{s.Meta}, s.Partitions...) {
				group := fmt.Sprintf("group %d", i)
				if seen[group] == nil {
					seen[group] = make(map[uint64]string)
				}
				if chain := seen[group][g.Applied]; chain != "" && chain != g.Chain {
					t.Fatalf("%s at %d: chain hash %s on %s, and %s on another node", group, g.Applied, g.Chain, n.Name, chain)
				}
				seen[group][g.Applied] = g.Chain
				at[group] = append(at[group], g.Applied)
			}
		}
		return equal(at)
	})
}

var errNoGroups = errors.New("the nodes show no groups")

func equal(at map[string][]uint64) error {
	if len(at) < 2 {
		return errNoGroups
	}
	for group, indices := range at {
		if slices.Min(indices) != slices.Max(indices) || indices[0] == 0 || len(indices) != NodeCount {
			return fmt.Errorf("%s is applied up to %v", group, indices)
		}
	}
	return nil
}
