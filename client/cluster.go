package client

import (
	"context"
	"encoding/json"
)

// Cluster is what one node knows of the cluster.
type Cluster struct {
	ClusterID string `json:"cluster_id"`
	// Node is the one that answered.
	Node       string             `json:"node"`
	Members    []ClusterMember    `json:"members"`
	Partitions []ClusterPartition `json:"partitions"`
	Meta       json.RawMessage    `json:"meta"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// ClusterMember is an admitted node.
type ClusterMember struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	State         string `json:"state"`
	PeerAddress   string `json:"peer_address"`
	GossipAddress string `json:"gossip_address"`
	ClientURL     string `json:"client_url"`
	Version       string `json:"version"`
	Self          bool   `json:"self"`
}

// ClusterPartition is one replicated state machine.
type ClusterPartition struct {
	Partition  int      `json:"partition"`
	Leader     string   `json:"leader"`
	Generation uint64   `json:"generation"`
	Replicas   []string `json:"replicas"`
	Ready      bool     `json:"ready"`
}

// Cluster returns the members and partitions, as one node sees them.
func (h *HTTP) Cluster(ctx context.Context) (*Cluster, error) {
	c := &Cluster{}
	raw, err := h.get(ctx, "/v1/cluster", c)
	if err != nil {
		return nil, err
	}
	c.Raw = raw
	return c, nil
}

// Cluster returns the members and partitions, as one node sees them.
func (c *Client) Cluster(ctx context.Context) (*Cluster, error) { return c.http.Cluster(ctx) }
