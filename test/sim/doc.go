// Package sim holds a cluster that is simulated: the real parts of three nodes,
// from cluster's edge down to Raft and Pebble, in one testing/synctest bubble,
// on a network and on disks in memory that obey the test.
//
// An episode is a few minutes of cluster time, and less than a second of ours.
// Clients publish, listen and come back elsewhere; workers complete, fail, stall
// and vanish; meanwhile links are cut one way and both, slowed and broken, frames
// are lost, repeated and reordered, nodes lose power with any part of their
// unsynced data, one at a time or all, and clocks jump. Then everything is
// healed, and the cluster must serve again within a bound. What clients and
// workers saw is held to the promises by package history; replicas must be equal.
//
// A seed decides the faults and what each actor draws. It does not decide in
// which order goroutines run within one moment of cluster time, nor what Raft
// draws for its election timeouts: a seed that fails once fails again often, not
// always.
package sim
