//go:build !linux

package gateway

import "net"

const hasEpoll = false

// poller has nothing to watch here: every connection has a goroutine.
type poller struct{}

func (*poller) takeOver(*Gateway, net.Conn) polledConn { return nil }
func (*poller) close()                                 {}
