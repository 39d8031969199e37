package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// DrillConfig describes a drill: a run that holds the cluster to a promise.
type DrillConfig struct {
	// Nodes and Token say where. Drills name tenants of their own, so that a token, where
	// one is asked for, must be for all of them.
	Nodes []string
	Token string
	// PID is the process of the only node on this machine, Debug the URL of its pprof; 0
	// and empty where they are not known.
	PID   int
	Debug string
	// Scale multiplies what a drill counts and how long it measures. Promises are judged
	// at 1; below it, those about time are told and not judged, since too little is
	// measured.
	Scale float64
	// Timeout ends the drill with an error.
	Timeout time.Duration
	// Victim starts a worker that can be killed; the drill killed needs it.
	Victim func(context.Context, VictimConfig) (Victim, error)
	// Progress receives a line at each turn.
	Progress io.Writer
}

// Validate says which setting cannot be used.
func (c *DrillConfig) Validate() error {
	switch {
	case len(c.Nodes) == 0:
		return errors.New("name a node")
	case c.Scale <= 0 || c.Scale > 10:
		return errors.New("scale must be above 0, and at most 10")
	case c.Timeout <= 0:
		return errors.New("timeout must be positive")
	}
	return nil
}

// namedDrill is a drill and what it is called.
type namedDrill struct {
	name, about string
	run         func(*drill, context.Context) error
}

func allDrills() []namedDrill {
	return []namedDrill{
		{"flood", "what a tenant's flood does to another tenant's latency", (*drill).flood},
		{"outage", "a backlog of many tenants is worked off, in order of its keys", (*drill).outage},
		{"provider", "a provider that refuses calls for a while burns no attempts", (*drill).provider},
		{"killed", "how soon the jobs of a killed worker are leased again", (*drill).killed},
		{"cancel", "how soon a worker hears that its job is canceled", (*drill).cancel},
		{"delays", "what delayed events cost in memory, and how late they are", (*drill).delays},
		{"hop", "what a step costs in a workflow, beside plain channels", (*drill).hop},
	}
}

// Drills are the names of all drills, each with what it shows.
func Drills() (names, about []string) {
	for _, d := range allDrills() {
		names, about = append(names, d.name), append(about, d.about)
	}
	return names, about
}

// ErrNoDrill says that there is no drill of a name.
var ErrNoDrill = errors.New("there is no such drill")

// drill is one run.
type drill struct {
	config *DrillConfig
	name   string
	run    string
	start  time.Time // event times count from here
	result *DrillResult
	close  []func() error
}

// Drill runs the drill of a name. It returns ErrNoDrill where there is none; a broken
// promise is no error but in the result.
func Drill(ctx context.Context, name string, config DrillConfig) (*DrillResult, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	all := allDrills()
	at := slices.IndexFunc(all, func(d namedDrill) bool { return d.name == name })
	if at < 0 {
		names, _ := Drills()
		return nil, fmt.Errorf("%w: %q is none of %s", ErrNoDrill, name, strings.Join(names, ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, config.Timeout)
	defer cancel()
	d := &drill{config: &config, name: name, run: newRun(), start: time.Now()}
	d.result = &DrillResult{Scenario: "drill", Drill: name, Run: d.run, Scale: config.Scale}
	defer d.closeAll()
	if err := all[at].run(d, ctx); err != nil {
		return nil, fmt.Errorf("the drill %s: %w", name, err)
	}
	d.result.Seconds = time.Since(d.start).Seconds()
	d.result.Kept = d.result.OK()
	return d.result, nil
}

func (d *drill) closeAll() {
	for _, end := range d.close {
		_ = end()
	}
}

// DrillResult is what a drill measured, and what became of its promises.
type DrillResult struct {
	Scenario string        `json:"scenario"`
	Drill    string        `json:"drill"`
	Run      string        `json:"run"`
	Scale    float64       `json:"scale"`
	Seconds  float64       `json:"seconds"`
	Kept     bool          `json:"ok"`
	Figures  []DrillFigure `json:"figures"`
	Bounds   []DrillBound  `json:"bounds"`
}

// DrillFigure is something that was measured.
type DrillFigure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Verdicts on a promise.
const (
	DrillKept      = "ok"
	DrillBroken    = "broken"
	DrillNotJudged = "not judged" // about time, at a scale below 1
)

// DrillBound is a promise: how what is measured relates to its limit.
type DrillBound struct {
	Promise  string  `json:"promise"`
	Value    float64 `json:"value"`
	Relation string  `json:"relation"` // exactly, at most or at least
	Limit    float64 `json:"limit"`
	Unit     string  `json:"unit,omitempty"`
	Verdict  string  `json:"verdict"`
}

// OK tells whether no promise was broken.
func (r *DrillResult) OK() bool {
	return !slices.ContainsFunc(r.Bounds, func(b DrillBound) bool { return b.Verdict == DrillBroken })
}

// Print writes the result for people.
func (r *DrillResult) Print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "drill %s, %.1f s\n", r.Drill, r.Seconds)
	for _, f := range r.Figures {
		_, _ = fmt.Fprintf(w, "  %-56s %12s %s\n", f.Name, number(f.Value), f.Unit)
	}
	for _, b := range r.Bounds {
		_, _ = fmt.Fprintf(w, "  %-10s  %s: %s (%s %s%s)\n",
			b.Verdict, b.Promise, number(b.Value), b.Relation, number(b.Limit), strings.TrimSuffix(" "+b.Unit, " "))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// number shows a whole number as one, and three digits behind the point of another.
func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// figure notes what was measured.
func (d *drill) figure(name string, value float64, unit string) {
	d.result.Figures = append(d.result.Figures, DrillFigure{name, value, unit})
}

// exactly notes a promise about a count, which holds at any scale.
func (d *drill) exactly(promise string, value, want int) {
	verdict := DrillKept
	if value != want {
		verdict = DrillBroken
	}
	d.result.Bounds = append(d.result.Bounds, DrillBound{
		Promise: promise, Value: float64(value), Relation: "exactly", Limit: float64(want), Verdict: verdict,
	})
}

// atMost notes a promise about time or rates, or what depends on them.
func (d *drill) atMost(promise string, value, limit float64, unit string) {
	d.judge(DrillBound{Promise: promise, Value: value, Relation: "at most", Limit: limit, Unit: unit}, value <= limit)
}

// atLeast is atMost the other way round.
func (d *drill) atLeast(promise string, value, limit float64, unit string) {
	d.judge(DrillBound{Promise: promise, Value: value, Relation: "at least", Limit: limit, Unit: unit}, value >= limit)
}

func (d *drill) judge(b DrillBound, kept bool) {
	switch {
	case d.config.Scale < 1:
		b.Verdict = DrillNotJudged
	case kept:
		b.Verdict = DrillKept
	default:
		b.Verdict = DrillBroken
	}
	d.result.Bounds = append(d.result.Bounds, b)
}
