package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/batonmq/baton/node"
)

// listed are the members that a node lists, as name and state.
func listed(ctx context.Context, n *node.Node) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.ClientURL()+"/v1/cluster", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	var status struct {
		Members []struct{ Name, State string }
	}
	err = json.NewDecoder(response.Body).Decode(&status)
	names := make([]string, 0, len(status.Members))
	for _, m := range status.Members {
		names = append(names, m.Name+" "+m.State)
	}
	slices.Sort(names)
	return names, errors.Join(err, response.Body.Close())
}

// TestMembersAreRemembered: a fourth node is admitted, though it founds nothing
// and has no replica; all list it when it has gone, once, and so does a fifth that
// comes afterwards.
func TestMembersAreRemembered(t *testing.T) {
	nodes := startThree(t)
	joining := func(name, dir string) node.Config {
		return node.Config{
			Name: name, DataDir: dir, BootstrapExpect: 3, Join: []string{nodes[1].GossipAddress()},
			Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
		}
	}
	start := func(config node.Config) *node.Node {
		n, err := node.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Stop(context.Background()) })
		waitFor(t, config.Name+" is ready", func() error { return n.Ready(t.Context()) })
		return n
	}
	stop(t, start(joining("n4", t.TempDir())))
	fifth := start(joining("n5", t.TempDir()))
	for _, n := range append(nodes, fifth) {
		waitFor(t, "n4 is listed once", func() error {
			names, err := listed(t.Context(), n)
			if err == nil && (len(names) != 5 || names[4] != "n5 alive" || names[3] == "n4 alive") {
				err = fmt.Errorf("%q", names)
			}
			return err
		})
	}
}
