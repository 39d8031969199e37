// Package tokens keeps the token streams of one partition at its leader: what
// workers write while they work, for whoever reads along. It is memory and no
// more: nothing of it is in the log, and a new leader begins with nothing.
//
// A Stream belongs to an event and has the bytes of one attempt, in a ring that
// forgets its beginning when it is full. A worker's node writes pieces, each said to
// begin at an offset, and is answered with how far the ring is. A reader wants what
// follows an offset, and is answered once, at the latest when there is something.
//
// It refuses to know the network (Pusher carries its answers), the log, and which
// leases are in force (Config.Holds says).
//
// Board's mutex is a leaf: it is held while Pusher is called, which does not
// block, but never while Holds or Owner is. Granted and Ended, which come from the
// goroutine that applies entries, only take the small mutex of the news.
//
// Invariant: the bytes of a ring are those that one lease wrote, without a hole.
package tokens
