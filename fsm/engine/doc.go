// Package engine decides how a run of a workflow goes on. It is pure: Advance takes a
// run and what happened to it, and returns what is to be done; it reads only what the
// Facts lend it, and writes nothing. So a run goes the same way in every replica, and a
// definition can be tried out with no cluster at all.
//
//	Begin, then Advance for each happening:
//
//	happening -> Advance(definition, run, facts) -> run as it stands now, and decisions
//
// A run stands at one step at a time. A map's items, and what a dynamic step has
// emitted, are jobs of that one step. What an expression cannot answer, and what an
// operator has to decide, makes an incident: the run stops as it was, and keeps what
// happened, so that it can be tried again.
package engine
