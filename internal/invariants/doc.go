// Package invariants says what must always be true, and stops what broke it.
//
// The world's faults (a lost link, a full disk, bad input) are errors and are
// returned. Our own faults (a fence that went backwards, an unknown command in
// the log) are invariants: Failf panics with a Violation, and the owner of the
// affected replica recovers it at its boundary, quarantines the replica and
// leaves the rest of the process running.
package invariants
