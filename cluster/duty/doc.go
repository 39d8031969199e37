// Package duty is what only a partition's leader does: lend credit to entries,
// push jobs, keep the lease clock, feed attached client streams, carry relays to
// other partitions, and wake timers.
//
// All of it is volatile. It begins with the Started outcome of the leader's own
// LeaderStart, ends with Resign, and is rebuilt from the state and from what
// gateways register again: a leader that dies takes nothing with it that matters.
//
// Order of calls:
//
//	Lead(started)             on the goroutine that applies, once per leadership
//	Pack -> Applied, Done     for every proposed entry: credit out, effects in
//	Register, Lend, Recall, Unregister, Attach, Ready, Acked, Detach, Renew, Forget
//	                          as gateways ask, from their links' goroutines
//	Tick(now)                 by the group, every TickInterval
//	Resign()                  when leadership is lost
//
// One mutex guards a partition's duties; everything under it is memory, but for
// the reads of a stream's replay. Pushes never block.
//
// Invariant: credit that a subscription lent is in one place: free here, attached
// to an entry in flight, owed until the next tick after a push that failed, or
// used by a grant. See DESIGN.md.
package duty
