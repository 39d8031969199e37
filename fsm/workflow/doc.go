// Package workflow is what workflows mean: their language, and the decisions of a run.
// It is pure: no I/O, no clock, no randomness, no goroutine, and no map is walked on the
// way to a result. Replicas that ask the same get the same.
//
// Order of use:
//
//	definition, problems := Parse(text)     when somebody deploys: YAML or JSON, checked whole
//	definition, err := Compile(canonical)   on every replica, from Definition.Canonical
//
// A Definition never changes and is safe for concurrent use; a Scope is one evaluation's.
package workflow
