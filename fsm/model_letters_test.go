package fsm

import (
	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// data is what the next worker gets.
func (e *modelEvent) data() string {
	if e.edited != "" {
		return e.edited
	}
	return string(e.fields.Payload.Bytes)
}

// over tells whether the event's time to live is over.
func (e *modelStored) over(nowMS int64) bool { return e.endMS != 0 && nowMS >= e.endMS }

// onceKey names a request about a dead letter.
type onceKey struct {
	what, once, group string
	event             *modelStored
}

// drawLetter picks an event, mostly a dead one.
func (m *model) drawLetter() *modelEvent {
	var letters []*modelEvent
	for _, e := range m.everywhere() {
		if e.state == dead {
			letters = append(letters, e)
		}
	}
	if len(letters) > 0 && rapid.IntRange(0, 4).Draw(m.t, "any event") > 0 {
		return rapid.SampledFrom(letters).Draw(m.t, "letter")
	}
	return rapid.SampledFrom(m.everywhere()).Draw(m.t, "event")
}

// sentBefore tells whether a request took effect before, under its name.
func (m *model) sentBefore(e *modelEvent, what, once, group string) bool {
	at, sent := m.once[onceKey{what, once, group, e.modelStored}]
	return once != "" && sent && m.nowMS-at <= DedupeWindowMS && e.id.Queue != 0
}

// expectLetter says what a request about a dead letter must be answered, and
// whether it takes effect.
func (m *model) expectLetter(e *modelEvent, what, once, group string) bool {
	key := onceKey{what, once, group, e.modelStored}
	again := m.sentBefore(e, what, once, group)
	holds := !again && e.state == dead && e.id.Queue != 0
	if holds && once != "" {
		m.once[key] = m.nowMS
	}
	m.expect = append(m.expect, func(r *command.Result) {
		switch {
		case again || holds:
			m.must(r.Reason == command.Done && r.Duplicate == again && r.Event == e.id, "%s of %v: %+v", what, e.id, r)
		default:
			m.must(r.Reason == command.NotFound, "%s of %v, which is %s: %+v", what, e.id, e.state, r)
		}
	})
	return holds
}

func (m *model) drawRedrive() *command.Redrive {
	e := m.drawLetter()
	c := &command.Redrive{
		Tenant: e.fields.Tenant, Event: e.id, Group: m.drawGroupOf(e),
		Once: rapid.SampledFrom([]string{"", "r", "s"}).Draw(m.t, "once"), Edited: rapid.Bool().Draw(m.t, "edited"),
	}
	if c.Edited {
		c.Payload = command.Payload{Codec: command.CodecJSON, Bytes: []byte(rapid.SampledFrom([]string{"7", "8"}).Draw(m.t, "data"))}
	}
	if e.state == dead && e.over(m.nowMS) && !m.sentBefore(e, "redrive", c.Once, c.Group) {
		m.expect = append(m.expect, func(r *command.Result) {
			m.must(r.Reason == command.BadRequest, "redrive of %v, which has lapsed: %+v", e.id, r)
		})
		return c
	}
	if e.state == dead && e.id.Queue != 0 && m.canceled[e.lineage()] && !m.sentBefore(e, "redrive", c.Once, c.Group) {
		m.expect = append(m.expect, func(r *command.Result) {
			m.must(r.Reason == command.BadRequest, "redrive of %v in a canceled lineage: %+v", e.id, r)
		})
		return c
	}
	if m.expectLetter(e, "redrive", c.Once, c.Group) {
		e.state, e.failures, e.holds = waiting, 0, false
		if c.Edited {
			e.edited = string(c.Payload.Bytes)
		}
	}
	return c
}

func (m *model) drawDiscard() *command.Discard {
	e := m.drawLetter()
	c := &command.Discard{Tenant: e.fields.Tenant, Event: e.id, Group: m.drawGroupOf(e), Once: rapid.SampledFrom([]string{"", "r"}).Draw(m.t, "once")}
	if m.expectLetter(e, "discard", c.Once, c.Group) {
		e.state = discarded
	}
	return c
}

// checkLetters pages over the dead letters of each tenant, and finds the dead
// events in the order in which they were stored.
func (m *model) checkLetters(view *storage.View) {
	for _, tenant := range []string{"t", "u", "v"} {
		channel := rapid.SampledFrom([]string{"", "a", "b"}).Draw(m.t, "letters of")
		var want []*modelEvent
		for _, e := range m.byPosition() {
			if e.state == dead && e.fields.Tenant == tenant && (channel == "" || channel == e.fields.Channel) {
				want = append(want, e)
			}
		}
		query := LetterQuery{Tenant: tenant, Channel: channel, Limit: rapid.IntRange(1, 3).Draw(m.t, "limit")}
		for more := true; more; {
			page, err := ReadDeadLetters(view, &query)
			check(m.t, err)
			m.must(len(page.Letters) <= query.Limit, "%d letters on a page of %d", len(page.Letters), query.Limit)
			m.must(!page.More || page.Next.compare(query.After) > 0, "a page that leads nowhere: %+v", page.Next)
			for i := range page.Letters {
				m.must(len(want) > 0 && page.Letters[i].EventID == want[0].id.String() && page.Letters[i].Group == want[0].group, "%v is not the next dead letter", page.Letters[i].EventID)
				m.must(page.Letters[i].Bytes == len(want[0].data()), "the data of letter %v", want[0].id)
				want = want[1:]
			}
			query.After, more = page.Next, page.More
		}
		m.must(len(want) == 0, "%d dead letters of %s are not listed", len(want), tenant)
	}
}
