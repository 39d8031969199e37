package bench

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
)

// TestDrills: what does not depend on time holds, in a small version of each drill. The
// one that kills a process is among the scripts of cmd/baton.
func TestDrills(t *testing.T) {
	url := startNode(t)
	names, _ := Drills()
	for _, name := range slices.DeleteFunc(names, func(name string) bool { return name == "killed" }) {
		t.Run(name, func(t *testing.T) {
			result, err := Drill(t.Context(), name, DrillConfig{Nodes: []string{url}, Scale: 0.002, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			if err = result.Print(&text); err != nil {
				t.Error(err)
			}
			if !result.OK() || !result.Kept || result.Drill != name || len(result.Bounds) == 0 || strings.Contains(text.String(), "NaN") {
				t.Error(&text)
			}
			for _, b := range result.Bounds {
				if want := map[bool]string{true: DrillKept, false: DrillNotJudged}[b.Relation == "exactly"]; b.Verdict != want {
					t.Errorf("%+v", b)
				}
			}
		})
	}
}

// TestDrillOfNonsense: what cannot be drilled is refused.
func TestDrillOfNonsense(t *testing.T) {
	good := DrillConfig{Nodes: []string{"127.0.0.1:1"}, Scale: 1, Timeout: time.Second}
	for name, change := range map[string]func(*DrillConfig){
		"no nodes":   func(c *DrillConfig) { c.Nodes = nil },
		"no scale":   func(c *DrillConfig) { c.Scale = 0 },
		"large":      func(c *DrillConfig) { c.Scale = 11 },
		"no timeout": func(c *DrillConfig) { c.Timeout = 0 },
	} {
		c := good
		change(&c)
		if _, err := Drill(t.Context(), "cancel", c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Drill(t.Context(), "fire", good); !errors.Is(err, ErrNoDrill) || !strings.Contains(err.Error(), "flood, outage") {
		t.Error(err)
	}
	if _, err := Drill(t.Context(), "killed", good); err == nil || !strings.Contains(err.Error(), "starts workers") {
		t.Error(err)
	}
}

// TestVerdicts: counts are judged at any scale, times at a whole one.
func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		scale float64
		note  func(*drill)
		want  string
	}{
		{1, func(d *drill) { d.atMost("", 1, 1, "") }, DrillKept},
		{1, func(d *drill) { d.atMost("", 1.1, 1, "") }, DrillBroken},
		{1, func(d *drill) { d.atLeast("", 1, 1, "") }, DrillKept},
		{1, func(d *drill) { d.atLeast("", 0.9, 1, "") }, DrillBroken},
		{0.9, func(d *drill) { d.atLeast("", 0.9, 1, "") }, DrillNotJudged},
		{0.9, func(d *drill) { d.exactly("", 1, 1) }, DrillKept},
		{0.9, func(d *drill) { d.exactly("", 2, 1) }, DrillBroken},
		{1, func(d *drill) { d.exactly("", 0, 1) }, DrillBroken},
	} {
		d := &drill{config: &DrillConfig{Scale: test.scale}, result: &DrillResult{}}
		test.note(d)
		if got := d.result.Bounds[0].Verdict; got != test.want || d.result.OK() != (test.want != DrillBroken) {
			t.Errorf("at scale %v %+v", test.scale, d.result.Bounds[0])
		}
	}
}

func drillJob(attempt int, data []byte) *client.Job {
	return &client.Job{Attempt: attempt, Data: client.Raw(data)}
}

// TestOutageBook: what is lost, done twice or out of order is found, and so is a tenant that
// gets less than the others.
func TestOutageBook(t *testing.T) {
	const turn = outageTenants * outageKeys // events n and n+turn share a key
	b := newOutageBook(2 * turn)
	work := func(n, attempt int) {
		job := drillJob(attempt, encodeEvent(minSize, n, 0))
		if err := b.begin(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		b.ended(job, nil)
	}
	work(turn, 1)
	work(0, 1)      // out of order
	work(turn+1, 1) // 1 is lost
	work(2, 1)
	work(2, 2) // twice, in another attempt: no disorder
	work(turn+2, 1)
	b.ended(drillJob(1, encodeEvent(minSize, 3, 0)), errors.New("failed"))
	d := &drill{config: &DrillConfig{Scale: 1}, result: &DrillResult{}}
	b.tell(d)
	got := make([]float64, 0, len(d.result.Bounds))
	for _, bound := range d.result.Bounds {
		got = append(got, bound.Value)
	}
	if want := []float64{2*turn - 5, 1, 1, 1}; !slices.Equal(got, want) || b.again != 1 || b.complete() {
		t.Errorf("%v, wanted %v; %d again", got, want, b.again)
	}
}

// TestOutageShare: the shares count until a tenant has nothing left.
func TestOutageShare(t *testing.T) {
	b := newOutageBook(2 * outageTenants)
	done := func(tenants ...int) {
		for _, tenant := range tenants {
			b.order = append(b.order, outageDone{tenant: tenant})
		}
	}
	done(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7)
	if differs, counted := b.share(); counted != 9 || differs < 0.77 || differs > 0.78 { // Two ninths, of an eighth.
		t.Errorf("differs %v of %d", differs, counted)
	}
	b.order = nil
	done(0, 0, 1, 2, 3)
	if differs, counted := b.share(); counted != 2 || differs != 7 {
		t.Errorf("differs %v of %d", differs, counted)
	}
}

// TestProviderBook: only the refusing model is refused, and only during the outage; a
// burned attempt is found, as is what is answered twice.
func TestProviderBook(t *testing.T) {
	b := &providerBook{drill: &drill{start: time.Now()}, models: map[string]*modelBook{
		refusingModel: {first: -1, latency: newHistogram()}, otherModel: {first: -1, latency: newHistogram()},
	}}
	for _, test := range []struct {
		phase   providerPhaseName
		model   string
		attempt int
		refused bool
	}{
		{providerBefore, refusingModel, 1, false},
		{providerDuring, refusingModel, 1, true},
		{providerDuring, otherModel, 1, false},
		{providerAfter, refusingModel, 2, false},
	} {
		b.enter(test.phase)
		job := drillJob(test.attempt, []byte(`{"model":"`+test.model+`","number":7}`))
		err := b.call(t.Context(), job)
		b.ended(job, err)
		if (err != nil) != test.refused {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if b.models[refusingModel].refused != 1 || b.late != 1 || b.done != 1 || b.twice != 2 || b.failed != 0 || b.models[otherModel].during != 1 {
		t.Errorf("%+v", b)
	}
}

// TestFlooding: of the quiet tenant's events each counts once, and for the latency only what
// is due after the warm-up; the others are counted.
func TestFlooding(t *testing.T) {
	f := &flooding{latency: newHistogram(), seen: make(map[int]bool)}
	for _, test := range []struct {
		tenant string
		n      int
		due    int64
	}{{quietTenant, 0, 5}, {quietTenant, 1, 10}, {quietTenant, 1, 10}, {"flood-0", 1, 10}} {
		job := drillJob(1, encodeEvent(minSize, test.n, test.due))
		job.Tenant = test.tenant
		if err := f.took(job, 20, 10); err != nil {
			t.Fatal(err)
		}
	}
	if f.quiet.Load() != 2 || f.twice != 1 || f.drained.Load() != 1 || f.latency.TotalCount() != 1 {
		t.Errorf("%d quiet, %d twice, %d drained, %d measured", f.quiet.Load(), f.twice, f.drained.Load(), f.latency.TotalCount())
	}
}

// TestHops: a hop counts from one step to the next, once the warm-up is over, in a first attempt.
func TestHops(t *testing.T) {
	h := newHops(time.Now().Add(-time.Hour))
	for step := 1; step <= 3; step++ {
		h.passed(&client.Job{CorrelationID: "a", Attempt: 1}, step, 3)
	}
	h.passed(&client.Job{CorrelationID: "b", Attempt: 1}, 1, 3)
	h.passed(&client.Job{CorrelationID: "b", Attempt: 2}, 2, 3)
	if p := h.percentiles(); p.Count != 2 || len(h.left) != 1 {
		t.Errorf("%+v, %d left", p, len(h.left))
	}
	h = newHops(time.Now().Add(time.Hour))
	h.passed(&client.Job{CorrelationID: "a", Attempt: 1}, 1, 2)
	h.passed(&client.Job{CorrelationID: "a", Attempt: 1}, 2, 2)
	if p := h.percentiles(); p.Count != 0 {
		t.Errorf("%+v in the warm-up", p)
	}
}

// TestMedian: the one in the middle, or between the two there.
func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := median(test.of); got != test.want {
			t.Errorf("%v: %v", test.of, got)
		}
	}
}
