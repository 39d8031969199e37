package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
)

// TestTenantLimitsOfAllNodes: what one node is told that a tenant may use is in force in
// every partition when it answers. The tenant then has one lease in a partition and no
// more, and whoever asks is told why the others wait.
func TestTenantLimitsOfAllNodes(t *testing.T) {
	nodes := startThree(t)
	one := uint32(1)
	limits, err := httpOf(t, nodes[0]).ChangeTenantLimits(t.Context(), "default", client.TenantLimits{MaxInFlight: &one})
	if err != nil || limits.Version != 1 {
		t.Fatalf("%+v %v", limits, err)
	}
	held := make(chan struct{})
	startWork(t, dialNode(t, nodes[1]), "held", func(context.Context, *client.Job) error {
		<-held
		return nil
	})
	c, ids := dialNode(t, nodes[2]), make([]string, 0, 2)
	for range 2 {
		published, err := c.Publish(t.Context(), client.Event{Channel: "held", Key: "same", Data: 1})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, published.EventID)
	}
	await := func(id, reason string) {
		t.Helper()
		waitFor(t, id+" is "+reason, func() error {
			why, err := httpOf(t, nodes[0]).Why(t.Context(), id)
			if err == nil && why.Groups[0].Reason != reason {
				err = fmt.Errorf("%+v", why.Groups[0])
			}
			return err
		})
	}
	await(ids[0], "leased")
	await(ids[1], "tenant_in_flight")
	if _, err := httpOf(t, nodes[2]).ResetTenantLimits(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	await(ids[1], "leased")
	close(held)
	await(ids[1], "ended")
}
