// Package raftlog gives hashicorp/raft its three stores: the log (LogStore, on
// the node's Pebble), term and votes (Stable, on one bolt file for all groups)
// and snapshots (SnapshotStore, which are live).
//
// It translates between raft's types and rows. It refuses to know what a command
// means, and it leaves Pebble to package storage.
//
// # Snapshots are live
//
// The state is durable as it is, so a snapshot is a reading of it, not a copy.
//
//   - A local snapshot: raft takes index and term from its FSM goroutine, calls
//     Create, lets FSMSnapshot.Persist write nothing, closes the sink and
//     truncates the log. A sink that received no byte is a local one. Its Close
//     refuses when the state has not applied that index, for then the entries
//     behind the state must stay in the log.
//   - List describes the state: its applied index, term and configuration. It is
//     empty until something is applied. With NoSnapshotRestoreOnStart raft goes on
//     from there after a restart.
//   - Open of such a snapshot pins a view and streams it. The metadata is that of
//     the view, whatever happened since List, and Size is exact, since the
//     receiver refuses any other number of bytes: one walk over the pinned rows
//     adds it up before the first byte is sent.
//   - A received snapshot: raft calls Create with the leader's index, term and
//     configuration, copies the stream into the sink, and closes it. The first byte
//     makes the sink a staging one: rows go straight into an epoch nobody sees.
//     Close verifies the trailer and that the stream is what Create announced;
//     Cancel removes it. Then raft opens the sink's id on its FSM goroutine, and
//     passes the reader, wrapped, to FSM.Restore, which gets hold of it with
//     StagedFrom and calls its Commit: the flip happens between two applies.
//
// # Order of calls
//
// One LogStore and one SnapshotStore per group at a time. Storage is closed after
// raft has shut down.
//
// # Invariants
//
//   - StoreLogs of commands returns before their sync, so that Raft replicates
//     while the disk works and its main goroutine never waits for it. Raft takes
//     them for stored, so whoever owns it keeps three rules: an append is answered
//     after WaitDurable of its last entry; an entry is applied after WaitDurable of
//     it; no follower is told of a commit index above Durable. DeleteRange does not
//     sync, see storage.Log.
//   - A vote is in one row with its term: after a crash both count or neither.
//   - GetLog finds every index between FirstIndex and LastIndex, and what it
//     returns is never written again: callers may share it.
package raftlog
