package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// NodeCount is how many nodes a fleet has.
const NodeCount = 3

// Fleet is a cluster of real nodes.
type Fleet struct {
	Nodes []*Node

	owner *testing.T // with which the nodes end
	http  *http.Client
}

// Node is one node, through all its lives.
type Node struct {
	Name, URL string
	Process   *Process

	log, binary string
	args        []string
}

// Start starts the nodes of a new cluster, and returns when it is ready. They
// end with the test.
func Start(t *testing.T, binary string) *Fleet {
	t.Helper()
	if _, err := sources(); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	f := &Fleet{owner: t, http: client}
	ports := FreePorts(t, 3*NodeCount)
	for i := range NodeCount {
		name, own := fmt.Sprintf("n%d", i+1), ports[3*i:]
		n := &Node{Name: name, URL: "http://" + own[0], log: filepath.Join(directory, name+".log"), binary: binary}
		n.args = []string{
			"serve", "--node", name, "--data", filepath.Join(directory, name), "--log-level", "info",
			"--listen", own[0], "--peer-listen", own[1], "--gossip-listen", own[2], "--bootstrap-expect", fmt.Sprint(NodeCount),
		}
		for other := range NodeCount {
			if other != i {
				n.args = append(n.args, "--join", ports[3*other+2])
			}
		}
		f.Nodes = append(f.Nodes, n)
		t.Cleanup(func() { ShowTail(t, n.log) })
	}
	f.Start(t, f.Nodes...)
	f.AwaitReady(t)
	return f
}

// Start starts nodes that are not running. They outlive a subtest that does so.
func (f *Fleet) Start(t *testing.T, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		p, err := start(n.log, n.binary, n.args)
		if err != nil {
			t.Fatal(err)
		}
		f.owner.Cleanup(p.Kill)
		n.Process = p
	}
}

// KillAll kills all nodes at once, and returns when they have ended.
func (f *Fleet) KillAll() {
	for _, n := range f.Nodes {
		_ = n.Process.cmd.Process.Kill() // It may have ended.
	}
	for _, n := range f.Nodes {
		n.Process.Kill()
	}
}

// AwaitReady waits until every node reaches the leaders of all partitions.
func (f *Fleet) AwaitReady(t *testing.T) {
	t.Helper()
	for _, n := range f.Nodes {
		WaitFor(t, n.Name+" is ready", func() error {
			if !n.Process.Alive() {
				t.Fatalf("%s ended: %v", n.Name, n.Process.cmd.ProcessState)
			}
			return f.get(t.Context(), n.URL+"/readyz", nil)
		})
	}
}

// URLs are all nodes' URLs, another one first.
func (f *Fleet) URLs(first int) []string {
	var urls []string
	for i := range f.Nodes {
		urls = append(urls, f.Nodes[(first+i)%len(f.Nodes)].URL)
	}
	return urls
}

// Command runs the binary as an operator would, against all nodes, and returns
// what it printed.
func (f *Fleet) Command(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	c := exec.CommandContext(ctx, f.Nodes[0].binary, args...)
	c.Env = append(os.Environ(), "BATON_NODES="+strings.Join(f.URLs(0), ","))
	output, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("baton %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

func (f *Fleet) get(ctx context.Context, url string, into any) error {
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
