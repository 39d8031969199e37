package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/batonmq/baton/fsm/command"
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

// routes is every path of protocol.md.
func (g *Gateway) routes() *routeTable {
	mux := &routeTable{ServeMux: http.NewServeMux()}
	mux.HandleFunc("GET /openapi.json", g.describe)
	mux.HandleFunc("GET /asyncapi.json", g.describeMessages)
	mux.HandleFunc("GET /ws", g.upgrade)
	mux.HandleFunc("GET /{$}", g.front)
	mux.HandleFunc("GET /healthz", g.health)
	mux.HandleFunc("GET /readyz", g.ready)
	mux.HandleFunc("GET /metrics", g.allow(needAllTenants, promhttp.HandlerFor(g.gatherer, promhttp.HandlerOpts{}).ServeHTTP))
	for _, route := range g.asked() {
		handle := g.having(route.need, g.waits(route.handle))
		if route.action != "" {
			handle = g.audited(route.action, handle) // Those that are refused, too.
		}
		mux.HandleFunc(route.pattern, g.knows(handle))
	}
	mux.HandleFunc("GET /v1/stream", g.allow(needToken, g.streamEvents)) // It goes on: no request waits behind it.
	mux.HandleFunc("/", g.unknown)
	return mux
}

// route is a path that waits for the cluster, what it needs, and what the audit log
// calls it, where it is for that.
type route struct {
	pattern string
	need    need
	action  string
	handle  http.HandlerFunc
}

// asked are the routes that wait for the cluster. What an administrator does to
// others' things is audited; settings are the same for all tenants, so only who may
// act for all may change them.
func (g *Gateway) asked() []route {
	return []route{
		{"POST /v1/events", needToken, "", g.publishEvents},
		{"GET /v1/events/{event_id}", needAdmin, "", g.showEvent},
		{"GET /v1/events/{event_id}/why", needAdmin, "", g.showWhy},
		{"POST /v1/notifications", needToken, "", g.broadcastOverHTTP},
		{"GET /v1/clients/{client_id}", needToken, "", g.showClient},
		{"GET /v1/traces/{correlation_id}", needAdmin, "", g.trace},
		{"GET /v1/cluster", needAllTenants, "", g.cluster},
		{"GET /v1/deadletters", needAdmin, "", g.listLetters},
		{"DELETE /v1/deadletters", needAdmin, "deadletters.discard", g.discardLetters},
		{"POST /v1/deadletters/redrive", needAdmin, "deadletters.redrive", g.redriveLetters},
		{"GET /v1/deadletters/{event_id}", needAdmin, "", g.showLetter},
		{"DELETE /v1/deadletters/{event_id}", needAdmin, "deadletter.discard", g.discardLetter},
		{"POST /v1/deadletters/{event_id}/redrive", needAdmin, "deadletter.redrive", g.redriveLetter},
		{"GET /v1/channels", needAdmin, "", g.listChannels},
		{"GET /v1/channels/{channel}", needAdmin, "", g.showChannel},
		{"PUT /v1/channels/{channel}", needAllTenants, "channel.replace", g.replaceChannel},
		{"PATCH /v1/channels/{channel}", needAllTenants, "channel.change", g.changeChannel},
		{"DELETE /v1/channels/{channel}", needAllTenants, "channel.reset", g.resetChannel},
		{"GET /v1/workflows", needAdmin, "", g.listWorkflows},
		{"PUT /v1/workflows", needAdmin, "workflow.apply", g.applyWorkflow},
		{"GET /v1/workflows/{workflow}", needAdmin, "", g.showWorkflow},
		{"GET /v1/workflows/{workflow}/versions/{version}", needAdmin, "", g.showDefinition},
		{"DELETE /v1/workflows/{workflow}/versions/{version}", needAdmin, "workflow.remove", g.removeVersion},
		{"PUT /v1/workflows/{workflow}/aliases/{alias}", needAdmin, "workflow.alias", g.moveAlias},
		{"DELETE /v1/workflows/{workflow}/aliases/{alias}", needAdmin, "workflow.alias.delete", g.deleteAlias},
		{"POST /v1/runs", needToken, "", g.startRun},
		{"GET /v1/runs", needToken, "", g.listRuns},
		{"GET /v1/runs/{run_id}", needToken, "", g.showRun},
		{"POST /v1/runs/{run_id}/cancel", needToken, "", g.cancelRun},
		{"POST /v1/runs/{run_id}/pause", needAdmin, "run.pause", g.controlRun(command.RunPause)},
		{"POST /v1/runs/{run_id}/resume", needAdmin, "run.resume", g.controlRun(command.RunResume)},
		{"POST /v1/runs/{run_id}/retry", needAdmin, "run.retry", g.controlRun(command.RunRetry)},
		{"POST /v1/runs/{run_id}/skip", needAdmin, "run.skip", g.controlRun(command.RunSkip)},
		{"POST /v1/runs/{run_id}/fail", needAdmin, "run.fail", g.controlRun(command.RunFail)},
		{"POST /v1/runs/{run_id}/redrive", needAdmin, "run.redrive", g.controlRun(command.RunRedrive)},
		{"POST /v1/runs/{run_id}/fork", needAdmin, "run.fork", g.controlRun(command.RunFork)},
		{"GET /v1/schedules", needAdmin, "", g.listSchedules},
		{"PUT /v1/schedules/{schedule_id}", needAdmin, "schedule.put", g.putSchedule},
		{"GET /v1/schedules/{schedule_id}", needAdmin, "", g.showSchedule},
		{"DELETE /v1/schedules/{schedule_id}", needAdmin, "schedule.delete", g.deleteSchedule},
		{"POST /v1/schedules/{schedule_id}/pause", needAdmin, "schedule.pause", g.controlSchedule(command.SchedulePause)},
		{"POST /v1/schedules/{schedule_id}/resume", needAdmin, "schedule.resume", g.controlSchedule(command.ScheduleResume)},
		{"POST /v1/schedules/{schedule_id}/trigger", needAdmin, "schedule.trigger", g.controlSchedule(command.ScheduleTrigger)},
		{"POST /v1/messages", needToken, "", g.sendMessage},
		{"POST /v1/leases/complete", needWorker, "", g.completeLease},
		{"POST /v1/leases/fail", needWorker, "", g.failLease},
		{"GET /v1/tenants", needAllTenants, "", g.listTenants},
		{"POST /v1/tenants", needAllTenants, "tenant.create", g.createTenant},
		{"DELETE /v1/tenants/{tenant}", needAllTenants, "tenant.delete", g.deleteTenant},
		{"GET /v1/tenants/{tenant}/limits", needAllTenants, "", g.showTenantLimits},
		{"PUT /v1/tenants/{tenant}/limits", needAllTenants, "tenant.limits", g.replaceTenantLimits},
		{"PATCH /v1/tenants/{tenant}/limits", needAllTenants, "tenant.limits", g.changeTenantLimits},
		{"DELETE /v1/tenants/{tenant}/limits", needAllTenants, "tenant.limits", g.resetTenantLimits},
		{"GET /v1/tokens", needAdmin, "", g.listTokens},
		{"POST /v1/tokens", needAdmin, "token.create", g.createToken},
		{"DELETE /v1/tokens/{id}", needAdmin, "token.revoke", g.revokeToken},
	}
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
		places, limit := g.waiting, limitHTTPRequests
		longer := waitOf(r)
		if longer > 0 { // Those that wait for long take no place of others.
			places, limit = g.runWaits, limitRunWaits
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			g.meter.refusedBy(limit)
			g.refuseHTTP(w, refusal{wire.ReasonOverloaded, "too many requests wait for the cluster"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), clusterTimeout+longer)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
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
