package node_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// TestLogIsBoundedByBytes: entries too few for a truncation by number are truncated
// because they are large.
func TestLogIsBoundedByBytes(t *testing.T) {
	const events, size = 1500, 4 << 10
	n := startOne(t, func(c *node.Config) { c.LogBytes, c.SnapshotInterval = 256<<10, 50*time.Millisecond })
	c := dialNode(t, n)
	for range events {
		if _, err := c.Publish(t.Context(), client.Event{Channel: "large", Data: strings.Repeat("x", size)}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "half of the log is gone", func() error {
		left, err := metric(n, "baton_raft_log_bytes")
		if err == nil && left > events*size/2 {
			err = fmt.Errorf("%.0f bytes are left", left)
		}
		return err
	})
}

// metric is a number of a node's metrics.
func metric(n *node.Node, name string) (float64, error) {
	response, err := http.Get(n.ClientURL() + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the node has no metric %s", name)
}
