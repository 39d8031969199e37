package duty

import (
	"slices"
	"testing"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// unfinished is whether a lineage is open in a partition.
func (w *world) unfinished(correlation string) bool {
	w.tb.Helper()
	view := w.state.View()
	lineage, err := fsm.ReadLineage(view, "t", correlation)
	check(w.tb, err)
	check(w.tb, view.Close())
	return lineage.Unfinished
}

// TestEndsComeBack: the target's duties carry the answers of what it was sent, and
// trim them, like anything else; the source learns of the end by them, also under
// another leader.
func TestEndsComeBack(t *testing.T) {
	p := newPair(t, openStore(t), 1)
	p.send(3)
	lineage := p.a.firstLineage()
	p.arrives()
	back := p.takeFrom(p.b)
	if _, count := back.rows(t); count != 2 {
		t.Fatalf("%d events were answered at once, want all but the first", count)
	}
	p.landAt(p.a, back)
	if !p.a.unfinished(lineage) || !p.b.unfinished(lineage) {
		t.Fatal("the lineage has ended while its events wait")
	}
	p.b.duty.Resign()
	p.b.lead()
	p.landAt(p.a, p.takeFrom(p.b)) // What was answered before is said again, and passed by.
	next := lent("n1", 2, 3)
	next.Channel = "next"
	p.b.duty.Register(next)
	p.b.rest()
	if len(p.b.jobs) != 3 {
		t.Fatalf("%d jobs of 3", len(p.b.jobs))
	}
	for _, delivery := range slices.Clone(p.b.jobs) {
		p.b.do(&command.Complete{Lease: delivery.job.Lease})
	}
	last := p.takeFrom(p.b)
	p.landAt(p.a, last)
	if p.a.unfinished(lineage) || p.b.unfinished(lineage) {
		t.Fatal("all has ended, and the lineage is open")
	}
	p.b.now = p.b.now.Add(trimInterval)
	p.b.rest()
	view := p.b.state.View()
	rows, err := fsm.ReadRelay(view, 0, 0)
	check(t, err)
	check(t, view.Close())
	if len(rows) != 0 {
		t.Fatalf("%d answers are kept that have arrived", len(rows))
	}
}

// firstLineage is the correlation id of the first event.
func (w *world) firstLineage() string {
	return command.EventID{Epoch: 1, Partition: uint16(w.partition), Queue: 1, Position: 1}.String()
}

func (p *pair) takeFrom(w *world) relayed {
	p.tb.Helper()
	if len(w.relays) != 1 {
		p.tb.Fatalf("%d batches are on their way, want one", len(w.relays))
	}
	batch := w.relays[0]
	w.relays = nil
	return batch
}

// landAt applies a batch at its target, and answers it.
func (p *pair) landAt(w *world, batch relayed) {
	p.tb.Helper()
	header := command.Header{TimeMS: w.now.UnixMilli(), Generation: 1}
	outcome := w.apply(command.AppendEntry(nil, &header, [][]byte{batch.encoded}))
	w.duty.Applied(outcome)
	batch.answer(&outcome.Results[0])
}
