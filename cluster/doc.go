// Package cluster makes a set of nodes one broker: it replicates partitions
// with Raft, carries every request to the leader of its partition, and keeps
// workers' credit and clients' streams with whoever leads.
//
// A node's Cluster has two faces. Towards the gateway it is the edge: lanes
// that carry submissions to leaders and retry them in order, lenders that lend
// a worker's credit to partitions, couriers that keep a client's stream
// attached. Towards other nodes it serves what it leads: frames that come over
// links (from this very node too, over a loop) go to a group's batcher and
// duties.
//
// It refuses to know what an event means (fsm) and what a socket is (gateway).
//
// Order of calls: New, Start, then anything, Stop. Groups come to life when the
// cluster is formed, or found formed in the data directory.
//
// Invariants:
//
//   - A lane sends its partition's submissions in the order of the calls, and
//     after a refusal or a lost link sends everything unanswered again, in
//     order. Every submission is safe to apply twice: that is the state's promise
//     (idempotency keys, fences).
//   - A frame names the generation it was written for; a leader serves its own
//     generation only, so that within one generation requests are accepted from
//     the first to the last, or refused from some point on.
//   - The credit a subscription has lent and the jobs it holds never exceed
//     what its worker gave.
package cluster
