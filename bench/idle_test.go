package bench

import (
	"net"
	"testing"
)

// Connections beyond what one address has ports for come from another, on loopback
// alone.
func TestSourceAddress(t *testing.T) {
	for _, test := range []struct {
		to   string
		n    int
		want string
	}{
		{"127.0.0.1:7700", 0, ""},
		{"127.0.0.1:7700", portsPerAddress - 1, ""},
		{"127.0.0.1:7700", portsPerAddress, "127.0.0.2"},
		{"127.0.0.1:7700", 300 * portsPerAddress, "127.0.1.45"},
		{"10.0.0.1:7700", portsPerAddress, ""},
		{"[::1]:7700", portsPerAddress, ""},
	} {
		got := ""
		if address, ok := sourceAddress(test.to, test.n).(*net.TCPAddr); ok {
			got = address.IP.String()
		}
		if got != test.want {
			t.Errorf("connection %d to %s comes from %q, want %q", test.n, test.to, got, test.want)
		}
	}
}

// A process is at rest when nothing moves any more, not before.
func TestAtRest(t *testing.T) {
	var samples []float64
	for n := range 2 * settledSamples {
		samples = append(samples, 100+50/float64(n+1))
	}
	if atRest(samples) {
		t.Error("it was still falling")
	}
	for range settledSamples {
		if atRest(samples) {
			t.Error("it was at rest too soon")
		}
		samples = append(samples, 200)
	}
	if !atRest(samples) {
		t.Error("it came to no rest")
	}
}
