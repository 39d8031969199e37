// Package fsm is the replicated state of one partition, and what its commands
// do to it. It is pure: it sees the world only through committed entries, takes
// its time from their headers, and has no clock, randomness, goroutine or I/O
// but the rows of its own group. Replicas that apply the same entries hold the
// same rows, byte for byte, and the chain hash proves it.
//
// Order of calls, by the one goroutine that applies:
//
//	machine := Open(view)                   once; reads back what is in flight
//	tx := state.Begin()
//	machine.Apply(tx, entry, leads)         for each entry of the batch, in log order
//	tx.Commit()
//	outcome -> the leader's duties          only after the commit
//
// Apply runs the entry's commands in order, fires the timers that the entry's
// time has reached, grants waiting events to the header's credit offers, and
// writes the rows that changed once per entry. A refused command writes
// nothing: every check comes before the first write.
//
// Rows are the truth. What Machine holds in memory (names, queues, cursors,
// leases, a window of upcoming events, filters of idempotency keys) can be rebuilt from them, is bounded by
// what is in flight and by the active sub-queues, and never decides anything
// that the rows would decide otherwise.
//
// Readers in other goroutines (traces, stream replay) use a pinned view of the
// rows and never touch a Machine.
package fsm
