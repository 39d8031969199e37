package fsm

import (
	"maps"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// followerKey is a named follower.
type followerKey struct{ tenant, channel, name string }

// drawRare is a command that lives go on without.
func (m *model) drawRare() interface{ Append([]byte) []byte } {
	switch rapid.SampledFrom([]string{"leader", "group", "follower"}).Draw(m.t, "rare command") {
	case "leader":
		return m.drawLeader()
	case "group":
		return m.drawGroup()
	default:
		return m.drawFollower()
	}
}

func (m *model) drawLeader() *command.LeaderStart {
	m.generation++
	m.expect = append(m.expect, func(r *command.Result) {
		m.must(r.Reason == command.Done, "a leader starts: %v", r)
	})
	return firstLeader()
}

// drawFollower begins a named follower, or commits.
func (m *model) drawFollower() *command.CommitFollower {
	c := &command.CommitFollower{
		Tenant:   rapid.SampledFrom([]string{"", "t", "nobody"}).Draw(m.t, "tenant"),
		Channel:  rapid.SampledFrom([]string{"a", "b", "quiet"}).Draw(m.t, "channel"),
		Name:     rapid.SampledFrom([]string{"f", "g"}).Draw(m.t, "name"),
		Position: uint64(rapid.IntRange(0, int(m.position)+1).Draw(m.t, "position")),
		Begin:    command.FollowBegin(rapid.IntRange(0, 2).Draw(m.t, "begin")),
	}
	key := followerKey{c.Tenant, c.Channel, c.Name}
	kept, there := m.names[key]
	to := c.Position
	if c.Begin == command.FollowBeginNew {
		to = m.position
	}
	want := command.Result{Offset: to}
	switch {
	case there && (c.Begin != command.FollowCommit || to <= kept):
		want = command.Result{Duplicate: true, Offset: kept}
	case to > m.position:
		want = command.Result{Reason: command.BadRequest}
	case !there && c.Begin == command.FollowCommit:
		want = command.Result{Reason: command.NotFound}
	default:
		m.names[key] = to
	}
	m.expect = append(m.expect, func(r *command.Result) {
		m.must(r.Reason == want.Reason && r.Duplicate == want.Duplicate && r.Offset == want.Offset, "%+v: %+v, not %+v", c, r, want)
	})
	return c
}

// checkStored holds what a leader is told of new events against those stored: of
// each class once.
func (m *model) checkStored(out *Outcome) {
	told, times := make(map[Stored]bool), make(map[Stored]int)
	for _, s := range out.Stored {
		times[s]++
		m.must(times[s] <= command.MaxPriority+1, "%v is told %d times", s, times[s])
		told[s] = true
	}
	m.must(maps.Equal(told, m.touched), "stored in %v, told %v", m.touched, told)
}

// checkFollowed reads channels as followers do. One directory sees newer and newer
// views, as a leader's does.
func (m *model) checkFollowed(view *storage.View, d *Directory) {
	f := Follow{
		Channel: rapid.SampledFrom([]string{"a", "b", "quiet"}).Draw(m.t, "channel"),
		Tenant:  rapid.SampledFrom([]string{"", "t", "u", "nobody"}).Draw(m.t, "tenant"),
		After:   uint64(rapid.IntRange(0, int(m.position)+1).Draw(m.t, "after")),
		Events:  rapid.IntRange(1, 5).Draw(m.t, "events"),
		Bytes:   rapid.SampledFrom([]int{1, 60, 1 << 20}).Draw(m.t, "bytes"),
	}
	var want []*modelEvent
	for _, e := range m.events {
		if e.fields.Channel == f.Channel && (f.Tenant == "" || f.Tenant == e.fields.Tenant) {
			want = append(want, e)
		}
	}
	m.checkBefore(view, d, &f, want)
	for len(want) > 0 && want[0].id.Position <= f.After {
		want = want[1:]
	}
	for more := true; more; {
		piece, err := d.Read(view, &f)
		check(m.t, err)
		m.must(len(piece.Events) <= f.Events && piece.End == m.position, "%d events up to %d of %d", len(piece.Events), piece.End, m.position)
		m.must(len(piece.Events) > 0 || !piece.More, "a piece of nothing, and more")
		for i := range piece.Events {
			e := &piece.Events[i]
			m.must(len(want) > 0 && e.ID == want[0].id, "%v comes, not the first of %d", e.ID, len(want))
			m.must(e.StoredMS == m.stored[want[0]] && e.Event.Tenant == want[0].fields.Tenant &&
				string(e.Event.Payload.Bytes) == string(want[0].fields.Payload.Bytes), "the fields of %v: %+v", e.ID, e)
			f.After, want = e.ID.Position, want[1:]
		}
		more = piece.More
	}
	m.must(len(want) == 0, "%d events do not come", len(want))
}

// checkBefore looks for the event that a time leads to.
func (m *model) checkBefore(view *storage.View, d *Directory, f *Follow, events []*modelEvent) {
	if len(events) == 0 {
		return
	}
	pick := rapid.SampledFrom(events).Draw(m.t, "event of the time")
	timeMS := m.stored[pick] + int64(rapid.IntRange(-1, 1).Draw(m.t, "beside"))
	position, err := d.Before(view, f.Tenant, f.Channel, timeMS)
	check(m.t, err)
	for _, e := range events {
		m.must((e.id.Position > position) == (m.stored[e] >= timeMS), "from %d begins behind %d: event %v of %d",
			timeMS, position, e.id, m.stored[e])
	}
}
