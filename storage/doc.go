// Package storage keeps everything a node must not lose, except term and votes,
// in one Pebble: the Raft log and the state of every group it hosts, and a few
// rows of its own. It is the only package that knows Pebble.
//
// It refuses to know what the rows mean. Logical keys and values are opaque
// bytes that fsm owns; log rows are opaque bytes that raftlog owns; the Raft
// configuration is opaque bytes too.
//
// # Order of calls
//
//	store, err := storage.Open(dir, storage.Options{...})
//	state, err := store.OpenState(group)       // removes what a crash left of a staging epoch
//	tx := state.Begin()                        // one at a time
//	tx.BeginEntry(index, term); tx.Set(...); chain := tx.EndEntry()   // per Raft entry
//	err = tx.Commit()                          // or tx.Discard()
//	view := state.View(); ...; view.Close()    // many at a time, every one closed
//	staged, err := state.Stage(stream); err = staged.Commit()
//	err = store.Close()                        // after every view, transaction and log user is done
//
// # Invariants
//
//   - Applied implies logged. State commits are not synced, log appends are, and
//     both go through the same write-ahead log, which recovers to a prefix. An
//     entry is appended before it is applied, so whatever state survives a crash,
//     the entries it came from survive too.
//   - A commit is whole: its rows, the applied index, term, chain hash and
//     configuration are one batch.
//   - The rows of a group that count are those of its live epoch. A snapshot is
//     received into another epoch and becomes the live one in a single synced
//     batch, which also removes the old rows and the group's log.
//   - After the first failed write or sync of the write-ahead log nothing more
//     succeeds: what the disk holds is unknown from then on, and trying the sync
//     again would only seem to help.
//   - The chain hash of an entry depends on the logical changes and their order,
//     never on how entries were packed into commits.
package storage
