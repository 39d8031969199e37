package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// heardBack is an asker that keeps its answers.
type heardBack struct {
	answers []status
	body    string
}

func (h *heardBack) answered(how status, body *command.Reader) {
	h.answers, h.body = append(h.answers, how), string(body.Rest())
}

func (h *heardBack) want(tb tester, want ...status) {
	tb.Helper()
	if !slices.Equal(h.answers, want) {
		tb.Fatalf("answers are %v, want %v", h.answers, want)
	}
}

// answer has the leader of partition 0 answer a request.
func (e *edge) answer(generation, seq uint64, how status, body string) {
	b := command.AppendUint(appendFrame(nil, frameAnswer, 1, generation), seq)
	e.Receive("n2", append(append(b, byte(how)), body...))
}

func (e *edge) ask(tb tester, body string) *heardBack {
	tb.Helper()
	h := &heardBack{}
	if !e.laneOf(0).ask(opCommand, 0, []byte(body), h) {
		tb.Fatalf("the lane refuses %q", body)
	}
	return h
}

// TestLaneWaitsForALeader: requests wait in order until there is a leader, and
// each is answered once.
func TestLaneWaitsForALeader(t *testing.T) {
	e := newEdge(1)
	a, b := e.ask(t, "a"), e.ask(t, "b")
	e.hears(t)
	e.lead("n2", 0, 3)
	e.hears(t, "n2: ask, partition 0 of 3, seq 0 op 1 relend false a", "n2: ask, partition 0 of 3, seq 1 op 1 relend false b")
	e.answer(3, 1, statusDone, "B")
	e.answer(3, 1, statusDone, "again")
	e.answer(3, 0, statusDone, "A")
	e.answer(3, 7, statusDone, "nobody's")
	a.want(t, statusDone)
	b.want(t, statusDone)
	if a.body+b.body != "AB" {
		t.Errorf("answers are %q and %q", a.body, b.body)
	}
	e.ask(t, "c")
	e.hears(t, "n2: ask, partition 0 of 3, seq 2 op 1 relend false c")
}

// TestAnswersToAFormerLifeAreNobodys: a node that was killed and is back at once
// finds the same leader, of the same generation, which answers what the node asked
// before. That is not what it asks now.
func TestAnswersToAFormerLifeAreNobodys(t *testing.T) {
	former, now := newEdge(1), newEdge(1)
	for _, e := range []*edge{former, now} {
		lanes := e.newLanes(2)
		e.lanes.Store(&lanes)
		e.lead("n2", 0, 3)
	}
	former.ask(t, "a")
	b := now.ask(t, "b")
	asked := readFrame(former.links.take()[0].data)
	now.answer(3, asked.Uint(), statusDone, "A")
	b.want(t)
	asked = readFrame(now.links.take()[0].data)
	now.answer(3, asked.Uint(), statusDone, "B")
	b.want(t, statusDone)
}

// TestLaneAsksARefusingLeaderAgain: after a refusal nothing more is sent, until
// everything is sent again, in order, a moment later.
func TestLaneAsksARefusingLeaderAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		a, b := e.ask(t, "a"), e.ask(t, "b")
		e.links.take()
		e.answer(1, 0, statusNotLeader, "")
		e.answer(1, 1, statusUnknown, "")
		e.ask(t, "c")
		e.laneOf(0).tick(time.Now().Add(rewindDelay))
		e.hears(t)
		e.laneOf(0).tick(time.Now().Add(rewindDelay + 1))
		e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend false a",
			"n2: ask, partition 0 of 1, seq 1 op 1 relend false b", "n2: ask, partition 0 of 1, seq 2 op 1 relend false c")
		a.want(t)
		b.want(t)
		e.laneOf(0).tick(time.Now().Add(time.Second))
		e.hears(t)
	})
}

// TestLaneFollowsLeaders: a new leader gets everything unanswered in its own
// generation; an older one's refusal stops nothing, and its word is not taken.
func TestLaneFollowsLeaders(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	a := e.ask(t, "a")
	e.links.take()
	e.lead("n3", 0, 2)
	e.hears(t, "n3: ask, partition 0 of 2, seq 0 op 1 relend false a")
	e.answer(1, 0, statusNotLeader, "")
	e.lead("n2", 0, 1)
	e.ask(t, "b")
	e.hears(t, "n3: ask, partition 0 of 2, seq 1 op 1 relend false b")
	e.answer(1, 0, statusDone, "") // The former one had it in the log: that is an answer.
	a.want(t, statusDone)
}

// TestLaneLosesItsLink: nothing is sent while the link is down, and a refusal just
// before does not have the lane try; with the link everything comes again.
func TestLaneLosesItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		e.ask(t, "a")
		e.answer(1, 0, statusNotLeader, "")
		e.links.take()
		e.LinkDown("n3")
		e.LinkDown("n2")
		e.laneOf(0).tick(time.Now().Add(time.Second))
		if _, _, up := e.laneOf(0).current(); up {
			t.Error("the leader is said to be reached over a link that is down")
		}
		e.ask(t, "b")
		e.hears(t)
		e.LinkUp("n2")
		e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend false a", "n2: ask, partition 0 of 1, seq 1 op 1 relend false b")
	})
}

// TestLaneOutlivesAFullLink: what a full link does not take is sent when it does,
// though the link never went down.
func TestLaneOutlivesAFullLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		e.links.fails = transport.ErrLinkFull
		e.ask(t, "a")
		e.ask(t, "b")
		e.links.fails = nil
		e.laneOf(0).tick(time.Now().Add(2 * rewindDelay))
		e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend false a", "n2: ask, partition 0 of 1, seq 1 op 1 relend false b")
	})
}

// TestLaneGivesUp: after AnswerTimeout a request that no leader can have seen was
// certainly not applied, of any other nothing is known; a late answer is nobody's.
func TestLaneGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		sent := e.ask(t, "sent")
		e.links.fails = transport.ErrLinkDown
		failed := e.ask(t, "failed")
		e.LinkDown("n2")
		never := e.ask(t, "never")
		time.Sleep(AnswerTimeout - time.Millisecond)
		later := e.ask(t, "later")
		e.laneOf(0).tick(time.Now())
		sent.want(t)
		time.Sleep(time.Millisecond)
		e.laneOf(0).tick(time.Now())
		sent.want(t, statusUnknown)
		failed.want(t, statusNotLeader)
		never.want(t, statusNotLeader)
		later.want(t)
		e.answer(1, 0, statusDone, "late")
		e.answer(1, 1, statusDone, "late")
		e.laneOf(0).tick(time.Now())
		sent.want(t, statusUnknown)
		failed.want(t, statusNotLeader)
		e.links.fails = nil
		e.links.take()
		e.LinkUp("n2")
		e.hears(t, "n2: ask, partition 0 of 1, seq 3 op 1 relend false later")
	})
}

// TestOverloadedTheSecondTime: a leader that refuses a request as too much says
// nothing of the time before, when the request may have been accepted.
func TestOverloadedTheSecondTime(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	first, second := e.ask(t, "a"), e.ask(t, "b")
	e.answer(1, 0, statusOverloaded, "")
	first.want(t, statusOverloaded)
	e.lead("n3", 0, 2)
	e.answer(2, 1, statusOverloaded, "")
	second.want(t, statusUnknown)
}

// TestLaneIsBounded: what waits for one partition is bounded in bytes, and
// answers make room.
func TestLaneIsBounded(t *testing.T) {
	e := newEdge(1)
	half := make([]byte, MaxLaneBytes/2)
	first := &heardBack{}
	l := e.laneOf(0)
	if !l.ask(opCommand, 0, half, first) || !l.ask(opCommand, 0, half, &heardBack{}) {
		t.Fatal("the lane takes less than it should")
	}
	if l.ask(opCommand, 0, []byte{1}, first) {
		t.Fatal("the lane takes more than it should")
	}
	first.want(t)
	e.answer(1, 0, statusDone, "")
	if !l.ask(opCommand, 0, half, first) || l.ask(opCommand, 0, []byte{1}, first) {
		t.Error("an answer makes room for as much as it answers")
	}
	e.Submit(0, []byte{1}, replies{t, command.Overloaded}, 9)
	e.Submit(1, []byte{1}, replies{t, command.NoLeader}, 9)
}

// replies wants a reason for slot 9.
type replies struct {
	tb   tester
	want command.Reason
}

// Reply implements Replier.
func (r replies) Reply(slot uint64, result *command.Result) {
	r.tb.Helper()
	if slot != 9 || result.Reason != r.want {
		r.tb.Fatalf("slot %d is answered %v, want %v", slot, result.Reason, r.want)
	}
}

// TestCreditIsLentOnce: a request that lends a credit does so with the first frame
// that is sent, not with a second, nor when its subscription registers meanwhile.
func TestCreditIsLentOnce(t *testing.T) {
	e := newEdge(1)
	l := e.laneOf(0)
	ask := func(relend uint64, body string) {
		l.ask(opCommand, relend, []byte(body), &heardBack{})
	}
	ask(1, "a")
	ask(2, "b")
	l.keepCredit(1)
	e.links.fails = transport.ErrLinkDown
	e.lead("n2", 0, 1)
	e.links.fails = nil
	e.LinkUp("n2")
	e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend false a", "n2: ask, partition 0 of 1, seq 1 op 1 relend true b")
	e.LinkUp("n2")
	e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend false a", "n2: ask, partition 0 of 1, seq 1 op 1 relend false b")
}

// TestLaneKeepsOrder: through refusals, lost links and leader changes, a leader
// gets within its generation each request once between two beginnings, in
// order, and none that was answered; in the end all are answered.
func TestLaneKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEdge(1)
		l, now := e.laneOf(0), time.Now()
		var asked []*heardBack
		generation, last := uint64(0), -1
		// received is what the present leader has got and not answered.
		var received []uint64
		receive := func() {
			for _, s := range e.links.take() {
				f := readFrame(s.data)
				seq := f.Uint()
				if f.generation != generation {
					t.Fatalf("a leader of %d gets requests of %d", generation, f.generation)
				}
				if int(seq) <= last { // It begins again: with the first that is not answered.
					for i := range int(seq) {
						asked[i].want(t, statusDone)
					}
					received = nil
				} else {
					for i := last + 1; i < int(seq); i++ {
						asked[i].want(t, statusDone)
					}
				}
				last = int(seq)
				received = append(received, seq)
			}
		}
		reset := func() { last, received = -1, nil }
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) { asked = append(asked, e.ask(t, fmt.Sprint(len(asked)))); receive() },
			"lead": func(*rapid.T) {
				generation++
				reset()
				e.lead("n2", 0, generation)
				receive()
			},
			"down": func(*rapid.T) { e.LinkDown("n2"); reset() },
			"up":   func(*rapid.T) { reset(); e.LinkUp("n2"); receive() },
			"tick": func(*rapid.T) { l.tick(now.Add(time.Second)); receive() },
			"answer": func(t *rapid.T) {
				if len(received) == 0 {
					return
				}
				seq := received[0]
				received = received[1:]
				e.answer(generation, seq, statusDone, "")
			},
			"refuse": func(t *rapid.T) {
				for _, seq := range received {
					e.answer(generation, seq, rapid.SampledFrom([]status{statusNotLeader, statusUnknown}).Draw(t, "how"), "")
				}
				received = nil
			},
		})
		generation++
		reset()
		e.lead("n2", 0, generation)
		receive()
		for _, seq := range received {
			e.answer(generation, seq, statusDone, "")
		}
		for _, h := range asked {
			h.want(t, statusDone)
		}
		if l.mu.bytes != 0 || len(l.mu.asks) != 0 {
			t.Fatalf("the lane keeps %d bytes of %d requests", l.mu.bytes, len(l.mu.asks))
		}
	})
}
