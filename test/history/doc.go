// Package history holds what a run against a cluster was asked and what it
// answered, and decides whether the answers keep the promises.
//
//	var log history.Log
//	log.Add(history.Published{…})   // from any goroutine, when it is observed
//	faults := history.Check(log.Records())
//
// The checker is a pure function: it knows no cluster, clock or connection, so
// that its own tests can plant every fault that it must find. A history is
// complete when the run waited for the end of everything it began: what is
// still under way would be called lost.
//
// Invariant: records stand in the order in which they were observed. One that
// tells of a request is added before the request is made, one that tells of an
// answer after the answer came; so if a record stands before another, what it
// tells of was over, or had begun, before the other.
package history
