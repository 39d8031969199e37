//go:build !unix

package gateway

import "net"

func newReceiver(g *Gateway, conn net.Conn) receiver { return &bufferedReceiver{g, conn} }
