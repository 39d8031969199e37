package client

import (
	"context"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

const (
	// refreshID is the request number of every auth: no other request has it, and one
	// connection has one auth under way.
	refreshID = wire.MaxInteger
	// refreshPart is how much of a token's life is over when it is refreshed.
	refreshPart = 0.8
	// refreshAgain is the pause before a source is asked again that gave no token.
	refreshAgain = 5 * time.Second
	// refreshTimeout is how long a source may take.
	refreshTimeout = 30 * time.Second
)

// refreshed has the next fresh token asked for in time; left is for how long the
// present one is good, 0 for ever.
func (s *session) refreshed(leftMS int64) {
	if leftMS == 0 {
		s.refresh.Stop()
		return
	}
	s.refresh.Reset(time.Duration(float64(leftMS)*refreshPart) * time.Millisecond)
}

// refresh sends a fresh token, without reconnecting. What fails is tried again: the
// session ends with its token, and a new one begins with a fresh one.
func (c *Client) refresh(ctx context.Context, s *session) {
	if c.options.TokenSource == nil {
		return
	}
	s.done.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, refreshTimeout)
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-s.ended:
				cancel()
			case <-stop:
			}
		}()
		token, err := c.options.token(bounded)
		s.refresh.Reset(refreshAgain) // Before the answer can come, which says when next.
		if err != nil {
			c.options.Logger.Warn("no fresh token", "error", err)
			return
		}
		s.out.add(wire.AppendAuth(s.out.blank(), &wire.Auth{ID: refreshID, Token: []byte(token)}))
	})
}
