package node_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/batonmq/baton/node"
)

// A node in this process: a cluster of one, on free ports, with its data in a
// directory that goes with it.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "baton-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	n, err := node.New(node.Config{
		Name: "one", DataDir: dir,
		Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for n.Ready(ctx) != nil && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("ready:", n.Ready(ctx) == nil)
	fmt.Println("stopped:", n.Stop(ctx) == nil)
	// Output:
	// ready: true
	// stopped: true
}
