package bench

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that nobody waited for.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small(f *fakeCluster) Config {
	return Config{
		Nodes: []string{f.server.URL}, Steps: 3, InFlight: 16, WarmUp: 50 * time.Millisecond, Duration: 300 * time.Millisecond,
		Drain: 2 * time.Second, Size: 256, Clients: 3, Workers: 2, Credit: 8, Probes: 20,
	}
}

// Everything that was published comes back once, in both loops.
func TestPipeline(t *testing.T) {
	f := newFakeCluster(t)
	f.server.Config.SetKeepAlivesEnabled(false)
	for _, change := range []func(*Config){
		func(*Config) {},
		func(c *Config) { c.Rate, c.InFlight = 300, 0 },
	} {
		c := small(f)
		change(&c)
		r, err := Pipeline(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		checkRun(t, &c, r)
		var text strings.Builder
		if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "single commits") {
			t.Errorf("%v\n%s", err, &text)
		}
	}
}

func checkRun(t *testing.T, c *Config, r *Result) {
	t.Helper()
	if !r.OK() || r.Published == 0 || r.Acknowledged != r.Published || r.Notified != r.Published || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
	if r.EndToEnd.Count == 0 || r.EndToEnd.P50 <= 0 || r.Commit.Count != 20 || r.Sync.Count == 0 || r.Throughput <= 0 {
		t.Errorf("%+v", r)
	}
	if c.Rate > 0 && (r.Published < 100 || r.Published > 105) {
		t.Errorf("%d events of 300/s in 350 ms", r.Published)
	}
}

// What a cluster loses or repeats is found, and counted exactly.
func TestPipelineFindsFaults(t *testing.T) {
	f := newFakeCluster(t)
	f.lose, f.repeat = 10, 7
	c := small(f)
	c.Rate, c.InFlight, c.Drain = 200, 0, 200*time.Millisecond
	r, err := Pipeline(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	lost := f.notified / 10
	repeated := f.notified/7 - f.notified/70
	if r.OK() || r.Missing != lost || r.Duplicates != repeated {
		t.Errorf("missing %d of %d, duplicates %d of %d", r.Missing, lost, r.Duplicates, repeated)
	}
}
