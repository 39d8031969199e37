package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// natsConfig has a NATS server listen on loopback, at ports that it chooses, and sync
// each message of a stream before it acknowledges it.
const natsConfig = `listen: "127.0.0.1:-1"
websocket { listen: "127.0.0.1:-1", no_tls: true }
jetstream { store_dir: %q, sync_interval: always }
`

// startNATS starts a NATS server and waits until it is ready. The child's clients is its
// WebSocket.
func startNATS(ctx context.Context, program string) (c *child, err error) {
	c = &child{done: make(chan struct{})}
	if c.dir, err = os.MkdirTemp("", "baton-bench-nats-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	config := filepath.Join(c.dir, "nats.conf")
	if err = os.WriteFile(config, fmt.Appendf(nil, natsConfig, filepath.Join(c.dir, "data")), 0o600); err != nil {
		return nil, err
	}
	c.command = exec.CommandContext(ctx, program, "-c", config) //nolint:gosec // what the user named
	ownGroup(c.command)
	return c, c.run(ctx, nil, []found{
		{regexp.MustCompile(`websocket clients on (ws://\S+)`), &c.clients}, {regexp.MustCompile(`(Server is ready)`), new(string)},
	})
}
