package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/batonmq/baton/transport/wire"
)

const (
	maxRequestHeader  = 16 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	keepAliveTimeout  = 120 * time.Second
	// clusterTimeout is how long a request may wait for the cluster.
	clusterTimeout = 15 * time.Second
)

func (g *Gateway) newServer() *http.Server {
	return &http.Server{
		Handler:           g.guard(g.routes()),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxRequestHeader,
		ErrorLog:          slog.NewLogLogger(g.logger.Handler(), slog.LevelDebug),
	}
}

// routes is every path of protocol.md, those that are not there yet included.
func (g *Gateway) routes() *routeTable {
	mux := &routeTable{ServeMux: http.NewServeMux()}
	mux.HandleFunc("GET /openapi.json", g.describe)
	mux.HandleFunc("GET /ws", g.upgrade)
	mux.HandleFunc("GET /{$}", g.front)
	mux.HandleFunc("GET /healthz", g.health)
	mux.HandleFunc("GET /readyz", g.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /v1/events", g.waits(g.publishEvents))
	mux.HandleFunc("GET /v1/traces/{correlation_id}", g.waits(g.trace))
	mux.HandleFunc("GET /v1/cluster", g.waits(g.cluster))
	mux.HandleFunc("GET /v1/events/{event_id}", g.waits(g.showEvent))
	mux.HandleFunc("GET /v1/deadletters", g.waits(g.listLetters))
	mux.HandleFunc("DELETE /v1/deadletters", g.waits(g.discardLetters))
	mux.HandleFunc("POST /v1/deadletters/redrive", g.waits(g.redriveLetters))
	mux.HandleFunc("GET /v1/deadletters/{event_id}", g.waits(g.showLetter))
	mux.HandleFunc("DELETE /v1/deadletters/{event_id}", g.waits(g.discardLetter))
	mux.HandleFunc("POST /v1/deadletters/{event_id}/redrive", g.waits(g.redriveLetter))
	mux.HandleFunc("GET /v1/channels", g.waits(g.listChannels))
	mux.HandleFunc("GET /v1/channels/{channel}", g.waits(g.showChannel))
	mux.HandleFunc("PUT /v1/channels/{channel}", g.waits(g.replaceChannel))
	mux.HandleFunc("PATCH /v1/channels/{channel}", g.waits(g.changeChannel))
	mux.HandleFunc("DELETE /v1/channels/{channel}", g.waits(g.resetChannel))
	mux.HandleFunc("POST /v1/leases/complete", g.waits(g.completeLease))
	mux.HandleFunc("POST /v1/leases/fail", g.waits(g.failLease))
	mux.HandleFunc("GET /v1/stream", g.streamEvents)
	for _, later := range []string{
		"/v1/clients/{rest...}", "/v1/workflows", "/v1/workflows/{rest...}", "/v1/runs", "/v1/runs/{rest...}",
		"/v1/tenants", "/v1/tenants/{rest...}", "/v1/tokens", "/v1/tokens/{rest...}",
	} {
		mux.HandleFunc(later, g.later)
	}
	mux.HandleFunc("/", g.unknown)
	return mux
}

// guard checks who asks, and counts answers. The WebSocket refuses for itself,
// with a close code.
func (g *Gateway) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			next.ServeHTTP(w, r)
			return
		}
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { g.meter.requests.WithLabelValues(strconv.Itoa(counted.status)).Inc() }()
		counted.Header().Set("X-Content-Type-Options", "nosniff")
		if forbidden := g.origins.check(r); forbidden != "" {
			g.refuseHTTP(counted, refusal{wire.ReasonForbidden, forbidden})
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			allowOrigin(counted.Header(), origin)
			if r.Method == http.MethodOptions {
				counted.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(counted, r)
	})
}

// allowOrigin lets a page of an allowed origin read the answer.
func allowOrigin(header http.Header, origin string) {
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Ce-Id, Ce-Source, Ce-Type, Ce-Specversion, Ce-Subject, Ce-Time, Traceparent")
	header.Set("Access-Control-Max-Age", "600")
	header.Add("Vary", "Origin")
}

// waits bounds how many requests wait for the cluster, and for how long.
func (g *Gateway) waits(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case g.waiting <- struct{}{}:
			defer func() { <-g.waiting }()
		default:
			g.refuseHTTP(w, refusal{wire.ReasonOverloaded, "too many requests wait for the cluster"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), clusterTimeout)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

func (g *Gateway) later(w http.ResponseWriter, r *http.Request) {
	g.refuseHTTP(w, refusal{wire.ReasonNotAvailable, clip(r.URL.Path, 128) + " is not available yet"})
}

func (g *Gateway) unknown(w http.ResponseWriter, r *http.Request) {
	g.refuseHTTP(w, refusal{wire.ReasonNotFound, "there is nothing at " + r.Method + " " + clip(r.URL.Path, 128)})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer behind.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
