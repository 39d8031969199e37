// Package process holds the tests that run the real binary: three nodes as
// processes of their own, clients and workers that work all the while, and
// faults. Nodes are killed without a warning, one at a time and all at once;
// workers are killed and paused; connections end before their answer.
//
// Package fleet runs the processes. What clients and workers saw is written down
// as a history, and package history decides whether the promises of docs/guarantees.md were kept. Nothing
// here looks at the broker's insides but the chain hashes that each node shows
// of its replicas: they must be equal once the cluster is healed.
//
// A test waits for conditions, never for a time. The one duration that is held
// to a bound is a promise itself: publishing goes on within resumeWithin of a
// node's death.
package process
