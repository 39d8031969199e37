package gateway

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRate holds a rate against a bucket that is filled up in steps of its interval: it
// takes what that has, a refusal takes nothing, and who waits as long as he was told
// finds one, and a moment sooner none.
func TestRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond, burst := rapid.IntRange(1, 2000).Draw(t, "rate"), rapid.IntRange(1, 50).Draw(t, "burst")
		r, b := newRate(perSecond, burst), &bucket{}
		interval := int64(time.Second) / int64(perSecond)
		now := rapid.Int64Range(0, 1<<40).Draw(t, "start")
		level, at := int64(burst)*interval, now // how much is in the bucket, in nanoseconds of the rate
		fill := func() {
			level, at = min(level+now-at, int64(burst)*interval), now
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 3*interval)).Draw(t, "pause")
			fill()
			there := level >= interval
			before := rapid.IntRange(0, 3).Draw(t, "before")
			wait := int64(r.wait(b, now, before))
			if want := max(int64(before+1)*interval-level, 0); wait != want {
				t.Fatalf("told to wait %d ns behind %d others, there is room after %d", wait, before, want)
			}
			if !r.take(b, now) {
				if there {
					t.Fatalf("refused with %d ns of %d", level, interval)
				}
				if early := int64(r.wait(b, now, 0)) - 1; r.take(b, now+early) {
					t.Fatal("admitted before the time")
				}
				now += int64(r.wait(b, now, 0))
				fill()
				if !r.take(b, now) {
					t.Fatal("refused at the time that was told")
				}
			} else if !there {
				t.Fatalf("admitted with %d ns of %d", level, interval)
			}
			level -= interval
			if rapid.Bool().Draw(t, "give back") {
				r.giveBack(b)
				level += interval
			}
		}
		if now += int64(burst) * interval; !b.idle(now) {
			t.Fatal("a bucket remembers more than its burst")
		}
	})
}

// TestAnyRate: no rate is any, and costs no state.
func TestAnyRate(t *testing.T) {
	r, b := newRate(0, 0), &bucket{}
	for range 1000 {
		if !r.take(b, 5) || r.wait(b, 5, 100) != 0 {
			t.Fatal("refused")
		}
	}
	if r.giveBack(b); b.full.Load() != 0 {
		t.Fatal("it counted")
	}
}

// TestUsageIsForgotten: what nobody holds goes, once its rates have nothing to say.
func TestUsageIsForgotten(t *testing.T) {
	var table usageTable[int]
	r := newRate(1, 1)
	held := table.hold(-1, 0)
	busy := table.hold(-2, 0)
	r.take(&busy.publishes, 0)
	table.drop(busy)
	for i := range 10 * leastSwept {
		table.drop(table.hold(i, int64(time.Second)-1))
	}
	if n := len(table.all); n > 2*leastSwept {
		t.Fatalf("%d are kept", n)
	}
	if table.hold(-1, 0) != held {
		t.Fatal("one that was held is another now")
	}
	if table.hold(-2, 0) != busy {
		t.Fatal("who came back began anew, before its rate had forgotten")
	}
}

// BenchmarkPace is what three rates cost a publish.
func BenchmarkPace(b *testing.B) {
	g := &Gateway{began: time.Now()}
	g.rates = newRates(&Limits{PublishRate: 1e9, PublishBurst: 1e9, TenantPublishRate: 1e9, TenantPublishBurst: 1e9, NodePublishRate: 1e9, NodePublishBurst: 1e9})
	own, tenant := &bucket{}, &usage{}
	b.ReportAllocs()
	for b.Loop() {
		if x := g.pace(own, tenant, 0); x.any() {
			b.Fatal(x)
		}
	}
}
