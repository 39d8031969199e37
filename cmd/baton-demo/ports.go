package main

import (
	"fmt"
	"net"
	"strconv"
)

// firstPort is where the README's three nodes listen.
const firstPort = 7700

// nodePorts are a node's ports for clients, nodes and gossip.
type nodePorts [3]int

func (p nodePorts) address(i int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p[i])) }

// choosePorts takes 7700, 7701 and 7702 for the first node, and so on, where
// they are free, else any.
func choosePorts(nodes int) ([]nodePorts, error) {
	all := make([]nodePorts, nodes)
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for n := range all {
		for i := range all[n] {
			l, port, err := holdPort(firstPort + 10*n + i)
			if err != nil {
				return nil, err
			}
			held = append(held, l)
			all[n][i] = port
		}
	}
	return all, nil
}

// holdPort reserves a port for TCP that is free for UDP too.
func holdPort(wanted int) (net.Listener, int, error) {
	const attempts = 20
	var last error
	for range attempts {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted))
		wanted = 0
		l, err := net.Listen("tcp", address) //nolint:noctx // on loopback, at once
		if err != nil {
			last = err
			continue
		}
		_, text, _ := net.SplitHostPort(l.Addr().String())
		port, _ := strconv.Atoi(text)
		u, err := net.ListenPacket("udp", l.Addr().String()) //nolint:noctx // on loopback, at once
		if err != nil {
			_ = l.Close()
			last = err
			continue
		}
		_ = u.Close()
		return l, port, nil
	}
	return nil, 0, fmt.Errorf("finding a free port: %w", last)
}
