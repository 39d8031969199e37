package duty

import (
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Bounds of how a client is watched whose runs end with its connection.
const (
	// ClientGoneAfter is how long a client may be without a device before its runs end
	// that say so: time enough to load a page again.
	ClientGoneAfter = 10 * time.Second
	// goneInterval is how often clients are looked at.
	goneInterval = time.Second
)

// watch is of the clients whose runs end with their connection. Only one that was seen
// can go: a run may begin before its client connects, or without it.
type watch struct {
	clients map[streamKey]*watched
	next    time.Time
}

type watched struct {
	seen bool
	// left is when its last device was found gone, zero while it has one.
	left time.Time
}

func (w *watch) learn(bound []fsm.BoundClient) {
	for i := range bound {
		key := streamKey{bound[i].Tenant, bound[i].ClientID}
		switch {
		case bound[i].Gone:
			delete(w.clients, key)
		case w.clients[key] == nil:
			if w.clients == nil {
				w.clients = make(map[streamKey]*watched)
			}
			w.clients[key] = &watched{}
		}
	}
}

// look takes note of whether the client is connected, and tells when it has gone.
func (c *watched) look(connected bool, now time.Time) (gone bool) {
	switch {
	case connected:
		c.seen, c.left = true, time.Time{}
	case !c.seen:
	case c.left.IsZero():
		c.left = now
	case now.Sub(c.left) >= ClientGoneAfter:
		c.seen, c.left = false, time.Time{}
		return true
	}
	return false
}

// tickGone ends the runs of the clients that have gone.
func (d *Duty) tickGone(now time.Time) {
	w := &d.mu.watch
	if len(w.clients) == 0 || now.Before(w.next) {
		return
	}
	w.next = now.Add(goneInterval)
	for key, client := range w.clients {
		connected := false
		for range d.mu.pump.sockets(key) {
			connected = true
		}
		if client.look(connected, now) {
			gone := command.CancelGone{Generation: d.mu.generation, Tenant: key.tenant, ClientID: key.client}
			d.config.Proposer.Propose(gone.Append(nil))
		}
	}
}
