package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
)

// NodeUse is what a node takes, in bytes, as its /metrics tell.
type NodeUse struct {
	Node string `json:"node"`
	// Resident is the process's memory, Heap what of it is in use by Go; the block
	// cache and memtables are outside the heap. Disk is the store.
	Resident float64 `json:"resident_bytes"`
	Heap     float64 `json:"heap_bytes"`
	Disk     float64 `json:"disk_bytes"`
}

// lookAt reads the metrics of each node.
func lookAt(ctx context.Context, nodes []string) ([]NodeUse, error) {
	uses := make([]NodeUse, 0, len(nodes))
	for _, node := range nodes {
		use, err := useOf(ctx, node)
		if err != nil {
			return nil, err
		}
		uses = append(uses, use)
	}
	return uses, nil
}

// metricsURL is where a node shows its metrics; nodes are named by http or ws URLs,
// with or without /ws.
func metricsURL(node string) string {
	if rest, isWebSocket := strings.CutPrefix(node, "ws"); isWebSocket {
		node = "http" + rest
	}
	return strings.TrimSuffix(strings.TrimSuffix(node, "/ws"), "/") + "/metrics"
}

func useOf(ctx context.Context, node string) (use NodeUse, err error) {
	use.Node = node
	err = readMetrics(ctx, nil, node, "", map[string]*float64{
		"process_resident_memory_bytes": &use.Resident, "go_memstats_heap_inuse_bytes": &use.Heap, "baton_store_disk_bytes": &use.Disk,
	})
	return use, err
}

// readMetrics reads the named metrics of a node, all of which there must be.
func readMetrics(ctx context.Context, config *tls.Config, node, token string, fields map[string]*float64) error {
	body, err := get(ctx, config, metricsURL(node), token)
	if err != nil {
		return fmt.Errorf("reading the metrics of %s: %w", node, err)
	}
	defer func() { _ = body.Close() }()
	found := 0
	for lines := bufio.NewScanner(body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if field := fields[name]; field != nil {
			if *field, err = strconv.ParseFloat(value, 64); err == nil {
				found++
			}
		}
	}
	if found < len(fields) {
		return fmt.Errorf("the metrics of %s do not tell its memory", node)
	}
	return nil
}
