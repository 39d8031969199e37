package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// socket is a StreamSink that writes down what it is given.
type socket struct{ got []string }

// Attached implements StreamSink.
func (s *socket) Attached(state StreamState) {
	s.add("attached, head %d oldest %d resumed %d, %v", state.Head, state.Oldest, state.Resumed, state.Reason)
}

// Notification implements StreamSink.
func (s *socket) Notification(n *command.Notification, redelivered bool) {
	s.add("notify %d%s", n.Seq, map[bool]string{true: " again"}[redelivered])
}

// Gap implements StreamSink.
func (s *socket) Gap(from, to uint64, reason string) { s.add("gap %d to %d, %s", from, to, reason) }

// Synced implements StreamSink.
func (s *socket) Synced(seq uint64) { s.add("synced %d", seq) }

func (s *socket) add(format string, args ...any) { s.got = append(s.got, fmt.Sprintf(format, args...)) }

func (s *socket) hears(tb tester, want ...string) {
	tb.Helper()
	got := s.got
	s.got = nil
	if !slices.Equal(got, want) {
		tb.Fatalf("the socket got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// attach attaches a socket to a stream of a cluster of one partition.
func (e *edge) attach(spec StreamSpec) (*courier, *socket) {
	s := &socket{}
	spec.Tenant, spec.ClientID, spec.Window = "t", "ann", 10
	return e.Attach(spec, s).(*courier), s
}

func notification(seq uint64) func([]byte) []byte {
	return func(b []byte) []byte {
		return command.AppendNotification(command.AppendBool(b, false), &command.Notification{Seq: seq})
	}
}

func opens(head, oldest, next, resumed uint64) func([]byte) []byte {
	return uints(head, oldest, next, resumed)
}

// TestCourierFollowsLeaders: a new leader is told where the socket is, and what it
// says again is not said to the socket again.
func TestCourierFollowsLeaders(t *testing.T) {
	e := newEdge(1)
	c, s := e.attach(StreamSpec{Resume: ResumeSeq, Seq: 4, Hold: true})
	e.hears(t)
	e.lead("n2", 0, 1)
	e.hears(t, "n2: attach, partition 0 of 1, from 1 seq 4 acked 4 again false synced false hold true")
	e.push(frameAttached, 0, 1, c.id, opens(7, 3, 5, 1))
	c.Ready()
	for seq := uint64(5); seq <= 7; seq++ {
		e.push(frameNotify, 0, 1, c.id, notification(seq))
	}
	e.push(frameSynced, 0, 1, c.id, uints(7))
	s.hears(t, "attached, head 7 oldest 3 resumed 1, done", "notify 5", "notify 6", "notify 7", "synced 7")
	c.Ack(6, nil)
	e.hears(t, "n2: ready, partition 0 of 1", "n2: acked, partition 0 of 1, 6", "n2: lazy, partition 0 of 1")
	e.lead("n3", 0, 2)
	e.hears(t, "n3: attach, partition 0 of 2, from 1 seq 7 acked 6 again true synced true hold false")
	e.push(frameNotify, 0, 1, c.id, notification(8)) // The former leader has nothing to say any more.
	e.push(frameNotify, 0, 2, c.id, notification(7))
	e.push(frameNotify, 0, 2, c.id, notification(8))
	e.push(frameSynced, 0, 2, c.id, uints(8))
	s.hears(t, "notify 8")
	c.Close()
	e.hears(t, "n3: detach, partition 0 of 2")
	e.push(frameNotify, 0, 2, c.id, notification(9))
	s.hears(t)
	e.hears(t, "n3: detach, partition 0 of 2") // That had not reached it, it seems.
	e.lead("n2", 0, 3)
	e.hears(t)
}

// TestCourierOfAnEarlierGeneration: who learns late of a leader that is no more
// does not attach there.
func TestCourierOfAnEarlierGeneration(t *testing.T) {
	e := newEdge(1)
	c, s := e.attach(StreamSpec{})
	e.lead("n2", 0, 2)
	c.begin(2)
	c.register(0, 1)
	c.register(1, 3)
	e.hears(t, "n2: attach, partition 0 of 2, from 0 seq 0 acked 0 again false synced false hold false")
	e.push(frameAttached, 0, 2, c.id, opens(0, 1, 1, 0))
	s.hears(t, "attached, head 0 oldest 1 resumed 0, done")
}

// TestCourierAttachesWhileALeaderIsFollowed: a socket that attaches after a leader's
// registrations went out, and before requests flow, is attached too.
func TestCourierAttachesWhileALeaderIsFollowed(t *testing.T) {
	e := newEdge(1)
	e.laneOf(0).lead("n2", 1) // As learnLeader does; follow has gone through the others already.
	e.attach(StreamSpec{})
	e.hears(t, "n2: attach, partition 0 of 1, from 0 seq 0 acked 0 again false synced false hold false")
}

// TestAGapNeedsNoAck: a gap moves the window along, at the next leader too: the
// socket acknowledges what it has, which is before the gap.
func TestAGapNeedsNoAck(t *testing.T) {
	e := newEdge(1)
	c, s := e.attach(StreamSpec{})
	e.lead("n2", 0, 1)
	e.push(frameAttached, 0, 1, c.id, opens(50, 1, 1, 0))
	e.push(frameNotify, 0, 1, c.id, notification(1))
	e.push(frameGap, 0, 1, c.id, uints(2, 40), text("trimmed"))
	c.Ack(1, nil)
	s.hears(t, "attached, head 50 oldest 1 resumed 0, done", "notify 1", "gap 2 to 40, trimmed")
	e.links.take()
	e.lead("n3", 0, 2)
	e.hears(t, "n3: attach, partition 0 of 2, from 1 seq 40 acked 40 again true synced false hold false")
}

// TestGapsAreSaidOnce: what comes before the stream's beginning is said although it
// is before it; what was said already is not said again, only what goes on.
func TestGapsAreSaidOnce(t *testing.T) {
	e := newEdge(1)
	c, s := e.attach(StreamSpec{Resume: ResumeSeq, Seq: 2})
	e.lead("n2", 0, 1)
	e.push(frameAttached, 0, 1, c.id, opens(30, 11, 11, 2))
	e.push(frameGap, 0, 1, c.id, uints(3, 10), text("trimmed"))
	e.push(frameGap, 0, 1, c.id, uints(3, 10), text("trimmed"))
	e.push(frameGap, 0, 1, c.id, uints(11, 14), text("trimmed"))
	e.push(frameGap, 0, 1, c.id, uints(11, 15), text("trimmed"))
	e.push(frameGap, 0, 1, c.id, uints(16))
	e.push(frameNotify, 0, 1, c.id, notification(15))
	e.push(frameNotify, 0, 1, c.id, notification(16))
	e.push(frameNotify, 0, 1, c.id)
	s.hears(t, "attached, head 30 oldest 11 resumed 2, done", "gap 3 to 10, trimmed", "gap 11 to 14, trimmed", "gap 15 to 15, trimmed", "notify 16")
}

// TestAGapOfAnotherEpoch is said even where nothing is missing.
func TestAGapOfAnotherEpoch(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	c, s := e.attach(StreamSpec{Resume: ResumeSeq, Seq: 9, Epoch: "another"})
	e.push(frameAttached, 0, 1, c.id, opens(0, 1, 1, 2))
	e.push(frameGap, 0, 1, c.id, uints(1, 0), text("epoch"))
	e.push(frameNotify, 0, 1, c.id, notification(1))
	s.hears(t, "attached, head 0 oldest 1 resumed 2, done", "gap 1 to 0, epoch", "notify 1")
}

// TestCourierOutlivesAFullLink: what a leader could not be told is made good by
// attaching anew.
func TestCourierOutlivesAFullLink(t *testing.T) {
	for _, kind := range []frameKind{frameAttach, frameAcked, frameStreamReady} {
		e := newEdge(1)
		e.links.fails, e.links.failing = transport.ErrLinkFull, []frameKind{kind}
		e.lead("n2", 0, 1)
		c, _ := e.attach(StreamSpec{Hold: true})
		e.push(frameAttached, 0, 1, c.id, opens(3, 1, 1, 0))
		c.Ready()
		e.push(frameNotify, 0, 1, c.id, notification(1))
		c.Ack(1, nil)
		e.links.fails = nil
		e.links.take()
		c.tick(c.cluster.clock(time.Now()))
		e.hears(t, "n2: attach, partition 0 of 1, from 1 seq 1 acked 1 again true synced false hold false")
		c.tick(c.cluster.clock(time.Now()))
		e.hears(t)
	}
}

// TestAttachTimesOut: a socket that no leader attached within AnswerTimeout is told
// so, once, and nothing after that.
func TestAttachTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		c, s := e.attach(StreamSpec{})
		time.Sleep(AnswerTimeout)
		c.tick(c.cluster.clock(time.Now()))
		s.hears(t)
		time.Sleep(time.Millisecond)
		c.tick(c.cluster.clock(time.Now()))
		c.tick(c.cluster.clock(time.Now()))
		s.hears(t, "attached, head 0 oldest 0 resumed 0, "+command.NoLeader.String())
		e.lead("n2", 0, 1)
		e.push(frameAttached, 0, 1, c.id, opens(0, 1, 1, 0))
		e.push(frameNotify, 0, 1, c.id, notification(1))
		s.hears(t)
		e.hears(t)
	})
}

// TestStreamHasNoHolesAndNothingTwice plays leaders that come and go, know the
// whole stream, and say it from where the courier says its socket is.
//
//nolint:revive // A model and its actions stand in one place.
func TestStreamHasNoHolesAndNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEdge(1)
		c, s := e.attach(StreamSpec{})
		const head = 30
		generation, next, synced := uint64(0), uint64(1), false
		oldest := uint64(1)
		say := func(seq uint64) {
			if seq < oldest {
				e.push(frameGap, 0, generation, c.id, uints(seq, oldest-1), text("trimmed"))
				next = oldest
				return
			}
			e.push(frameNotify, 0, generation, c.id, notification(seq))
			next = seq + 1
		}
		lead := func(*rapid.T) {
			generation++
			e.lead("n2", 0, generation)
			for _, sent := range e.links.take() {
				f := readFrame(sent.data)
				if f.kind != frameAttach {
					continue
				}
				a := readAttachment(&f, "n1")
				if synced = a.Synced; a.Again {
					next = a.Seq + 1
				} else {
					e.push(frameAttached, 0, generation, c.id, opens(head, oldest, next, 0))
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"lead": lead,
			"say": func(t *rapid.T) {
				for range rapid.IntRange(1, 9).Draw(t, "count") {
					if generation > 0 && next <= head {
						say(next)
					}
				}
				if generation > 0 && next > head && !synced {
					e.push(frameSynced, 0, generation, c.id, uints(head))
					synced = true
				}
			},
			"late": func(t *rapid.T) { // What a former leader said comes late.
				if generation > 1 {
					e.push(frameNotify, 0, generation-1, c.id, notification(rapid.Uint64Range(1, head).Draw(t, "seq")))
				}
			},
			"trim": func(t *rapid.T) { oldest = rapid.Uint64Range(oldest, head).Draw(t, "oldest") },
			"ack": func(t *rapid.T) {
				if next > 1 {
					c.Ack(next-1, nil)
				}
			},
		})
		at, count := uint64(1), map[string]int{}
		for _, line := range s.got {
			var from, to uint64
			kind, _, _ := strings.Cut(line, " ")
			switch strings.TrimSuffix(kind, ",") {
			case "notify":
				_, err := fmt.Sscanf(line, "notify %d", &from)
				check(t, err)
				to = from
			case "gap":
				_, err := fmt.Sscanf(line, "gap %d to %d", &from, &to)
				check(t, err)
			default:
				if count[kind]++; count[kind] > 1 {
					t.Fatalf("%q is said twice", line)
				}
				continue
			}
			if from != at {
				t.Fatalf("%q where %d comes next", line, at)
			}
			at = to + 1
		}
		if generation > 0 && at != next {
			t.Fatalf("the socket is at %d, its leader at %d", at, next)
		}
	})
}

// TestAttachBeforeTheCluster: a socket may be older than the partitions, one of
// which its stream lives in.
func TestAttachBeforeTheCluster(t *testing.T) {
	e := newEdge(8)
	formation, lanes := e.formation.Swap(nil), e.lanes.Swap(nil)
	c, s := e.attach(StreamSpec{})
	e.formation.Store(formation)
	e.lanes.Store(lanes)
	home := command.PartitionOf(command.SlotOf("t", "ann"), 8)
	if home == 0 {
		t.Fatal("the client's stream has to live elsewhere than where everything begins")
	}
	e.lead("n2", 0, 1)
	e.lead("n2", home, 1)
	e.push(frameAttached, home, 1, c.id, opens(0, 1, 1, 0))
	s.hears(t, "attached, head 0 oldest 1 resumed 0, done")
}
