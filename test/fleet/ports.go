package fleet

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports come from below the range that systems take for outgoing connections: a
// node that is down must find its ports free when it comes back.
const (
	lowestPort  = 20_000
	highestPort = 32_000
)

// FreePorts finds ports of 127.0.0.1 that are free for TCP and UDP.
func FreePorts(t *testing.T, count int) []string {
	t.Helper()
	const attempts = 1000
	var addresses []string
	for range attempts {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(highestPort-lowestPort)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		// Held until all are found, so that none is taken twice.
		defer func() { _ = l.Close() }()
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		_ = u.Close()
		if addresses = append(addresses, address); len(addresses) == count {
			return addresses
		}
	}
	t.Fatalf("no %d free ports", count)
	return nil
}
