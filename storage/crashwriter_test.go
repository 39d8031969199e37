package storage

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
)

// localNames are the rows of a node's own that the histories write.
var localNames = []string{"formation", "identity", "promise"}

// crashWriter writes a random history into a store, and into its ledger.
type crashWriter struct {
	points *crashPoints
	ledger *ledger
	store  *Store
	states map[uint32]*State
	// appended is which batch wrote an entry of a log.
	appended map[entryOf]int
	term     uint64
	random   *rand.Rand
}

type entryOf struct {
	group uint32
	index uint64
}

func newCrashWriter(p *crashPoints, s *Store) *crashWriter {
	w := &crashWriter{
		points: p, ledger: p.ledger, store: s, states: make(map[uint32]*State), appended: make(map[entryOf]int), term: 1,
		random: rand.New(rand.NewPCG(p.seed, 0)),
	}
	for g := range p.ledger.groups {
		w.states[g] = must(s.OpenState(g))
	}
	return w
}

// step writes one batch, or waits for some.
func (w *crashWriter) step() {
	steps := []struct {
		what   string
		weight int
		do     func(uint32)
	}{
		{"append", 8, w.append},
		{"wait", 4, w.wait},
		{"state batch", 8, w.apply},
		{"truncate front", 3, w.truncateFront},
		{"truncate back", 2, w.truncateBack},
		{"local row", 2, w.setLocal},
		{"install", 1, w.install},
		{"abandoned snapshot", 1, w.abandon},
		{"drop group", 1, w.dropGroup},
	}
	all := 0
	for _, s := range steps {
		all += s.weight
	}
	at := w.random.IntN(all)
	for _, s := range steps {
		if at -= s.weight; at < 0 {
			w.points.doing.Store(s.what)
			s.do(1 + w.random.Uint32N(2))
			return
		}
	}
}

func (w *crashWriter) log(g uint32) *Log { return must(w.store.Log(g)) }

// text is short mostly: Pebble looks for a flipped bit in a torn chunk, which
// takes it the square of the chunk's length.
func (w *crashWriter) text() string {
	size := w.random.IntN(200)
	if w.random.IntN(20) == 0 {
		size = w.random.IntN(4_000)
	}
	return strings.Repeat(string(rune('a'+w.random.IntN(26))), size)
}

// append writes entries without waiting for them.
func (w *crashWriter) append(g uint32) {
	m := w.ledger.groups[g]
	var rows []LogRow
	for range 1 + w.random.IntN(4) {
		next := max(m.last, m.applied.Index) + 1
		value := fmt.Sprintf("%d of term %d %s", next, w.term, w.text())
		rows = append(rows, LogRow{Index: next, Value: []byte(value)})
		if m.first == 0 {
			m.first = next
		}
		m.last, m.log[next] = next, value
	}
	batch := w.ledger.begins()
	for i := range rows {
		w.appended[entryOf{g, rows[i].Index}] = batch
	}
	check(w.points.t, w.log(g).Append(rows))
}

// wait waits for a log's end: with it, everything before it is promised.
func (w *crashWriter) wait(g uint32) {
	last := w.ledger.groups[g].last
	check(w.points.t, w.log(g).WaitDurable(last))
	if last != 0 {
		w.ledger.promise(w.appended[entryOf{g, last}])
	}
}

// apply applies some entries in one transaction, a configuration among them.
func (w *crashWriter) apply(g uint32) {
	m := w.ledger.groups[g]
	if m.applied.Index >= m.last {
		return
	}
	tx := w.states[g].Begin()
	m.applied.Configuration = bytes.Clone(m.applied.Configuration)
	for range 1 + w.random.Uint64N(m.last-m.applied.Index) {
		index := m.applied.Index + 1
		tx.BeginEntry(index, w.term)
		m.applied.Index, m.applied.Term = index, w.term
		if w.random.IntN(5) == 0 {
			m.applied.ConfigurationIndex, m.applied.Configuration = index, fmt.Appendf(nil, "members at %d", index)
			tx.SetConfiguration(index, m.applied.Configuration)
		}
		w.change(tx, m)
		m.applied.Chain = tx.EndEntry()
	}
	w.ledger.begins()
	check(w.points.t, tx.Commit())
}

func (w *crashWriter) change(tx *Tx, m *groupModel) {
	for range w.random.IntN(4) {
		key := fmt.Sprintf("key%02d", w.random.IntN(30))
		switch w.random.IntN(6) {
		case 0:
			check(w.points.t, tx.Delete([]byte(key)))
			delete(m.rows, key)
		case 1:
			to := fmt.Sprintf("key%02d", w.random.IntN(30))
			check(w.points.t, tx.DeleteRange([]byte(key), []byte(to)))
			maps.DeleteFunc(m.rows, func(k, _ string) bool { return k >= key && k < to })
		default:
			m.rows[key] = w.text()
			check(w.points.t, tx.Set([]byte(key), []byte(m.rows[key])))
		}
	}
}

// truncateFront removes what is applied, as a local snapshot does.
func (w *crashWriter) truncateFront(g uint32) {
	m := w.ledger.groups[g]
	to := min(m.applied.Index, m.last)
	if m.first == 0 || to < m.first {
		return
	}
	to = m.first + w.random.Uint64N(to-m.first+1)
	w.deleteRange(g, m.first, to)
}

// truncateBack removes what is not applied, as a conflict with a new leader does.
func (w *crashWriter) truncateBack(g uint32) {
	m := w.ledger.groups[g]
	from := max(m.first, m.applied.Index+1)
	if m.first == 0 || from > m.last {
		return
	}
	w.deleteRange(g, from+w.random.Uint64N(m.last-from+1), m.last)
	w.term++
}

func (w *crashWriter) deleteRange(g uint32, from, to uint64) {
	m := w.ledger.groups[g]
	first, last := m.first, m.last
	switch {
	case from == first && to == last:
		m.first, m.last = 0, 0
	case from == first:
		m.first = to + 1
	default:
		m.last = from - 1
	}
	w.ledger.begins()
	check(w.points.t, w.log(g).DeleteRange(from, to))
}

// setLocal writes a row of the node's own, which is durable at once.
func (w *crashWriter) setLocal(uint32) {
	name := localNames[w.random.IntN(len(localNames))]
	w.ledger.locals[name] = w.text()
	batch := w.ledger.begins()
	check(w.points.t, w.store.SetLocal(name, []byte(w.ledger.locals[name])))
	w.ledger.promise(batch)
}
