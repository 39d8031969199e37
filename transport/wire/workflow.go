package wire

import "encoding/json"

// Workflow is a workflow with its aliases and versions.
type Workflow struct {
	Workflow string `json:"workflow"`
	// Aliases are by name, Versions the oldest first; those are left out of a list, which
	// has their number.
	Aliases      []WorkflowAlias   `json:"aliases"`
	Versions     []WorkflowVersion `json:"versions,omitempty"`
	VersionCount int               `json:"version_count"`
}

// Workflows is a page of workflows by name, without their versions. With a cursor there
// are more.
type Workflows struct {
	Workflows []Workflow `json:"workflows"`
	Cursor    string     `json:"cursor,omitempty"`
}

// WorkflowAlias is a name for versions of a workflow, such as prod.
type WorkflowAlias struct {
	Alias   string           `json:"alias"`
	Targets []WorkflowTarget `json:"targets"`
}

// WorkflowTarget is a version's part in an alias.
type WorkflowTarget struct {
	Version string `json:"version"`
	// Share is how many of the runs it gets, in percent with two decimals; the shares of
	// an alias come to 100.
	Share float64 `json:"share"`
}

// WorkflowTargets is what an alias is moved to.
type WorkflowTargets struct {
	Targets []WorkflowTarget `json:"targets"`
}

// WorkflowVersion is a version of a workflow.
type WorkflowVersion struct {
	Version string `json:"version"`
	// CreatedAt is when it was first applied, in Unix milliseconds.
	CreatedAt int64 `json:"created_at"`
	// Bytes is how large its definition is, in canonical form and as it was written.
	Bytes uint64 `json:"bytes"`
	// Retiring means that its removal has begun and was interrupted: removing it again goes
	// on, applying it again ends that.
	Retiring bool `json:"retiring,omitempty"`
}

// WorkflowDefinition is what a version says.
type WorkflowDefinition struct {
	Workflow string `json:"workflow"`
	Version  string `json:"version"`
	// Definition is its canonical form, Source the text as it was written.
	Definition json.RawMessage `json:"definition"`
	Source     string          `json:"source"`
}

// AppliedWorkflow answers a definition that was applied.
type AppliedWorkflow struct {
	Workflow string `json:"workflow"`
	Version  string `json:"version"`
	// Created means that the version is new; of a dry run, that it would be.
	Created bool `json:"created"`
	// Aliases are those of the workflow after it.
	Aliases []WorkflowAlias `json:"aliases"`
}

// WorkflowProblem is something wrong with a definition.
type WorkflowProblem struct {
	// Line and Column count from 1; 0 where the text has no place for it.
	Line   int `json:"line"`
	Column int `json:"column"`
	// Path is where it stands, as in steps.split.next[0].when.
	Path    string `json:"path"`
	Message string `json:"message"`
	// Suggestion is what to do, empty where nothing comes to mind.
	Suggestion string `json:"suggestion,omitempty"`
}
