package duty

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// relayed is a batch on its way.
type relayed struct {
	target  uint32
	encoded []byte
	answer  func(*command.Result)
}

// Relay implements Relayer.
func (w *world) Relay(target uint32, encoded []byte, answered func(*command.Result)) bool {
	if !w.full {
		w.relays = append(w.relays, relayed{target, encoded, answered})
	}
	return !w.full
}

// rows is a batch's first number, and how many rows it has.
func (r *relayed) rows(tb tester) (first uint64, count int) {
	tb.Helper()
	_, reader := command.ReadPrefix(r.encoded)
	var c command.Relay
	c.Decode(&reader)
	check(tb, reader.Err())
	return c.First, len(c.Rows)
}

// pair is two partitions: a sends to b.
type pair struct {
	tb   tester
	a, b *world
	sent int
	// home and away are a key in each.
	home, away string
	// late are batches that may still arrive.
	late []relayed
}

func newPair(tb tester, store *storage.Store, group uint32) *pair {
	tb.Helper()
	p := &pair{tb: tb, a: openPartition(tb, store, group, 0, 2), b: openPartition(tb, store, group+1, 1, 2)}
	p.a.lead()
	p.b.lead()
	for i := 0; p.home == "" || p.away == ""; i++ {
		key := fmt.Sprint("k", i)
		if command.PartitionOf(command.SlotOf("t", key), 2) == 0 {
			p.home = key
		} else {
			p.away = key
		}
	}
	return p
}

// send has a job of a emit as many events to b, in one entry.
func (p *pair) send(emits int) {
	p.tb.Helper()
	p.a.duty.Register(lent("n1", 1, 1))
	event := publish("work", "t", "job")
	event.Event.Key, event.Slot = p.home, command.SlotOf("t", p.home)
	p.a.do(event)
	complete := command.Complete{Lease: p.a.jobs[len(p.a.jobs)-1].job.Lease}
	for range emits {
		p.sent++
		complete.Emits = append(complete.Emits, command.Event{
			Channel: "next", Key: p.away, Payload: command.Payload{Codec: command.CodecBytes, Bytes: []byte(fmt.Sprint(p.sent))},
		})
	}
	p.a.do(&complete)
}

// land applies a batch at its target.
func (p *pair) land(batch relayed) command.Result {
	p.tb.Helper()
	header := command.Header{TimeMS: p.b.now.UnixMilli(), Generation: 1}
	outcome := p.b.apply(command.AppendEntry(nil, &header, [][]byte{batch.encoded}))
	p.b.duty.Applied(outcome)
	return outcome.Results[0]
}

func (p *pair) takeBatch() relayed {
	p.tb.Helper()
	if len(p.a.relays) != 1 {
		p.tb.Fatalf("%d batches are on their way, want one", len(p.a.relays))
	}
	batch := p.a.relays[0]
	p.a.relays = nil
	return batch
}

func (p *pair) arrives() {
	p.tb.Helper()
	batch := p.takeBatch()
	result := p.land(batch)
	batch.answer(&result)
}

// wants checks the batch that flies.
func (p *pair) wants(first uint64, count int) {
	p.tb.Helper()
	if len(p.a.relays) != 1 {
		p.tb.Fatalf("%d batches are on their way, want one", len(p.a.relays))
	}
	if f, c := p.a.relays[0].rows(p.tb); f != first || c != count {
		p.tb.Fatalf("%d rows from %d are on their way, want %d from %d", c, f, count, first)
	}
}

// left is the rows that a keeps.
func (p *pair) left() int {
	p.tb.Helper()
	view := p.a.state.View()
	rows, err := fsm.ReadRelay(view, 1, 0)
	check(p.tb, err)
	check(p.tb, view.Close())
	return len(rows)
}

// got wants b to have every event that was sent, once and in order.
func (p *pair) got() {
	p.tb.Helper()
	var want []string
	for i := range p.sent {
		want = append(want, fmt.Sprint(i+1))
	}
	var got []string
	p.b.jobs = nil
	r := lent("n1", 9, uint32(p.sent+1))
	r.Channel = "next"
	p.b.duty.Register(r)
	p.b.rest()
	for i := range p.b.jobs {
		got = append(got, string(p.b.jobs[i].job.Event.Payload.Bytes))
	}
	if !slices.Equal(got, want) {
		p.tb.Fatalf("the target has %v, want %v", got, want)
	}
}

// TestOneBatchAtATime: what comes while a batch is on its way follows with the
// next one, in order.
func TestOneBatchAtATime(t *testing.T) {
	p := newPair(t, openStore(t), 1)
	p.send(2)
	p.wants(1, 2)
	p.send(1)
	p.send(1)
	p.wants(1, 2)
	p.arrives()
	p.wants(3, 2)
	p.arrives()
	p.a.rest()
	if len(p.a.relays) != 0 {
		t.Fatal("a batch of nothing is on its way")
	}
	p.got()
}

// TestRelayIsTriedAgain: a refused batch goes out again, the same rows, when its
// rest is over and not before; so does one that was not taken at all.
func TestRelayIsTriedAgain(t *testing.T) {
	for _, refusal := range []command.Result{
		{Reason: command.NoLeader},
		{Reason: command.OutcomeUnknown},
		{Reason: command.Overloaded, RetryAfterMS: uint64(relayRest.Milliseconds())},
		{Reason: command.Sequence, Offset: 0},
	} {
		p := newPair(t, openStore(t), 1)
		p.send(2)
		batch := p.takeBatch()
		if refusal.Reason == command.OutcomeUnknown {
			p.land(batch)
		}
		batch.answer(&refusal)
		p.send(1)
		p.a.now = p.a.now.Add(relayRest - 1)
		p.a.rest()
		if len(p.a.relays) != 0 {
			t.Fatalf("%v: it does not rest", refusal.Reason)
		}
		if p.left() != 3 {
			t.Fatalf("%v: %d rows are left, want 3", refusal.Reason, p.left())
		}
		p.a.now = p.a.now.Add(1)
		p.a.rest()
		p.wants(1, 3)
		p.arrives()
		p.got()
	}
	p := newPair(t, openStore(t), 1)
	p.a.full = true
	p.send(1)
	p.a.full = false
	p.a.now = p.a.now.Add(TickInterval)
	p.a.rest()
	p.wants(1, 1)
	p.arrives()
	p.got()
}

// TestTrimFollowsTheTarget: rows stay until the target says that it has them, are
// then deleted by a few commands for many batches, and by another one if the
// first was lost.
func TestTrimFollowsTheTarget(t *testing.T) {
	p := newPair(t, openStore(t), 1)
	p.send(2)
	p.a.now = p.a.now.Add(2 * trimInterval)
	p.a.rest()
	batch := p.takeBatch()
	result := p.land(batch)
	if p.left() != 2 {
		t.Fatalf("%d rows are left before the target's answer", p.left())
	}
	batch.answer(&result)
	if len(p.a.proposed) != 1 {
		t.Fatalf("%d commands after the first batch", len(p.a.proposed))
	}
	p.a.proposed = nil // It is lost.
	p.send(3)
	p.arrives()
	p.send(4)
	p.arrives()
	p.a.rest()
	if p.left() != 9 {
		t.Fatalf("%d rows are left: trimmed again at once", p.left())
	}
	if sum := p.a.duty.RelayBacklog(); sum.Rows != 9 || sum.Bytes == 0 || sum.Fullest != 9.0/fsm.MaxRelayRows {
		t.Fatalf("the backlog is %+v", sum)
	}
	p.a.now = p.a.now.Add(trimInterval)
	p.a.rest()
	if p.left() != 0 {
		t.Fatalf("%d rows are left", p.left())
	}
	if sum := p.a.duty.RelayBacklog(); sum != (RelayBacklog{}) {
		t.Fatalf("the backlog is %+v", sum)
	}
	p.send(1)
	p.arrives()
	p.got()
}

// TestMuchIsTrimmedAtOnce, or a busy relay would be full of what has arrived.
func TestMuchIsTrimmedAtOnce(t *testing.T) {
	p := newPair(t, openStore(t), 1)
	p.send(1)
	p.arrives()
	p.a.rest()
	for range trimRows / command.MaxEmits {
		p.send(command.MaxEmits)
	}
	for len(p.a.relays) > 0 {
		p.arrives()
	}
	p.a.rest()
	if p.left() != 0 {
		t.Fatalf("%d rows are left", p.left())
	}
}

// TestRelayOutlivesItsLeader: the next leader sends again what was on its way;
// it is applied once whichever comes first, and the former leader's answer and
// trim mean nothing any more.
func TestRelayOutlivesItsLeader(t *testing.T) {
	for _, formerFirst := range []bool{true, false} {
		p := newPair(t, openStore(t), 1)
		p.send(2)
		former := p.takeBatch()
		p.a.duty.Resign()
		p.a.lead()
		p.send(1)
		p.wants(1, 2)
		if formerFirst {
			result := p.land(former)
			former.answer(&result)
			p.wants(1, 2)
			p.arrives()
		} else {
			p.arrives()
			result := p.land(former)
			former.answer(&result)
		}
		p.wants(3, 1)
		trim := &command.RelayTrim{Generation: 1, Target: 1, Through: 2}
		p.a.proposed = nil
		p.a.do(trim)
		if p.left() != 3 {
			t.Fatalf("%d rows are left after a former leader's trim", p.left())
		}
		p.arrives()
		p.got()
	}
}

// TestAnswersOfNoSense delete nothing, and are asked again.
func TestAnswersOfNoSense(t *testing.T) {
	p := newPair(t, openStore(t), 1)
	p.send(2)
	p.takeBatch().answer(&command.Result{Offset: 7})
	p.a.rest()
	if p.left() != 2 || len(p.a.relays) != 0 {
		t.Fatalf("%d rows are left, %d batches on their way", p.left(), len(p.a.relays))
	}
	p.a.now = p.a.now.Add(relayRest)
	p.a.rest()
	p.wants(1, 2)
	p.arrives()
	p.got()
}

// TestRelaysArrive: whatever is lost, refused or late, and whoever leads, what
// was sent arrives once and in order, one batch at a time, and nothing is left.
func TestRelaysArrive(t *testing.T) {
	store, group := openStore(t), uint32(1)
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t, store, group)
		group += 2
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			p.step(t)
			if len(p.a.relays) > 1 {
				t.Fatalf("%d batches are on their way", len(p.a.relays))
			}
		}
		for range 3 {
			p.a.now = p.a.now.Add(max(relayRest, trimInterval))
			p.a.rest()
			for len(p.a.relays) > 0 {
				p.arrives()
			}
		}
		p.a.rest()
		if p.left() != 0 {
			t.Fatalf("%d rows are left", p.left())
		}
		p.got()
	})
}

// step is one thing that may happen to a pair.
func (p *pair) step(t *rapid.T) {
	step := rapid.SampledFrom([]string{"send", "send", "arrive", "arrive", "lose", "unheard", "late", "lead", "time"}).Draw(t, "step")
	switch {
	case step == "send":
		p.send(rapid.IntRange(1, 5).Draw(t, "emits"))
	case step == "arrive" && len(p.a.relays) > 0:
		p.arrives()
	case step == "lose" && len(p.a.relays) > 0:
		batch := p.takeBatch()
		p.late = append(p.late, batch)
		batch.answer(&command.Result{Reason: command.OutcomeUnknown})
	case step == "unheard" && len(p.a.relays) > 0:
		batch := p.takeBatch()
		p.land(batch)
		batch.answer(&command.Result{Reason: command.OutcomeUnknown})
	case step == "late" && len(p.late) > 0:
		p.land(rapid.SampledFrom(p.late).Draw(t, "batch"))
	case step == "lead":
		p.late = append(p.late, p.a.relays...)
		p.a.relays = nil
		p.a.duty.Resign()
		p.a.lead()
	case step == "time":
		p.a.now = p.a.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "elapsed")) * time.Millisecond)
		p.a.rest()
	}
}
