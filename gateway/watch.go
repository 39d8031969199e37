package gateway

// watched is a receiver that does not wait. Its connection is watched instead, by a
// goroutine that does nothing else: a stack that was never deep stays at the size that
// stacks begin with, and one that was deep keeps much of what it grew by.
type watched interface {
	receiver
	// await returns when there may be something to receive, or the socket has ended.
	await()
}

// spareHelpers is how many helpers wait for work, with the stacks that they have grown.
const spareHelpers = 64

// helpers are goroutines that do the work of connections which are watched: one that
// has nothing to do waits for the next.
type helpers struct {
	idle  chan *connection
	spare chan struct{} // a place for each of those that wait
}

func newHelpers() helpers {
	return helpers{idle: make(chan *connection), spare: make(chan struct{}, spareHelpers)}
}

// serve begins the work for a connection that has a goroutine of its own. early is
// what the handshake's reader had already taken from the socket.
func (c *connection) serve(early []byte) {
	in, ok := c.in.(watched)
	if ok {
		c.watch = func() {
			in.await()
			c.gateway.lend(c)
		}
	}
	c.gateway.work.Go(func() {
		c.consumeEarly(early)
		c.gateway.help(c)
	})
}

// lend gives a watched connection a helper: one that waits for work, or a new one.
func (g *Gateway) lend(c *connection) {
	select {
	case g.helpers.idle <- c:
	default:
		g.work.Go(func() { g.help(c) })
	}
}

// help works for one connection after the other. Who finds no place to wait ends.
func (g *Gateway) help(c *connection) {
	for {
		if c.advance() {
			g.ends <- struct{}{}
			c.teardown()
			<-g.ends
		} else {
			go c.watch()
		}
		select {
		case g.helpers.spare <- struct{}{}:
		default:
			return
		}
		select {
		case c = <-g.helpers.idle:
			<-g.helpers.spare
		case <-g.stop:
			return
		}
	}
}
