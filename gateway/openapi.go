package gateway

import (
	_ "embed"
	"net/http"
)

// openAPI describes every route: OpenAPI 3.1. A test holds it against them.
//
//go:embed openapi.json
var openAPI []byte

func (g *Gateway) describe(w http.ResponseWriter, _ *http.Request) { writeJSON(w, openAPI) }

// asyncAPI describes every message of the WebSocket: AsyncAPI 3.0. A test holds it
// against the codec.
//
//go:embed asyncapi.json
var asyncAPI []byte

func (g *Gateway) describeMessages(w http.ResponseWriter, _ *http.Request) { writeJSON(w, asyncAPI) }

// routeTable is a mux that knows what it serves.
type routeTable struct {
	*http.ServeMux

	patterns []string
}

// HandleFunc adds a route.
func (t *routeTable) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	t.Handle(pattern, http.HandlerFunc(handler))
}

// Handle adds a route.
func (t *routeTable) Handle(pattern string, handler http.Handler) {
	t.patterns = append(t.patterns, pattern)
	t.ServeMux.Handle(pattern, handler)
}
