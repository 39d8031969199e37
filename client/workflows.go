package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/batonmq/baton/transport/wire"
)

// Workflow is a workflow's aliases and versions: see wire.Workflow.
type Workflow = wire.Workflow

// WorkflowAlias is a name for versions of a workflow, WorkflowTarget a version's share of
// it, in percent.
type (
	WorkflowAlias  = wire.WorkflowAlias
	WorkflowTarget = wire.WorkflowTarget
)

// WorkflowDefinition is what a version says.
type WorkflowDefinition = wire.WorkflowDefinition

// AppliedWorkflow is what became of a definition that was applied.
type AppliedWorkflow = wire.AppliedWorkflow

// WorkflowProblem is something wrong with a definition.
type WorkflowProblem = wire.WorkflowProblem

// InvalidWorkflowError says what is wrong with a definition, all of it.
type InvalidWorkflowError struct {
	Problems []WorkflowProblem
	// Refused is the answer.
	Refused *Error
}

// Error implements error.
func (e *InvalidWorkflowError) Error() string { return e.Refused.Error() }

// Unwrap is the answer.
func (e *InvalidWorkflowError) Unwrap() error { return e.Refused }

// ApplyOptions say how a definition is applied.
type ApplyOptions struct {
	// Alias is moved to the version; empty for none.
	Alias string
	// Canary is the share of Alias's runs that the version gets, in percent; 0 for all.
	Canary float64
	// DryRun only checks the definition.
	DryRun bool
}

// Workflows returns all of the tenant's workflows, without their versions.
func (h *HTTP) Workflows(ctx context.Context) ([]Workflow, error) {
	var all []Workflow
	for cursor := ""; ; {
		var page wire.Workflows
		path := query(h.path("/v1/workflows", ""), url.Values{"limit": {"1000"}, "cursor": {cursor}})
		if _, err := h.get(ctx, path, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Workflows...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}

// Workflow returns a workflow with its aliases and versions.
func (h *HTTP) Workflow(ctx context.Context, name string) (*Workflow, json.RawMessage, error) {
	found := &Workflow{}
	raw, err := h.get(ctx, h.path("/v1/workflows/", name), found)
	return found, raw, err
}

// WorkflowDefinition returns what a version says, which is named by six of its digits or
// more.
func (h *HTTP) WorkflowDefinition(ctx context.Context, name, version string) (*WorkflowDefinition, json.RawMessage, error) {
	found := &WorkflowDefinition{}
	raw, err := h.get(ctx, h.path("/v1/workflows/", name, "/versions/", url.PathEscape(version)), found)
	return found, raw, err
}

// ApplyWorkflow keeps a definition in YAML or JSON as a version of its workflow, and
// returns when every partition has it. It is an *InvalidWorkflowError where the definition
// is not valid.
func (h *HTTP) ApplyWorkflow(ctx context.Context, definition []byte, how ApplyOptions) (*AppliedWorkflow, error) {
	values := url.Values{"alias": {how.Alias}}
	if how.Canary != 0 {
		values.Set("canary", strconv.FormatFloat(how.Canary, 'f', -1, 64))
	}
	if how.DryRun {
		values.Set("dry_run", "1")
	}
	path := query(h.path("/v1/workflows", ""), values)
	applied := &AppliedWorkflow{}
	_, err := h.each(ctx, applied, func(node string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, node+path, bytes.NewReader(definition))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Content-Type", "application/yaml") // JSON is YAML too.
		return h.do(request)
	})
	return applied, err
}

// MoveWorkflowAlias says which versions an alias stands for; their shares come to 100.
func (h *HTTP) MoveWorkflowAlias(ctx context.Context, name, alias string, targets []WorkflowTarget) (*Workflow, error) {
	body, err := encode(&wire.WorkflowTargets{Targets: targets})
	if err != nil {
		return nil, err
	}
	found := &Workflow{}
	return found, h.change(ctx, http.MethodPut, h.path("/v1/workflows/", name, "/aliases/", url.PathEscape(alias)), body, found)
}

// DeleteWorkflowAlias takes an alias away.
func (h *HTTP) DeleteWorkflowAlias(ctx context.Context, name, alias string) (*Workflow, error) {
	found := &Workflow{}
	return found, h.change(ctx, http.MethodDelete, h.path("/v1/workflows/", name, "/aliases/", url.PathEscape(alias)), nil, found)
}

// RemoveWorkflow removes a version that no alias names and no run needs, and returns which
// it was.
func (h *HTTP) RemoveWorkflow(ctx context.Context, name, version string) (string, error) {
	var removed struct {
		Version string `json:"version"`
	}
	err := h.change(ctx, http.MethodDelete, h.path("/v1/workflows/", name, "/versions/", url.PathEscape(version)), nil, &removed)
	return removed.Version, err
}

// query adds parameters to a path that may have one.
func query(path string, values url.Values) string {
	sign := "?"
	if strings.Contains(path, sign) {
		sign = "&"
	}
	return path + sign + values.Encode()
}
