package storage

import (
	"bytes"
	"fmt"
	"strings"
)

// install receives a snapshot, with batches of everybody meanwhile, and makes it
// the state.
func (w *crashWriter) install(g uint32) {
	m := w.ledger.groups[g]
	stream, sent := w.snapshot(max(m.last, m.applied.Index) + 1 + w.random.Uint64N(100))
	writer := must(w.states[g].StageWriter())
	for len(stream) > 0 {
		n := min(len(stream), 1+w.random.IntN(60_000))
		_ = must(writer.Write(stream[:n]))
		stream = stream[n:]
		if w.random.IntN(2) == 0 {
			w.append(3 - g)
			w.wait(3 - g)
			w.points.doing.Store("install")
		}
	}
	staged := must(writer.Finish())
	*m = *sent
	batch := w.ledger.begins()
	check(w.points.t, staged.Commit())
	w.ledger.promise(batch)
}

// abandon receives part of a snapshot, or all of it, and gives it up.
func (w *crashWriter) abandon(g uint32) {
	stream, _ := w.snapshot(w.ledger.groups[g].applied.Index + 1000)
	writer := must(w.states[g].StageWriter())
	_ = must(writer.Write(stream[:w.random.IntN(len(stream))]))
	switch w.random.IntN(3) {
	case 0:
		check(w.points.t, writer.Abort())
	case 1: // Another one takes its place.
		check(w.points.t, must(w.states[g].Stage(bytes.NewReader(stream))).Discard())
	case 2: // It is left as it is: the next start removes it.
	}
}

// snapshot is the stream of another node's state, and what is in it.
func (w *crashWriter) snapshot(index uint64) (stream []byte, sent *groupModel) {
	other := openTest(w.points.t, NewCrashFS())
	defer closeTest(w.points.t, other)
	st := must(other.OpenState(9))
	sent = &groupModel{log: make(map[uint64]string), rows: make(map[string]string)}
	tx := st.Begin()
	tx.BeginEntry(index, w.term)
	longest := 400
	if w.random.IntN(8) == 0 {
		longest = 40_000 // More than one batch.
	}
	for i := range 1 + w.random.IntN(20) {
		key := fmt.Sprintf("key%02d", i)
		sent.rows[key] = strings.Repeat("s", w.random.IntN(longest))
		check(w.points.t, tx.Set([]byte(key), []byte(sent.rows[key])))
	}
	tx.SetConfiguration(index, []byte("members of a snapshot"))
	tx.EndEntry()
	check(w.points.t, tx.Commit())
	sent.applied = st.Applied()
	view := st.View()
	defer closeTest(w.points.t, view)
	var b bytes.Buffer
	_ = must(view.WriteTo(&b))
	return b.Bytes(), sent
}

// dropGroup removes a group, as for a member that has ceased to be one, and
// begins it anew.
func (w *crashWriter) dropGroup(g uint32) {
	if w.random.IntN(3) > 0 {
		return
	}
	*w.ledger.groups[g] = groupModel{log: make(map[uint64]string), rows: make(map[string]string)}
	batch := w.ledger.begins()
	check(w.points.t, w.store.DropGroup(g))
	w.states[g] = must(w.store.OpenState(g))
	w.ledger.promise(batch)
}
