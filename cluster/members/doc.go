// Package members knows who is in the cluster: it founds a new cluster, joins a
// formed one, and keeps the table of nodes, their addresses and whether they
// seem alive.
//
// Gossip (hashicorp/memberlist) discovers and hints; it decides nothing. What
// decides is durable: a node's row in LocalStore says whether it is free, has
// promised to found one exact set of nodes, or belongs to a cluster. The package
// refuses to know Raft, the meta group's state and the transport: it asks its
// owner for them through Hooks and Config.Call.
//
// # Order of calls
//
//	m, err := members.New(members.Config{...})   // reads the row, opens nothing
//	err = m.Start(ctx)                           // gossips; calls Hooks.Formed at once if the node already belongs
//	reply, err := m.Serve(ctx, from, request)    // for calls whose first byte is RequestMark
//	m.SetAdmitted(list)                          // whenever the meta group's members change
//	m.Table(); m.PeerAddress(id); m.Waiting()    // at any time after New
//	err = m.Stop()                               // leaves gossip; no hook is called after it, but an Admit under way may still end
//
// # Founding
//
// Nodes started with the same Expect find each other. The one with the smallest
// ID among the N smallest asks each of exactly these N for a durable promise of
// exactly this set. With all N promises it decides, durably, and tells every one.
// DESIGN.md has the states and the argument.
//
// # Invariants
//
//   - A node has at most one promise, and leaves it only for the decision it was
//     given for, or when that decision can never be made any more.
//   - A coordinator decides only the attempt its own row holds, and a number it
//     has left never comes back: its counter is durable and only grows.
//   - Two decided sets cannot share a node. While fewer than 2N nodes have ever
//     been started, there is therefore at most one cluster.
//   - A formed node never changes its cluster.
//   - No hook runs under a lock that anything but Start and Stop takes, and Formed runs once per process.
package members
