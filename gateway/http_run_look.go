package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// defaultRuns is how many runs a page has where none is said.
	defaultRuns = 100
	// onlyOwnRuns is said to those who can see no runs.
	onlyOwnRuns = "only a client may see and cancel runs, and only its own: for others' this needs a token with the role admin, or of a backend"
)

var (
	//nolint:gochecknoglobals // Lists that are not changed.
	runFilters = []string{
		"tenant", "workflow", "version", "state", "client_id", "correlation_id", "error_code", "since", "until", "cursor", "limit",
	}
	//nolint:gochecknoglobals // As above.
	runStates = []string{
		"queued", "running", "paused", "canceling", "compensating", "incident", "succeeded", "failed", "canceled", "compensated",
		"partially_compensated",
	}
)

// seesAll tells whether a token, nil where none is asked for, may see and cancel any run
// of its tenant: an administrator's, or a backend's.
func seesAll(who *auth.Identity) bool { return who == nil || who.ForOthers() }

// mayLook tells whether a token may see a run of a client.
func mayLook(who *auth.Identity, client string) bool {
	return seesAll(who) || client != "" && who.AsClient(client)
}

// refuseRuns says who may see no runs at all.
func refuseRuns(who *auth.Identity) refusal {
	if !seesAll(who) && !who.Is(command.RoleClient) {
		return refusal{wire.ReasonForbidden, onlyOwnRuns}
	}
	return refusal{}
}

// listRuns answers a page of runs, the newest first.
func (g *Gateway) listRuns(w http.ResponseWriter, r *http.Request) {
	who := whoOf(r)
	bad := refuseRuns(who)
	var want *cluster.Runs
	if !bad.any() {
		want, bad = runsOf(r)
	}
	if !bad.any() && !seesAll(who) {
		if want.Client != "" && want.Client != who.ClientID {
			bad = refusal{wire.ReasonForbidden, notItsClient}
		}
		want.Client = who.ClientID
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	page, err := g.broker.Runs(r.Context(), want)
	g.answerRuns(w, page, err)
}

// runsOf reads which runs a request is about. A parameter that is not known is refused: a
// filter that is misspelt would be none, and mean all.
func runsOf(r *http.Request) (*cluster.Runs, refusal) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(runFilters, name) {
			return nil, refusal{wire.ReasonBadRequest, fmt.Sprintf("the parameters are %s: not %s", english(runFilters), clip(name, 64))}
		}
	}
	want := &cluster.Runs{Cursor: query.Get("cursor")}
	want.Tenant, want.Workflow, want.Version = tenantOf(r), query.Get("workflow"), query.Get("version")
	want.State, want.Client = query.Get("state"), query.Get("client_id")
	want.CorrelationID, want.ErrorCode = query.Get("correlation_id"), query.Get("error_code")
	if want.State != "" && !slices.Contains(runStates, want.State) {
		return nil, refusal{wire.ReasonBadRequest, "state is one of " + english(runStates)}
	}
	for name, into := range map[string]*int64{"since": &want.SinceMS, "until": &want.UntilMS} {
		var ok bool
		if *into, ok = readTime(query.Get(name)); !ok {
			return nil, refusal{wire.ReasonBadRequest, name + " must be a time: Unix milliseconds, or as RFC 3339 says"}
		}
	}
	want.Limit = defaultRuns
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return nil, refusal{wire.ReasonBadRequest, "limit must be a number from 1"}
		}
		want.Limit = min(limit, cluster.MaxRuns)
	}
	return want, refusal{}
}

// readTime is a time in Unix milliseconds, 0 for none.
func readTime(text string) (ms int64, ok bool) {
	if text == "" {
		return 0, true
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, ms >= 0
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UnixMilli(), err == nil
}

// english is a list of words as one says it.
func english(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// showRun answers one run. To who may not see it, it is not there.
func (g *Gateway) showRun(w http.ResponseWriter, r *http.Request) {
	waits, bad := readWait(r)
	if !bad.any() {
		bad = refuseRuns(whoOf(r))
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	id, err := command.ParseEventID(r.PathValue("run_id"))
	if err != nil {
		g.answerRuns(w, nil, cluster.ErrNoRun)
		return
	}
	look := &cluster.RunLook{Tenant: tenantOf(r), Run: id}
	if waits > 0 && !seesAll(whoOf(r)) { // Nobody is to learn by waiting that another's run goes on.
		look.Brief = true
		if found, err := g.broker.Run(r.Context(), look); err != nil || !mayLook(whoOf(r), found.ClientID) {
			waits = 0
		}
		look.Brief = false
	}
	g.answerRun(w, r, look, waits)
}

func (g *Gateway) answerRuns(w http.ResponseWriter, found any, err error) {
	switch {
	case errors.Is(err, cluster.ErrNoRun):
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, cluster.ErrNoRun.Error()})
	case errors.Is(err, cluster.ErrBadRunCursor):
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, err.Error()})
	default:
		g.answerLook(w, found, err)
	}
}
