package gateway

import (
	"errors"
	"fmt"
)

// Poller is how a gateway waits for WebSockets that have nothing to say.
type Poller string

// The pollers.
const (
	// PollerAuto is the one that is better here.
	PollerAuto Poller = "auto"
	// PollerGoroutine has a goroutine wait at each socket.
	PollerGoroutine Poller = "goroutine"
	// PollerEpoll watches all sockets that speak TCP without TLS with one epoll of
	// Linux, and lends each a goroutine when there is something to do. The others have
	// their own.
	PollerEpoll Poller = "epoll"
)

// CheckPoller says why a poller cannot be used.
func CheckPoller(p Poller) error {
	switch {
	case p != PollerAuto && p != PollerGoroutine && p != PollerEpoll:
		return fmt.Errorf("%q is no poller", string(p))
	case p == PollerEpoll && !hasEpoll:
		return errNoEpoll
	}
	return nil
}

var errNoEpoll = errors.New("there is no epoll on this system")

// polls tells whether sockets without TLS are watched by epoll.
func (p Poller) polls() bool { return p == PollerEpoll || p == PollerAuto && hasEpoll }
