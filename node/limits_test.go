package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// TestTenantBacklog: a tenant whose unfinished events have too many bytes is refused
// until some of them have ended; another is not.
func TestTenantBacklog(t *testing.T) {
	n := startOne(t, func(c *node.Config) { c.Limits.MaxTenantBacklogBytes, c.Partitions = 1000, 1 })
	post := func(tenant string) (status int, body string) {
		response, err := http.Post(n.ClientURL()+"/v1/events", "application/json",
			strings.NewReader(fmt.Sprintf(`{"channel":"work","tenant":%q,"data":%q}`, tenant, strings.Repeat("x", 398))))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	for i := range 4 {
		status, body := post("default")
		if refused := status == http.StatusTooManyRequests && strings.Contains(body, "tenant_limit") && strings.Contains(body, "retry_after_ms"); refused != (i == 3) {
			t.Fatalf("publish %d: %d %s", i, status, body)
		}
	}
	if status, body := post("other"); status != http.StatusOK {
		t.Fatalf("another tenant's publish: %d %s", status, body)
	}
	if text := metricsOf(t, n); !strings.Contains(text, `baton_gateway_limit_refusals_total{limit="max_tenant_backlog_bytes"} 1`) {
		t.Fatal("the refusal is not counted")
	}
	publisher := dial(t, []*node.Node{n}, "")
	stored := make(chan error, 1)
	go func() {
		_, err := publisher.Publish(t.Context(), client.Event{Channel: "work", Data: 1})
		stored <- err
	}()
	startWork(t, dial(t, []*node.Node{n}, ""), "work", func(context.Context, *client.Job) error { return nil })
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
}

func metricsOf(t *testing.T, n *node.Node) string {
	t.Helper()
	response, err := http.Get(n.ClientURL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
