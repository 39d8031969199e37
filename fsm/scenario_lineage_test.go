package fsm

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/storage"
)

// correlation is the correlation id that a line names, by itself or by an event.
func (s *scenario) correlation(a args) string {
	if id, named := s.events[a.word()]; named {
		return id.String()
	}
	return a.word()
}

// openRow tells what is open of a lineage.
func (s *scenario) openRow(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		tenant, err := lookUpTenant(view, a.get("tenant", "t"))
		check(s.tb, err)
		id := s.machine.counters.lineageID(tenant, s.correlation(a))
		value, found, err := view.Get(keyOpen(nil, id))
		check(s.tb, err)
		if !found {
			b.WriteString("nothing\n")
			return
		}
		var row lineageRow
		row.read(value)
		s.tellOpen(&b, &row)
		value, found, err = view.Get(keyCanceled(nil, id))
		check(s.tb, err)
		if found {
			var cancel cancelRow
			cancel.read(value)
			fmt.Fprintf(&b, ", canceled: %s", cancel.reason)
		}
		b.WriteByte('\n')
	})
	return b.String()
}

func (s *scenario) tellOpen(b *strings.Builder, row *lineageRow) {
	fmt.Fprintf(b, "%d open", row.open)
	for _, t := range row.targets {
		fmt.Fprintf(b, ", %d in partition %d", t.open, t.partition)
	}
	if row.relayed {
		fmt.Fprintf(b, ", for partition %d", row.parent.partition)
	}
	for i := range row.notices {
		fmt.Fprintf(b, ", %s to %s for %s", row.notices[i].name, row.notices[i].client, s.name(row.notices[i].event))
	}
	if row.failed {
		b.WriteString(", failed")
	}
	if row.stopped {
		b.WriteString(", stopped")
	}
}

func (s *scenario) unfinished(a args) string {
	var text string
	s.read(func(view *storage.View) {
		tenant, err := lookUpTenant(view, a.get("tenant", "t"))
		check(s.tb, err)
		value, found, err := view.Get(keyUnfinished(nil, tenant, a.word()))
		check(s.tb, err)
		text = "nothing\n"
		if found {
			text = fmt.Sprintln(readCount(value))
		}
	})
	return text
}
