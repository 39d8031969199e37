package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// nodeCount is how many nodes a cluster of the tests has.
const nodeCount = 3

// fleet is a cluster of real nodes.
type fleet struct {
	nodes []*node
	http  *http.Client
}

// node is one node, through all its lives.
type node struct {
	name, url, log string
	args           []string
	process        *process
}

// startFleet starts the nodes of a new cluster, and returns when it is ready.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	directory := t.TempDir()
	f := &fleet{http: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	ports := freePorts(t, 3*nodeCount)
	for i := range nodeCount {
		name, own := fmt.Sprintf("n%d", i+1), ports[3*i:]
		n := &node{name: name, url: "http://" + own[0], log: filepath.Join(directory, name+".log")}
		n.args = []string{
			"serve", "--node", name, "--data", filepath.Join(directory, name), "--log-level", "info",
			"--listen", own[0], "--peer-listen", own[1], "--gossip-listen", own[2], "--bootstrap-expect", fmt.Sprint(nodeCount),
		}
		for other := range nodeCount {
			if other != i {
				n.args = append(n.args, "--join", ports[3*other+2])
			}
		}
		f.nodes = append(f.nodes, n)
		t.Cleanup(func() { showTail(t, n.log) })
	}
	f.start(t, f.nodes...)
	f.awaitReady(t)
	return f
}

// start starts nodes that are not running.
func (f *fleet) start(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		n.process = startProcess(t, n.log, n.args...)
	}
}

// killAll kills all nodes at once, and returns when they have ended.
func (f *fleet) killAll() {
	for _, n := range f.nodes {
		_ = n.process.cmd.Process.Kill() // It may have ended.
	}
	for _, n := range f.nodes {
		n.process.kill()
	}
}

// awaitReady waits until every node reaches the leaders of all partitions.
func (f *fleet) awaitReady(t *testing.T) {
	t.Helper()
	for _, n := range f.nodes {
		waitFor(t, n.name+" is ready", func() error {
			if !n.process.alive() {
				t.Fatalf("%s ended: %v", n.name, n.process.cmd.ProcessState)
			}
			return f.get(t.Context(), n.url+"/readyz", nil)
		})
	}
}

// urls are all nodes' URLs, another one first.
func (f *fleet) urls(first int) []string {
	var urls []string
	for i := range f.nodes {
		urls = append(urls, f.nodes[(first+i)%len(f.nodes)].url)
	}
	return urls
}

func (f *fleet) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := f.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

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

func (f *fleet) status(t *testing.T, n *node) (*status, error) {
	t.Helper()
	s := &status{}
	return s, f.get(t.Context(), n.url+"/v1/cluster", s)
}

// identity is what must be the same in every life of a cluster.
func (f *fleet) identity(t *testing.T) string {
	t.Helper()
	var all []string
	for _, n := range f.nodes {
		s, err := f.status(t, n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s of %s with %v", s.Node, s.ClusterID, s.Members))
	}
	return strings.Join(all, "; ")
}

// byLeadership is the nodes, those that lead most first, and how many groups
// each leads.
func (f *fleet) byLeadership(t *testing.T) ([]*node, map[*node]int) {
	t.Helper()
	s, err := f.status(t, f.nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	leads := make(map[*node]int)
	for _, g := range append([]replica{s.Meta}, s.Partitions...) {
		for _, n := range f.nodes {
			if strings.HasPrefix(g.Leader, n.name) {
				leads[n]++
			}
		}
	}
	nodes := slices.Clone(f.nodes)
	slices.SortStableFunc(nodes, func(a, b *node) int { return leads[b] - leads[a] })
	return nodes, leads
}

// awaitAgreement waits until the replicas of each group have applied the same
// entries. On the way, equal indices must mean equal chain hashes.
func (f *fleet) awaitAgreement(t *testing.T) {
	t.Helper()
	seen := make(map[string]map[uint64]string) // chain hash, by group and index
	waitFor(t, "the replicas agree", func() error {
		at := make(map[string][]uint64)
		for _, n := range f.nodes {
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
					t.Fatalf("%s at %d: chain hash %s on %s, and %s on another node", group, g.Applied, g.Chain, n.name, chain)
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
		if slices.Min(indices) != slices.Max(indices) || indices[0] == 0 || len(indices) != nodeCount {
			return fmt.Errorf("%s is applied up to %v", group, indices)
		}
	}
	return nil
}
