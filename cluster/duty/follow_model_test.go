package duty

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
)

// reader is a follower as its edge knows it.
type reader struct {
	want Want
	// wanting means that the want was said and not answered.
	wanting bool
}

// published is an event as the model knows it.
type published struct {
	position        uint64
	channel, tenant string
}

// followModel drives the followers of a partition at random.
type followModel struct {
	*world

	t       *rapid.T
	readers map[followerKey]*reader
	events  []published
	// open is rows that were read and not pushed yet, as while entries are applied.
	open []*reading
}

func (m *followModel) draw(t *rapid.T) followerKey {
	return followerKey{rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node"), rapid.Uint64Range(1, 3).Draw(t, "follower")}
}

// end is the last position there is.
func (m *followModel) end() uint64 { return uint64(len(m.events)) }

func (m *followModel) follow(t *rapid.T) {
	key := m.draw(t)
	m.readers[key] = &reader{want: Want{
		Node: key.node, Follower: key.follower,
		Tenant:  rapid.SampledFrom([]string{"", "", "t", "u"}).Draw(t, "tenant"),
		Channel: rapid.SampledFrom([]string{"work", "mail"}).Draw(t, "channel"),
		After:   rapid.Uint64Range(0, m.end()).Draw(t, "after"),
		Events:  rapid.Uint32Range(1, 3).Draw(t, "events"),
	}}
	m.say(key)
}

func (m *followModel) say(key followerKey) {
	r := m.readers[key]
	r.wanting = true
	m.duty.Follow(&r.want)
}

func (m *followModel) wantMore(t *rapid.T) {
	key := m.draw(t)
	if r := m.readers[key]; r != nil && !r.wanting {
		r.want.Events = rapid.Uint32Range(1, 3).Draw(t, "events")
		m.say(key)
	}
}

// missing are the events that a follower is still to get, in order.
func (m *followModel) missing(r *reader) (missing []published) {
	for _, e := range m.events {
		if e.position > r.want.After && e.channel == r.want.Channel && (r.want.Tenant == "" || r.want.Tenant == e.tenant) {
			missing = append(missing, e)
		}
	}
	return missing
}

// feeding checks a piece against what the follower is to get next.
func (m *followModel) hearing(key followerKey, after uint64, piece *fsm.FollowPiece) {
	r := m.readers[key]
	if r == nil || !r.wanting || after != r.want.After || len(piece.Events) == 0 || len(piece.Events) > int(r.want.Events) {
		m.t.Fatalf("%v is %+v, and is pushed %d events behind %d", key, r, len(piece.Events), after)
	}
	r.wanting = false
	missing := m.missing(r)
	for i := range piece.Events {
		if len(missing) <= i || piece.Events[i].ID.Position != missing[i].position {
			m.t.Fatalf("%v is at %d, and is pushed %v; it misses %v", key, r.want.After, piece.Events[i].ID, missing)
		}
	}
	r.want.After = piece.Events[len(piece.Events)-1].ID.Position
}

func (m *followModel) publish(t *rapid.T) {
	var commands []appender
	for range rapid.IntRange(1, 4).Draw(t, "count") {
		e := published{
			position: m.end() + 1, channel: rapid.SampledFrom([]string{"work", "work", "mail"}).Draw(t, "channel"),
			tenant: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "tenant"),
		}
		m.events = append(m.events, e)
		commands = append(commands, publish(e.channel, e.tenant, fmt.Sprint(e.position)))
	}
	m.do(commands...)
}

// look reads rows for whoever is next; show pushes what was read.
func (m *followModel) look(*rapid.T) {
	if len(m.open) > 0 { // One goroutine feeds.
		return
	}
	r := m.duty.nextReading()
	if len(r.followers) > 0 {
		r.read(m.state)
		m.open = append(m.open, &r)
	}
}

func (m *followModel) show(*rapid.T) {
	for _, r := range m.open {
		m.duty.serve(r)
	}
	m.open = nil
}

func (m *followModel) unfollow(t *rapid.T) {
	key := m.draw(t)
	delete(m.readers, key)
	m.duty.Unfollow(key.node, key.follower)
}

// relink drops a node's link and makes it anew.
func (m *followModel) relink(t *rapid.T) {
	node := m.draw(t).node
	m.duty.Forget(node)
	delete(m.deaf, node)
	for _, key := range m.keys() {
		if key.node == node && m.readers[key].wanting {
			m.say(key)
		}
	}
}

func (m *followModel) changeLeader(*rapid.T) {
	m.duty.Resign()
	m.lead()
	for _, key := range m.keys() {
		if m.readers[key].wanting {
			m.say(key)
		}
	}
}

// catchUp has everybody want until nothing is left.
func (m *followModel) catchUp(t *rapid.T) {
	clear(m.deaf)
	m.show(t)
	for range 2 * (m.end() + 2) {
		m.duty.Tick(m.now)
		for m.duty.FeedFollowers() {
			continue
		}
		for _, key := range m.keys() {
			if !m.readers[key].wanting {
				m.say(key)
			}
		}
	}
	for _, key := range m.keys() {
		if missing := m.missing(m.readers[key]); len(missing) > 0 {
			t.Fatalf("%v does not get %v", key, missing)
		}
	}
	if len(m.duty.mu.follow.byKey) != len(m.readers) || len(m.duty.mu.follow.line)+len(m.duty.mu.follow.due)+len(m.duty.mu.follow.stalled) > 0 {
		t.Fatalf("the book is %+v", m.duty.mu.follow)
	}
}

func (m *followModel) keys() []followerKey {
	return slices.SortedFunc(maps.Keys(m.readers), func(a, b followerKey) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.follower, b.follower))
	})
}

// TestFollowersMissNothing: whatever becomes of links and leaders, and whatever is
// stored while rows are read, a follower gets every event of its channel and tenant
// in the order of positions, each once, only for a want, and never more than it
// wanted; and nothing that is stored is left lying.
func TestFollowersMissNothing(t *testing.T) {
	store, group := openStore(t), uint32(0)
	rapid.Check(t, func(t *rapid.T) {
		group++
		m := &followModel{world: openWorld(t, store, group), t: t, readers: make(map[followerKey]*reader)}
		m.fed = m.hearing
		m.lead()
		t.Repeat(map[string]func(*rapid.T){
			"follow": m.follow, "want": m.wantMore, "want more": m.wantMore, "unfollow": m.unfollow, "relink": m.relink,
			"change leader": m.changeLeader, "publish": m.publish, "look": m.look, "show": m.show,
			"feed": func(t *rapid.T) {
				m.look(t)
				m.show(t)
			},
			"deafen": func(t *rapid.T) { m.deaf[m.draw(t).node] = true },
			"hear":   func(*rapid.T) { clear(m.deaf) },
			"tick":   func(*rapid.T) { m.duty.Tick(m.now) },
			"":       func(*rapid.T) {},
		})
		m.catchUp(t)
	})
}

// TestFollowersShareARead: those who are at the same place are fed by one read, and
// each gets as much as it wants.
func TestFollowersShareARead(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "t", "a"), publish("work", "t", "b"))
	for i, events := range []uint32{1, 2, 300} {
		w.duty.Follow(&Want{Node: "n2", Follower: uint64(i), Channel: "work", Events: events})
	}
	if !w.feeding || !w.duty.FeedFollowers() || w.duty.FeedFollowers() {
		t.Fatal("three followers at one place are not fed at once")
	}
	w.hears("n2/0 events after 0: a", "n2/1 events after 0: a b", "n2/2 events after 0: a b")
}

// TestFollowerIsWoken: one who waits is fed by the entry that stores for it, and by
// no other; one who is far behind gets a piece at a time.
func TestFollowerIsWoken(t *testing.T) {
	w := newWorld(t)
	w.duty.Follow(&Want{Node: "n2", Follower: 1, Channel: "work", Tenant: "t", Events: 300})
	w.duty.FeedFollowers()
	w.feeding = false
	w.do(publish("work", "u", "another's"), publish("mail", "t", "elsewhere"))
	if w.feeding || w.duty.FeedFollowers() {
		t.Fatal("a follower is fed for what is not its own")
	}
	w.news(t)
	var commands []appender
	for i := range MaxFollowEvents + 1 {
		commands = append(commands, publish("work", "t", fmt.Sprint(i)))
	}
	count := 0
	w.fed = func(_ followerKey, _ uint64, piece *fsm.FollowPiece) { count = len(piece.Events) }
	w.do(commands...)
	if !w.feeding || !w.duty.FeedFollowers() || count != MaxFollowEvents {
		t.Fatalf("woken %t, %d events", w.feeding, count)
	}
}

// news stores an event for a follower for whom rows were read just before: what is
// pushed is not forgotten because the view was older.
func (w *world) news(t *testing.T) {
	t.Helper()
	w.duty.Follow(&Want{Node: "n2", Follower: 2, Channel: "news", Events: 1})
	r := w.duty.nextReading()
	r.read(w.state)
	w.do(publish("news", "t", "fresh"))
	w.duty.serve(&r)
	w.duty.FeedFollowers()
	w.hears("n2/2 events after 0: fresh")
}
