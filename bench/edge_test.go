package bench

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
)

// The name of a program may hold anything, also what looks like the end of it.
func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 150 50 13 14"
	for _, name := range []string{"(baton)", "(a b)", "(a) R 1 (b)"} {
		if seconds, err := parseStat([]byte("17 " + name + rest)); err != nil || seconds != 2 {
			t.Errorf("%s: %v s, %v", name, seconds, err)
		}
	}
	for _, text := range []string{"", "17 (baton) S 1 2", "17 (baton)" + strings.Replace(rest, "150", "x", 1), rest} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Rates are by the time between the looks, and by what the process used between them.
func TestRowOf(t *testing.T) {
	at := time.Unix(1000, 0)
	row := rowOf(&edgeUse{at: at, cpu: 3, mallocs: 100}, &edgeUse{at: at.Add(4 * time.Second), cpu: 5, mallocs: 900}, 7, 400)
	if row.PerSecond != 100 || row.CPUSeconds != 2 || row.PerCPUSecond != 200 || row.Mallocs == nil || *row.Mallocs != 2 || row.Connections != 7 {
		t.Errorf("%+v", row)
	}
	// A server of which nothing is known has no figures, rather than wrong ones.
	row = rowOf(&edgeUse{at: at}, &edgeUse{at: at.Add(time.Second)}, 1, 10)
	if row.PerCPUSecond != 0 || row.Mallocs != nil || row.PerSecond != 10 {
		t.Errorf("%+v", row)
	}
}

// What the same load adds without slow readers is not theirs, nor is what their sessions take.
func TestSlowArithmetic(t *testing.T) {
	r := SlowResult{
		Readers: 10, Begin: IdleUse{Resident: 1000, Heap: 100}, AfterCalm: IdleUse{Resident: 1100, Heap: 150},
		Connected: IdleUse{Resident: 1600, Heap: 250}, AfterSlow: IdleUse{Resident: 1740, Heap: 320},
		Calm: SlowPhase{Ack: Percentile{P99: 2}, Follow: Percentile{P99: 4}}, Hanging: SlowPhase{Ack: Percentile{P99: 3}, Follow: Percentile{P99: 8}},
	}
	r.derive()
	for name, pair := range map[string][2]float64{
		"session": {r.PerSession, 50}, "reader": {r.PerReader, 4}, "heap": {r.HeapPerReader, 2}, "ack": {r.AckRatio, 1.5}, "follow": {r.FollowRatio, 2},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

// One that publishes to many stays so many messages ahead of what was delivered to all of
// them, and of what was answered.
func TestOutRoom(t *testing.T) {
	o := &outFlight{flight: new(flight), followers: 10, ahead: 64}
	if room := o.room(true); room != 64 {
		t.Errorf("room for %d at the beginning", room)
	}
	o.published.Store(64)
	o.counted.Store(200) // 20 to each, on the average
	if room := o.room(false); room != 20 {
		t.Errorf("room for %d, unanswered ones not counted", room)
	}
	o.answered.Store(10)
	if room := o.room(true); room != 10 {
		t.Errorf("room for %d, unanswered ones counted", room)
	}
}

// What cannot be used is refused before anything starts.
func TestEdgeOfNonsense(t *testing.T) {
	good := EdgeConfig{Connections: 1, InFlight: 2, Size: 256, Streams: 1, Duration: time.Second, Calm: time.Second, Slow: 1, Rate: 1}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for i, spoil := range []func(*EdgeConfig){
		func(c *EdgeConfig) { c.Connections, c.Slow = 0, 0 },
		func(c *EdgeConfig) { c.Followers = -1 },
		func(c *EdgeConfig) { c.Slow = maxEdgeConnections + 1 },
		func(c *EdgeConfig) { c.InFlight = 3 },
		func(c *EdgeConfig) { c.InFlight = maxEdgeInFlight + 2 },
		func(c *EdgeConfig) { c.Size = maxSize + 1 },
		func(c *EdgeConfig) { c.Streams = 0 },
		func(c *EdgeConfig) { c.Duration = 0 },
		func(c *EdgeConfig) { c.Rate = 0 },
		func(c *EdgeConfig) { c.NATS.PID = -1 },
	} {
		c := good
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%d is taken", i)
		}
	}
}

// The table shows a dash for what is not known, and what is missing is not OK.
func TestEdgePrint(t *testing.T) {
	mallocs := 1.5
	r := EdgeResult{Rows: []EdgeRow{
		{Direction: "in", Server: "baton", PerSecond: 100, CPUSeconds: 2, PerCPUSecond: 50, Mallocs: &mallocs},
		{Direction: "out", Server: "NATS", PerSecond: 100},
	}}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := strings.Fields(lines[len(lines)-2]); strings.Join(got, " ") != "in baton 0 100 2.00 50 1.50 0" {
		t.Errorf("%q", got)
	}
	if got := strings.Fields(lines[len(lines)-1]); strings.Join(got, " ") != "out NATS 0 100 - - - 0" {
		t.Errorf("%q", got)
	}
	if !r.OK() {
		t.Error("all came")
	}
	r.Rows[1].Missing = 1
	if r.OK() {
		t.Error("one is missing")
	}
}
