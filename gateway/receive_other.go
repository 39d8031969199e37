//go:build !unix

package gateway

import "net"

func newReceiver(g *Gateway, conn net.Conn) receiver { return &bufferedReceiver{g, conn} }

// readNow is for the receivers of unix: nobody sets now here.
func (c *boundedTCP) readNow(p []byte) (int, error) { return c.TCPConn.Read(p) }
