package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// defaultWorkflows is how many workflows a page has where none is said.
	defaultWorkflows = 100
	// minVersionPrefix is how many of its 32 digits name a version at least.
	minVersionPrefix = 6
	versionDigits    = 32
)

// listWorkflows answers a page of the tenant's workflows.
func (g *Gateway) listWorkflows(w http.ResponseWriter, r *http.Request) {
	limit := defaultWorkflows
	if text := r.URL.Query().Get("limit"); text != "" {
		said, err := strconv.Atoi(text)
		if err != nil || said < 1 {
			g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "limit must be a number from 1"})
			return
		}
		limit = min(said, cluster.MaxListedWorkflows)
	}
	found, err := g.broker.Workflows(r.Context(), tenantOf(r), r.URL.Query().Get("cursor"), limit)
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	page := wire.Workflows{Workflows: []wire.Workflow{}}
	for i := range found {
		page.Workflows = append(page.Workflows, wire.Workflow{
			Workflow: found[i].Name, Aliases: shownAliases(found[i].Aliases), VersionCount: found[i].Versions,
		})
	}
	if len(found) == limit {
		page.Cursor = found[limit-1].Name
	}
	g.answerLook(w, &page, nil)
}

// showWorkflow answers a workflow with its aliases and versions.
func (g *Gateway) showWorkflow(w http.ResponseWriter, r *http.Request) {
	found, err := g.broker.Workflow(r.Context(), tenantOf(r), r.PathValue("workflow"))
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	shown := wire.Workflow{Workflow: found.Name, Aliases: shownAliases(found.Aliases), VersionCount: len(found.Versions)}
	for _, v := range found.Versions {
		shown.Versions = append(shown.Versions, wire.WorkflowVersion{
			Version: v.Version, CreatedAt: v.CreatedMS, Bytes: v.Bytes, Retiring: v.Retiring,
		})
	}
	g.answerLook(w, &shown, nil)
}

func shownAliases(aliases []command.WorkflowAlias) []wire.WorkflowAlias {
	shown := make([]wire.WorkflowAlias, 0, len(aliases))
	for i := range aliases {
		alias := wire.WorkflowAlias{Alias: aliases[i].Alias}
		for _, target := range aliases[i].Targets {
			alias.Targets = append(alias.Targets, wire.WorkflowTarget{Version: target.Version, Share: float64(target.Share) / 100})
		}
		shown = append(shown, alias)
	}
	return shown
}

// showDefinition answers what a version says.
func (g *Gateway) showDefinition(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("workflow")
	version, err := g.findVersion(r, r.PathValue("version"))
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	kept, err := g.broker.Definition(r.Context(), tenantOf(r), name, version)
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	g.answerLook(w, &wire.WorkflowDefinition{
		Workflow: name, Version: version, Definition: json.RawMessage(kept.Canonical), Source: string(kept.Source),
	}, nil)
}

// findVersion is the version of the request's workflow that begins with the digits.
func (g *Gateway) findVersion(r *http.Request, digits string) (string, error) {
	if len(digits) < minVersionPrefix || len(digits) > versionDigits || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", badWorkflowError(fmt.Sprintf("a version is named by %d to %d of its hexadecimal digits", minVersionPrefix, versionDigits))
	}
	found, err := g.broker.Workflow(r.Context(), tenantOf(r), r.PathValue("workflow"))
	if err != nil {
		return "", err
	}
	var named []string
	for i := range found.Versions {
		if strings.HasPrefix(found.Versions[i].Version, digits) {
			named = append(named, found.Versions[i].Version)
		}
	}
	switch len(named) {
	case 0:
		return "", cluster.ErrNoWorkflow
	case 1:
		return named[0], nil
	default:
		return "", badWorkflowError(fmt.Sprintf("%d versions begin with %s: give more digits", len(named), digits))
	}
}

// moveAlias says which versions an alias stands for.
func (g *Gateway) moveAlias(w http.ResponseWriter, r *http.Request) {
	var said wire.WorkflowTargets
	if bad := readStrictly(w, r, "body", &said); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	if len(said.Targets) == 0 || len(said.Targets) > command.MaxAliasTargets {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, fmt.Sprintf("targets must be 1 to %d versions with their shares", command.MaxAliasTargets)})
		return
	}
	set := aliasOf(r)
	for _, target := range said.Targets {
		version, err := g.findVersion(r, target.Version)
		if err != nil {
			g.refuseWorkflow(w, err)
			return
		}
		share, bad := shareOf(target.Share)
		if bad.any() {
			g.refuseHTTP(w, bad)
			return
		}
		set.Targets = append(set.Targets, command.WorkflowTarget{Version: version, Share: share})
	}
	g.setAlias(w, r, set)
}

// deleteAlias takes an alias away.
func (g *Gateway) deleteAlias(w http.ResponseWriter, r *http.Request) { g.setAlias(w, r, aliasOf(r)) }

func aliasOf(r *http.Request) *command.SetAlias {
	note(r, slog.String("workflow", clip(r.PathValue("workflow"), 128)), slog.String("alias", clip(r.PathValue("alias"), 64)))
	return &command.SetAlias{Tenant: tenantOf(r), Name: r.PathValue("workflow"), Alias: r.PathValue("alias")}
}

func (g *Gateway) setAlias(w http.ResponseWriter, r *http.Request, set *command.SetAlias) {
	if err := g.broker.SetAlias(r.Context(), set); err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	g.showWorkflow(w, r)
}

// shareOf is a share in hundredths of a percent.
func shareOf(percent float64) (share uint32, bad refusal) {
	if !(percent > 0 && percent <= 100) {
		return 0, refusal{wire.ReasonBadRequest, "a share is above 0 and at most 100 percent"}
	}
	hundredths := percent * (command.WholeShare / 100)
	share = uint32(hundredths + 0.5)
	if away := hundredths - float64(share); share == 0 || away > 1e-6 || away < -1e-6 {
		return 0, refusal{wire.ReasonBadRequest, "a share has at most two decimals"}
	}
	return share, refusal{}
}

// removeVersion removes a version that no alias names and no run needs.
func (g *Gateway) removeVersion(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("workflow")
	note(r, slog.String("workflow", clip(name, 128)), slog.String("version", clip(r.PathValue("version"), versionDigits)))
	version, err := g.findVersion(r, r.PathValue("version"))
	if err == nil {
		err = g.broker.RemoveWorkflow(r.Context(), tenantOf(r), name, version)
	}
	if err != nil {
		g.refuseWorkflow(w, err)
		return
	}
	g.answerLook(w, removedVersion{name, version}, nil)
}

type removedVersion struct {
	Workflow string `json:"workflow"`
	Version  string `json:"version"`
}

// badWorkflowError is a request that cannot be meant.
type badWorkflowError string

// Error implements error.
func (e badWorkflowError) Error() string { return string(e) }

func (g *Gateway) refuseWorkflow(w http.ResponseWriter, err error) {
	bad, isBad := errors.AsType[badWorkflowError](err)
	_, refused := errors.AsType[*cluster.RefusedError](err)
	switch {
	case errors.Is(err, cluster.ErrNoWorkflow):
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, err.Error()})
	case isBad:
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, string(bad)})
	case refused:
		g.refuseSettings(w, err)
	default:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, err.Error() + "; asking for the same again is safe"})
	}
}

// withCanary are targets of which a version gets a share, and the others the rest as they
// shared it before; all of it where there are none.
func withCanary(have []command.WorkflowTarget, version string, share uint32) []command.WorkflowTarget {
	others := slices.DeleteFunc(slices.Clone(have), func(t command.WorkflowTarget) bool { return t.Version == version })
	var whole uint32
	for _, target := range others {
		whole += target.Share
	}
	if whole == 0 {
		share = command.WholeShare
	}
	targets := []command.WorkflowTarget{{Version: version, Share: share}}
	left, of := command.WholeShare-share, whole
	for _, target := range others { // What is left is shared out anew at each, so that it comes out even.
		part := left * target.Share / of
		left, of = left-part, of-target.Share
		if part > 0 {
			targets = append(targets, command.WorkflowTarget{Version: target.Version, Share: part})
		}
	}
	return targets
}

// startCanary gives a version its share of an alias, over what others do to the workflow
// meanwhile.
func (g *Gateway) startCanary(ctx context.Context, put *command.PutWorkflow, alias string, share uint32) error {
	var err error
	for range settingsTries {
		have, readErr := g.broker.Workflow(ctx, put.Tenant, put.Name)
		if readErr != nil {
			return readErr
		}
		err = g.broker.SetAlias(ctx, &command.SetAlias{
			Tenant: put.Tenant, Name: put.Name, Alias: alias, Expect: have.Count,
			Targets: withCanary(have.Targets(alias), put.Version, share),
		})
		if refused, ok := errors.AsType[*cluster.RefusedError](err); !ok || refused.Reason != command.Sequence {
			return err
		}
	}
	return err
}
