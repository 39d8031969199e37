package node

import (
	"context"
	"fmt"
	"net"

	"github.com/batonmq/baton/transport"
)

func (n *Node) listen(ctx context.Context, field, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &ConfigError{
			field, fmt.Sprintf("cannot listen on %s: %v", address, err),
			"stop what listens there, or name another address with --" + field,
		}
	}
	return listener, nil
}

// advertised is how others reach a listener: its own address, with the host of
// Advertise when that is set.
func (n *Node) advertised(bound net.Addr) string { return n.advertisedHost(bound.String()) }

func (n *Node) advertisedHost(address string) string {
	if n.config.Advertise == "" {
		return address
	}
	host := n.config.Advertise
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort(host, port)
}

// dial connects to another node's peer port.
func dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// resolver finds members for the transport.
type resolver struct{ node *Node }

// PeerAddress implements transport.Resolver.
func (r resolver) PeerAddress(id transport.NodeID) (string, bool) {
	return r.node.members.PeerAddress(string(id))
}
