// Package workflow is what workflows mean: their language, and the decisions of a run.
// It is pure: no I/O, no clock, no randomness, no goroutine, and no map is walked on the
// way to a result. Replicas that ask the same get the same.
//
// Order of use:
//
//	definition, problems := Parse(text)     when somebody deploys: YAML or JSON, checked whole
//	definition, err := Compile(canonical)   on every replica, from Definition.Canonical
//
// Expressions are in CEL, with JSON for values: Expr compiles and checks one, a Scope is
// what it sees. CEL is bent in a few places, each for a reason told in the expr files: maps
// are walked in the order of their keys and have text as keys, whole numbers and others mix,
// time zones are UTC or offsets, and what an expression may cost, build and return is bounded.
//
// Parse reads a text into nodes, which know their lines, a reader makes a Definition of
// these by the keys of the grammar, and canonical writes it in its one form. Whoever gives the
// language a key adds it to the grammar, the reader and canonical; a definition without the
// key must be written as before, as its hash is its version.
//
// A Definition never changes and is safe for concurrent use; a Scope is one evaluation's.
package workflow
