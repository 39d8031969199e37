// Package client speaks to a Baton cluster: it publishes events, receives a
// client's notifications, follows channels and works on jobs, over one WebSocket
// that it keeps up by itself.
//
// It refuses to know what a node does with a message, and imports nothing of
// the broker but the protocol (transport/wire).
//
// # Order of calls
//
//	c, err := client.Dial(ctx, client.Options{Nodes: []string{"http://127.0.0.1:7700"}, ClientID: "ana"})
//	defer c.Close()
//	receipt, err := c.Publish(ctx, client.Event{Channel: "questions", Data: map[string]string{"text": "why?"}})
//	err = c.Listen(ctx, client.ListenOptions{}, func(ctx context.Context, n *client.Notification) error { … })
//	err = c.Work(ctx, client.WorkOptions{Channel: "questions"}, func(ctx context.Context, job *client.Job) error { … })
//	err = c.Follow(ctx, client.FollowOptions{Channel: "questions"}, func(ctx context.Context, e *client.FollowedEvent) error { … })
//
// Dial returns once a node has said welcome. From then on the client reconnects
// for ever, to any node it was given or has learned of, until Close or until a
// node refuses it for good (Done, Err). Publish, Listen, Work and Follow survive that;
// they may run at the same time, from any goroutine.
//
// # What may be relied on
//
//   - A Publish that returned a Receipt is replicated to a majority and fsynced
//     there. Every event carries an idempotency key, made up where none is
//     given, so that sending it again after a lost socket, a 503 or a 429 never
//     stores it twice. Publish goes on trying until its context ends.
//   - Events are sent in the order of the calls of one goroutine. One that was
//     refused and is tried again may be overtaken by later ones; who needs the
//     order waits for the Receipt.
//   - Notifications come to the handler one at a time, in the order of their
//     numbers, each number once in the life of a Client. A hole is declared by
//     a Gap. They are acknowledged when the handler returned nil.
//   - A job is completed when its handler returned nil: the acknowledgement,
//     everything emitted and everything notified take effect together or not at
//     all. While it runs its lease is renewed; when the lease is lost, its
//     context ends with ErrLeaseLost as the cause.
//   - A follower gets every event of a channel, one at a time, those of one key in
//     their order, each once in the life of a Follow. One with a name goes on behind
//     its last commit; one that keeps FollowedEvent.Cursor goes on there.
//
// Callbacks of PublishAsync run on the goroutine that reads the socket and must
// not block.
package client
