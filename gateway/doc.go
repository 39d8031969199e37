// Package gateway is the edge of a node: WebSocket and HTTP on one listener.
//
// It authenticates, keeps connections alive, counts, forwards and delivers. It
// refuses to know what an event means, where it is stored and who leads a
// partition: that is behind Broker, and the formats are those of transport/wire
// (to clients) and fsm/command (to the cluster).
//
// # Order of calls
//
// New, then Serve (or Handler in a server of one's own), optionally Drain, and
// at last Shutdown, which must be called once New succeeded: it ends the
// gateway's goroutines.
//
// A connection lives like this:
//
//	upgrade -> hello -> [Broker.Attach ... Attached] -> welcome -> requests -> closing -> closed
//
// One goroutine at a time reads a socket and runs every handler: it is lent while
// there is something to read. Otherwise a goroutine of the connection's own waits for
// the socket, or, for plain sockets on Linux, an epoll does (see Poller). At most one at a time writes it, borrowed for as long as there is something to write. Answers of the
// Broker are appended to the connection's outbox by whatever goroutine brings
// them, which therefore never waits for a socket.
//
// # Invariants
//
//   - A request with an id gets exactly one ok or error, unless its connection
//     ends first.
//   - welcome is the first message a client gets, apart from the error that
//     says why there will be none.
//   - No lock of this package is held while the Broker is called.
//   - Memory of a connection is bounded by its limits, whatever the other side
//     sends, and however slowly it reads: see Limits.
//   - A close frame is the last frame; after it nothing is written.
package gateway
