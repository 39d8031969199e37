package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
)

// An event has exactly the size that was asked for, is JSON, and gives back its
// number and time.
func TestEventData(t *testing.T) {
	for _, size := range []int{minSize, 256, 4096} {
		data := encodeEvent(size, 12345, 987654321)
		if len(data) != size || !json.Valid(data) {
			t.Errorf("%d bytes, wanted %d: %s", len(data), size, data)
		}
		n, due, err := decodeEvent(data)
		if n != 12345 || due != 987654321 || err != nil {
			t.Errorf("%d %d %v", n, due, err)
		}
	}
	for _, bad := range []string{"", "{}", strings.Repeat("x", 300)} {
		if _, _, err := decodeEvent([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// FuzzEventData: what is read as an event's data is what was written for those
// numbers, and the account takes it.
func FuzzEventData(f *testing.F) {
	f.Add([]byte(encodeEvent(minSize, 12345, 987654321)))
	f.Add([]byte(encodeEvent(256, 0, 0)))
	f.Add(bytes.Replace(encodeEvent(minSize, 0, 1), []byte("0000000000"), []byte("-000000001"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, due, err := decodeEvent(data)
		if err != nil {
			return
		}
		if again := encodeEvent(len(data), n, due); !bytes.Equal(again[:paddingAt], data[:paddingAt]) {
			t.Fatalf("%q is read as %d and %d", data, n, due)
		}
		newTally(0).came(n, due, 0)
	})
}

// What is missing and what came twice is counted exactly; a notification may
// overtake the acknowledgement.
func TestTally(t *testing.T) {
	a := newTally(0)
	for range 5 {
		a.next()
	}
	a.answered(0, 0, 1e6, nil)
	a.came(0, 0, 2e6)
	a.came(0, 0, 3e6) // twice
	a.came(1, 0, 2e6) // before its acknowledgement
	a.answered(1, 0, 1e6, nil)
	a.answered(2, 0, 1e6, nil)                // missing
	a.answered(3, 0, 1e6, errors.New("down")) // failed: not missing
	if a.came(9, 0, 0) {
		t.Error("an event that was never published")
	}
	if a.missing() != 1 || a.twice != 1 || a.failed != 1 || a.strange != 1 || a.notified != 2 || a.acked != 3 {
		t.Errorf("missing %d, twice %d, failed %d, strange %d, notified %d, acked %d",
			a.missing(), a.twice, a.failed, a.strange, a.notified, a.acked)
	}
	if p := percentiles(a.endToEnd); p.Count != 2 || p.Max < 1.99 || p.Max > 2.01 {
		t.Errorf("%+v", p)
	}
}

// Latencies of the warm-up do not count.
func TestWarmUp(t *testing.T) {
	a := newTally(time.Second)
	a.answered(a.next(), 5e8, 6e8, nil)
	a.answered(a.next(), 15e8, 16e8, nil)
	if n := a.publish.TotalCount(); n != 1 {
		t.Errorf("%d latencies", n)
	}
}

// A run that makes no sense is refused, and one against nothing says so.
func TestConfig(t *testing.T) {
	good := Config{Nodes: []string{"127.0.0.1:1"}, Steps: 1, Rate: 1, Duration: time.Second, Size: 256, Clients: 1, Workers: 1, Credit: 1}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no nodes": func(c *Config) { c.Nodes = nil },
		"no load":  func(c *Config) { c.Rate = 0 },
		"both":     func(c *Config) { c.InFlight = 1 },
		"steps":    func(c *Config) { c.Steps = 0 },
		"size":     func(c *Config) { c.Size = 10 },
		"duration": func(c *Config) { c.Duration = 0 },
		"clients":  func(c *Config) { c.Clients = 0 },
		"probes":   func(c *Config) { c.Probes = -1 },
	} {
		c := good
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := Pipeline(t.Context(), good)
	if _, ok := errors.AsType[*client.ConnectError](err); !ok {
		t.Errorf("got %v", err)
	}
}
