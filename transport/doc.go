// Package transport carries what nodes say to each other: Raft of all groups,
// snapshots, links between gateways and partitions, and rare calls.
//
// One listener serves everything. A connection begins with a greeting that
// says its kind, the cluster and both nodes; what does not belong here is
// refused with a reason. Each kind has connections of its own, so that none
// delays another:
//
//	raft      one per direction and pair of nodes, requests of all groups
//	snapshot  one per InstallSnapshot
//	link      one per pair of nodes, frames in both directions
//	call      one per Call
//	chunks    one per pair of nodes, for frames that may be lost: token streams
//
// It refuses to know who is a member (SetPeers and Resolver say), what a frame
// of a link means, how a connection is secured (Listener and Dial are given),
// and whether a snapshot may be installed (SnapshotGuard says).
//
// Order of calls: New, then Raft for the groups hosted here, Start, SetPeers
// as members come and go, and Close last. A group's handle may be opened and
// closed at any time between; hashicorp/raft closes it when its Shutdown is
// waited for. Closing the handle before Shutdown spares the wait for requests
// that are on their way.
//
// Invariants:
//   - LinkUp, Receive and LinkDown of one peer are strictly ordered and never
//     overlap, over all links with that peer.
//   - No group makes another wait: a connection's reader blocks on no Raft.
//   - A connection that ends fails everything outstanding on it at once.
//   - A reply is never written into a response whose request has returned.
//   - Close returns when every goroutine that the package started has ended.
//
// Memory is the same code over a Network in this process, for tests.
package transport
