package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// front is what a browser shows until there is a dashboard.
func (g *Gateway) front(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Baton, node %s\n\nclients   /ws (WebSocket, %s), POST /v1/events\n"+
		"traces    /v1/traces/{correlation_id}\ncluster   /v1/cluster\nhealth    /healthz /readyz /metrics\napi       /openapi.json\n"+
		"docs      https://github.com/batonmq/baton\n", g.node, strings.Join(wire.Protocols(), " or "))
}

// health says that the process answers.
func (g *Gateway) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, []byte(`{"status":"ok"}`))
}

// readyTimeout is how long the readiness check may take.
const readyTimeout = 5 * time.Second

// ready says whether clients should be sent here.
func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) {
	if g.isDraining() {
		g.refuseHTTP(w, refusal{wire.ReasonDraining, "the node is being drained"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := g.broker.Ready(ctx); err != nil {
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, err.Error()})
		return
	}
	writeJSON(w, []byte(`{"status":"ready"}`))
}

// trace answers the lineage of a correlation id.
func (g *Gateway) trace(w http.ResponseWriter, r *http.Request) {
	body, err := g.broker.Trace(r.Context(), tenantOf(r), r.PathValue("correlation_id"))
	g.answer(w, body, err)
}

// cluster answers who is in the cluster.
func (g *Gateway) cluster(w http.ResponseWriter, r *http.Request) {
	body, err := g.broker.Status(r.Context())
	g.answer(w, body, err)
}

func (g *Gateway) answer(w http.ResponseWriter, body []byte, err error) {
	switch {
	case err == nil:
		writeJSON(w, body)
	case errors.Is(err, ErrNotFound):
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, "the tenant has no such lineage"})
	default:
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, err.Error()})
	}
}
