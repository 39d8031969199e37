package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/transport/wire"
)

// prodAlias is the alias that runs are started of where none is named.
const prodAlias = "prod"

// application is how a definition is to be applied.
type application struct {
	// alias is moved to the version, wholly or with a share; empty for none.
	alias string
	// share is the canary's, in hundredths of a percent; 0 where there is none.
	share  uint32
	dryRun bool
}

// applicationOf reads it. A parameter that is not known is refused: one that is misspelt
// would send all runs to a canary.
func applicationOf(query url.Values) (how application, bad refusal) {
	for name := range query {
		if !slices.Contains([]string{"tenant", "alias", "canary", "dry_run"}, name) {
			return how, refusal{wire.ReasonBadRequest, "the parameters are tenant, alias, canary and dry_run: not " + clip(name, 64)}
		}
	}
	how.alias = prodAlias
	if query.Has("alias") {
		how.alias = query.Get("alias")
	}
	switch query.Get("dry_run") {
	case "", "0", "false":
	case "1", "true":
		how.dryRun = true
	default:
		return how, refusal{wire.ReasonBadRequest, "dry_run must be 1 or 0"}
	}
	if text := query.Get("canary"); text != "" {
		percent, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return how, refusal{wire.ReasonBadRequest, "canary must be a number of percent"}
		}
		if how.alias == "" {
			return how, refusal{wire.ReasonBadRequest, "a canary needs an alias"}
		}
		how.share, bad = shareOf(percent)
	}
	return how, bad
}

// applyWorkflow keeps a definition as a version of its workflow, and moves an alias to it.
func (g *Gateway) applyWorkflow(w http.ResponseWriter, r *http.Request) {
	how, bad := applicationOf(r.URL.Query())
	var source []byte
	if !bad.any() {
		source, bad = readDefinition(w, r)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	definition, problems := workflow.Parse(source)
	if len(problems) > 0 {
		g.refuseDefinition(w, problems)
		return
	}
	note(r, slog.String("workflow", definition.Name), slog.String("version", definition.Version))
	answer, err := g.apply(r, definition, source, &how)
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	g.answerLook(w, answer, nil)
}

func (g *Gateway) apply(r *http.Request, definition *workflow.Definition, source []byte, how *application) (*wire.AppliedWorkflow, error) {
	answer := &wire.AppliedWorkflow{Workflow: definition.Name, Version: definition.Version}
	put := &command.PutWorkflow{
		Tenant: tenantOf(r), Name: definition.Name, Version: definition.Version, Canonical: definition.Canonical, Source: source,
		On: definition.On,
	}
	if how.share == 0 {
		put.Alias = how.alias
	}
	var err error
	if !how.dryRun {
		if answer.Created, err = g.broker.PutWorkflow(r.Context(), put); err != nil {
			return nil, err
		}
	}
	if how.share != 0 && !how.dryRun {
		if err = g.startCanary(r.Context(), put, how.alias, how.share); err != nil {
			return nil, err
		}
	}
	found, err := g.broker.Workflow(r.Context(), put.Tenant, put.Name)
	if errors.Is(err, cluster.ErrNoWorkflow) {
		found, err = &cluster.Workflow{}, nil
	}
	if err != nil {
		return nil, err
	}
	if how.dryRun {
		answer.Created = !slices.ContainsFunc(found.Versions, func(v cluster.WorkflowVersion) bool { return v.Version == put.Version })
	}
	answer.Aliases = shownAliases(found.Aliases)
	return answer, nil
}

// readDefinition reads a definition's text, in YAML or JSON.
func readDefinition(w http.ResponseWriter, r *http.Request) (source []byte, bad refusal) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return nil, refusal{wire.ReasonBadRequest, "the Content-Type cannot be read"}
	}
	source, err = io.ReadAll(http.MaxBytesReader(w, r.Body, workflow.MaxDefinitionBytes))
	if err != nil {
		return nil, refusal{wire.ReasonTooLarge, fmt.Sprintf("a definition has at most %d bytes, or the body ended early", workflow.MaxDefinitionBytes)}
	}
	switch kind {
	case "application/json":
		if !json.Valid(source) {
			return nil, refusal{wire.ReasonBadRequest, "the body is not JSON, as its Content-Type says"}
		}
	case "", "application/yaml", "application/x-yaml", "text/yaml", "text/plain":
	default:
		return nil, refusal{wire.ReasonBadRequest, "a definition is application/yaml or application/json"}
	}
	return source, refusal{}
}

// refuseDefinition answers with what is wrong with a definition, all of it.
func (g *Gateway) refuseDefinition(w http.ResponseWriter, problems []workflow.Problem) {
	shown := make([]wire.WorkflowProblem, len(problems))
	for i := range problems {
		shown[i] = wire.WorkflowProblem(problems[i])
	}
	message := "the definition is not valid: " + problems[0].String()
	if more := len(problems) - 1; more > 0 {
		message += fmt.Sprintf(", and %d more", more)
	}
	e := refusal{wire.ReasonBadRequest, message}.wireError()
	g.writeProblems(w, &e, http.StatusUnprocessableEntity, shown)
}
