package bench

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestStorm: every client of each round is welcomed, comes back with where it was, and the
// others' events are counted in their phases.
func TestStorm(t *testing.T) {
	cluster := newFakeCluster(t)
	result, err := Storm(t.Context(), StormConfig{
		Nodes: []string{cluster.server.URL}, Rate: 200, Clients: 2, Size: 100,
		Calm: 200 * time.Millisecond, Stormers: 50, Within: 100 * time.Millisecond, Rounds: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := result.Storm
	if s.Connected != 100 || s.Failed != 0 || s.Refused != 0 || s.Welcome.Count != 100 {
		t.Fatalf("%+v", s)
	}
	if result.Failed != 0 || result.Before.Count == 0 || result.During.Count == 0 || result.After.Count == 0 || result.Ratio <= 0 {
		t.Fatalf("%+v", result)
	}
	var out bytes.Buffer
	if err := result.Print(&out); err != nil || !strings.Contains(out.String(), "50 clients connected 100 times") {
		t.Fatalf("%v %s", err, out.String())
	}
}

// TestStormOfNonsense: what cannot be used is refused before anybody connects.
func TestStormOfNonsense(t *testing.T) {
	for _, c := range []StormConfig{
		{},
		{Nodes: []string{"http://127.0.0.1:1"}},
		{Nodes: []string{"http://127.0.0.1:1"}, Rate: 1, Clients: 1, Size: 100, Calm: time.Second, Within: time.Second, Rounds: 1, Stormers: maxStormers + 1},
	} {
		if _, err := Storm(t.Context(), c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
