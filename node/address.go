package node

import (
	"context"
	"fmt"
	"net"
	"strings"

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
	host, _ := splitAdvertise(n.config.Advertise)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort(host, port)
}

// advertisedToClients is advertised with the port of Advertise, where it has one:
// clients may come through something that listens elsewhere.
func (n *Node) advertisedToClients(bound net.Addr) string {
	if host, port := splitAdvertise(n.config.Advertise); port != "" {
		return net.JoinHostPort(host, port)
	}
	return n.advertised(bound)
}

// splitAdvertise is the host, without the brackets of IPv6, and the port if any.
func splitAdvertise(advertise string) (host, port string) {
	if h, p, err := net.SplitHostPort(advertise); err == nil {
		return h, p
	}
	if inner, ok := strings.CutPrefix(advertise, "["); ok {
		return strings.TrimSuffix(inner, "]"), ""
	}
	return advertise, ""
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
