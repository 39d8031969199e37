package fsm

import (
	"encoding/json"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

type (
	modelLineage struct{ tenant, correlation string }
	modelClient  struct{ tenant, id string }
)

// correlation is the event's resolved one; its own is known when its id is.
func (e *modelStored) correlation() string {
	if e.fields.CorrelationID != "" {
		return e.fields.CorrelationID
	}
	return e.id.String()
}

func (e *modelStored) lineage() modelLineage { return modelLineage{e.fields.Tenant, e.correlation()} }

func (e *modelStored) client() modelClient { return modelClient{e.fields.Tenant, e.fields.ClientID} }

// open tells whether the event has not ended; old ones are not counted.
func (e *modelEvent) open() bool {
	return !e.old && (e.state == waiting || e.state == delayed || e.state == leased || e.state == parked)
}

// drawCorrelation is a name, the id of an event that is there or may come, or none.
func (m *model) drawCorrelation() string {
	if len(m.events) > 0 && rapid.IntRange(0, 3).Draw(m.t, "follows") == 0 {
		if e := rapid.SampledFrom(m.events).Draw(m.t, "correlation"); e.id.Queue != 0 {
			foreseen := e.id
			if foreseen.Position = m.position + rapid.Uint64Range(0, 3).Draw(m.t, "foreseen"); foreseen.Position > m.position {
				return foreseen.String()
			}
			return e.correlation()
		}
	}
	return rapid.SampledFrom([]string{"", "", "story"}).Draw(m.t, "correlation")
}

// unfinished is how much of a client's is open: for sure, and at most, since what
// has lapsed counts until its turn to be set aside comes.
func (m *model) unfinished(tenant, client string) (sure, most uint64) {
	for _, e := range m.everywhere() {
		if e.client() != (modelClient{tenant, client}) || e.old {
			continue
		}
		if e.open() && (e.state == leased || e.state == parked || !e.over(m.nowMS)) {
			sure++
		}
		if e.open() || e.state == lapsed {
			most++
		}
	}
	return sure, most
}

// weight is how many bytes of a tenant's are open: for sure, and at most.
func (m *model) weight(tenant string) (sure, most uint64) {
	for _, e := range m.everywhere() {
		size := uint64(len(e.fields.Payload.Bytes))
		if e.fields.Tenant != tenant || e.old {
			continue
		}
		if e.open() && (e.state == leased || e.state == parked || !e.over(m.nowMS)) {
			sure += size
		}
		if e.open() || e.state == lapsed {
			most += size
		}
	}
	return sure, most
}

// drawBytes is a limit of bytes whose effect is certain.
func (m *model) drawBytes(tenant string) uint64 {
	limit := rapid.SampledFrom([]uint64{0, 0, 1, 5, 20}).Draw(m.t, "bytes")
	if sure, most := m.weight(tenant); sure < limit && limit <= most {
		return 0
	}
	return limit
}

// drawLimit is a limit whose effect is certain.
func (m *model) drawLimit(e *command.Event) uint64 {
	limit := rapid.SampledFrom([]uint64{0, 0, 1, 3, 6}).Draw(m.t, "limit")
	if sure, most := m.unfinished(e.Tenant, e.ClientID); sure < limit && limit <= most {
		return 0
	}
	return limit
}

func (m *model) drawCancelLineage() *command.CancelLineage {
	of := rapid.SampledFrom(m.events).Draw(m.t, "of")
	c := &command.CancelLineage{
		Tenant: of.fields.Tenant, CorrelationID: of.correlation(), Reason: "asked",
		GraceMS: rapid.SampledFrom([]uint64{0, 300, 300_000}).Draw(m.t, "grace"),
	}
	if id, named := command.ParseEventID(of.correlation()); of.id.Queue == 0 && of.fields.CorrelationID == "" || named == nil && !m.stands(id) {
		c.CorrelationID = "unknown"
		m.expect = append(m.expect, func(r *command.Result) { m.must(r.Reason == command.NotFound, "unknown: %+v", r) })
		return c
	}
	m.accept()
	m.canceled[of.lineage()] = true
	for _, e := range m.events {
		if e.lineage() == of.lineage() {
			m.cancel(e, c.GraceMS)
		}
	}
	return c
}

// stands tells whether there is an event of an id: whether what comes under it is
// canceled, the model would not know in time.
func (m *model) stands(id command.EventID) bool {
	return slices.ContainsFunc(m.events, func(e *modelEvent) bool { return e.id == id })
}

// closeLineages forgets the cancels of lineages that have ended with the entry.
func (m *model) closeLineages() {
	for lineage := range m.canceled {
		if !slices.ContainsFunc(m.everywhere(), func(e *modelEvent) bool { return e.open() && e.lineage() == lineage }) {
			delete(m.canceled, lineage)
		}
	}
}

// checkEnds takes note of who was told of an end, and wants it to have asked.
func (m *model) checkEnds(out *Outcome) {
	for i := range out.Notified {
		n := &out.Notified[i]
		if n.Notification.Name != "end" {
			continue
		}
		m.heads[modelClient{n.Tenant, n.ClientID}]++
		var news endNews
		check(m.t, json.Unmarshal(n.Notification.Payload.Bytes, &news))
		at := slices.IndexFunc(m.wishes, func(e *modelEvent) bool { return e.id == n.Notification.Event })
		m.must(at >= 0, "told of an end that nobody asked for, or twice: %+v", news)
		wish := m.wishes[at]
		m.must(n.ClientID == wish.fields.ClientID && news.CorrelationID == wish.correlation() && news.EventID == wish.id.String(),
			"%+v to %s, asked was %+v", news, n.ClientID, wish.fields)
		m.checkEnd(wish, news.State)
		m.wishes = slices.Delete(m.wishes, at, at+1)
	}
}

// checkEnd holds the state in which a lineage is said to have ended against those
// of the event that is told: others may be of an earlier life of the lineage.
func (m *model) checkEnd(wish *modelEvent, state string) {
	all := make(map[modelState]bool)
	for _, e := range m.everywhere() {
		if e.lineage() != wish.lineage() || e.old {
			continue
		}
		m.must(!e.open(), "%v is %s, and its lineage has ended", e.id, e.state)
		if e.id == wish.id {
			all[e.state] = true
		}
	}
	switch {
	case len(all) == 0: // Nobody works on it.
	case len(all) == 1 && all[completed]: // Another may not be.
	default:
		m.must(state != LineageCompleted, "%v, and the lineage %s", all, state)
	}
}

// checkWishes wants whoever was not told of an end to have something open.
func (m *model) checkWishes(open *counts) {
	for _, e := range m.wishes {
		m.must(open.lineages[lineageText(e.fields.Tenant, (&counters{}).lineageID(0, e.correlation()).of)] > 0, "nothing is open of %v, and nobody was told", e.lineage())
	}
}

// counts are what is open, found out from the rows of all events.
type counts struct {
	lineages, clients map[string]uint64
}

func lineageText(tenant string, of digest) string { return fmt.Sprintf("%s/%x", tenant, of) }

// recount goes over all events in all groups.
func recount(t tester, view *storage.View) *counts {
	t.Helper()
	l := &lineageReader{view: view, names: newNameReader(view), queues: make(map[uint32]queueRow), groups: make(map[uint32][]uint32)}
	value, _, err := view.Get(keyCounters(nil))
	check(t, err)
	l.counters.read(value)
	open := &counts{lineages: make(map[string]uint64), clients: make(map[string]uint64)}
	check(t, view.Scan([]byte{kindEvent}, after([]byte{kindEvent}), func(key, value []byte) (bool, error) {
		id := command.EventID{Epoch: l.counters.epoch, Partition: l.counters.number(), Queue: u32At(key, 1), Position: u64At(key, 5)}
		q, err := l.queue(id.Queue)
		check(t, err)
		tenant := l.names.text(nameTenant, q.tenant)
		e := readEvent(slices.Clone(value), id, "", tenant)
		for _, group := range l.groups[q.channel] {
			if l.begun[groupName{q.channel, group}].born > id.Position || !l.unended(t, jobKey{group, id.Queue, id.Position}) {
				continue
			}
			open.lineages[lineageText(tenant, l.counters.lineageID(0, e.correlationID()).of)]++
			if e.ClientID != "" {
				open.clients[tenant+"/"+e.ClientID]++
			}
			if size := len(e.Payload.Bytes); size > 0 {
				open.clients[tenant+"/"] += uint64(size)
			}
		}
		return true, nil
	}))
	return open
}

// unended tells from its rows whether an event has not ended in a group.
func (l *lineageReader) unended(t tester, key jobKey) bool {
	t.Helper()
	get := func(key []byte) []byte {
		value, _, err := l.view.Get(key)
		check(t, err)
		return slices.Clone(value)
	}
	var j jobRow
	if parked := get(keyJob(nil, kindParked, key)); parked != nil {
		j.read(parked)
		return j.state == jobDelayed || j.state == jobBlocked || j.state == jobLimited || j.state == jobParked || j.state == jobRuns || j.state == jobHeld
	}
	var c cursorRow
	if row := get(keyCursor(nil, key.group, key.queue)); row != nil {
		c.read(row)
	}
	return key.position >= c.frontier || get(keyJob(nil, kindActive, key)) != nil
}

// check wants the counts that are kept to be those, and rows only where something
// is open.
func (c *counts) check(t tester, view *storage.View) {
	t.Helper()
	names := newNameReader(view)
	kept := &counts{lineages: make(map[string]uint64), clients: make(map[string]uint64)}
	canceled := 0
	check(t, view.Scan([]byte{kindOpen}, after([]byte{kindOpen}), func(key, value []byte) (bool, error) {
		if u32At(key, 1) == 0 {
			canceled++
			_, found, err := view.Get(append([]byte{kindOpen}, key[5:]...))
			if check(t, err); !found {
				t.Fatalf("a lineage is canceled that is not open")
			}
			return true, nil
		}
		var row lineageRow
		row.read(value)
		if row.open > 0 {
			kept.lineages[lineageText(names.text(nameTenant, u32At(key, 1)), digest(key[5:]))] = row.open
		} else if !row.outstanding() {
			t.Fatalf("a lineage has a row, and nothing is open: %+v", row)
		}
		return true, nil
	}))
	check(t, view.Scan([]byte{kindUnfinished}, after([]byte{kindUnfinished}), func(key, value []byte) (bool, error) {
		kept.clients[names.text(nameTenant, u32At(key, 1))+"/"+string(key[5:])] = uint64(readCount(value))
		return true, nil
	}))
	if have, want := fmt.Sprint(*kept), fmt.Sprint(*c); have != want {
		t.Fatalf("open are %s, kept is %s", want, have)
	}
}
