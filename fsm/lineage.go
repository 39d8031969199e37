package fsm

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Bounds of what one look-up of a lineage returns. A job that comes back for
// ever leaves two marks each time.
const (
	MaxLineageEvents = 10_000
	MaxLineageMarks  = 100_000
)

// Lineage is what one partition knows of a correlation id.
type Lineage struct {
	Events []LineageEvent
	Marks  []Mark
	// Open counts its events here that have not ended, in each group that had them
	// when they were stored. Unfinished means that something is open, here or in a
	// partition that was sent something of it.
	Open       uint64
	Unfinished bool
	// Truncated means that there were more than MaxLineageEvents events or
	// MaxLineageMarks marks.
	Truncated bool
}

// LineageEvent is one event of a lineage.
type LineageEvent struct {
	EventID        string `json:"event_id"`
	Channel        string `json:"channel"`
	State          string `json:"state"`
	Offset         uint64 `json:"offset"`
	Key            string `json:"key"`
	ClientID       string `json:"client_id,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	CausationID    string `json:"causation_id"`
	Time           int64  `json:"time"`
	Bytes          int    `json:"bytes"`
	// Groups are the states in each group that has the event, by name, where the
	// channel has another group than default.
	Groups map[string]string `json:"groups,omitempty"`
}

// Mark is one transition of an event: what happened, when, and to whom. Which
// fields are set follows from the mark's name.
type Mark struct {
	Time int64 `json:"time"`
	// Mark is published, leased, parked, completed, failed, expired, released,
	// throttled, canceled, dead, lapsed, redriven, discarded, emitted, notified,
	// relayed, delivered or acknowledged.
	Mark       string          `json:"mark"`
	EventID    string          `json:"event_id"`
	Channel    string          `json:"channel"`
	Group      string          `json:"group,omitempty"`
	Worker     string          `json:"worker,omitempty"`
	Node       string          `json:"node,omitempty"`
	Attempt    uint32          `json:"attempt,omitempty"`
	DurationMS *int64          `json:"duration_ms,omitempty"`
	Emitted    string          `json:"emitted,omitempty"`
	ClientID   string          `json:"client_id,omitempty"`
	DeviceID   string          `json:"device_id,omitempty"`
	Name       string          `json:"name,omitempty"`
	Seq        uint64          `json:"seq,omitempty"`
	Code       string          `json:"code,omitempty"`
	Message    string          `json:"message,omitempty"`
	Detail     json.RawMessage `json:"detail,omitempty"`
	Usage      json.RawMessage `json:"usage,omitempty"`
	// Partition is where something relayed went: its lineage goes on there.
	Partition *uint32 `json:"partition,omitempty"`
}

// lineageReader walks a lineage through a pinned view.
type lineageReader struct {
	view     *storage.View
	tenant   string
	correl   string
	counters counters
	names    nameReader
	queues   map[uint32]queueRow
	groups   map[uint32][]uint32
	begun    map[groupName]groupRow
	seen     map[uint64]bool
	// last is how the last attempt of each group ended, of the event at hand.
	last map[uint32]lastAttempt
	out  *Lineage
}

// ReadLineage reads what a partition knows of a tenant's correlation id: the
// events under it, what they emitted, and every mark. Nothing found is an empty
// Lineage.
func ReadLineage(view *storage.View, tenant, correlationID string) (lineage *Lineage, err error) {
	defer invariants.Recover(&err)
	l := &lineageReader{
		view: view, tenant: tenant, correl: correlationID, names: newNameReader(view),
		queues: make(map[uint32]queueRow), groups: make(map[uint32][]uint32),
		seen: make(map[uint64]bool), out: &Lineage{},
	}
	value, found, err := view.Get(keyCounters(nil))
	if err != nil || !found {
		return l.out, err
	}
	l.counters.read(value)
	if err := l.walk(); err != nil {
		return nil, err
	}
	if err := l.arrivals(); err != nil {
		return nil, err
	}
	if err := l.unfinished(); err != nil {
		return nil, err
	}
	return l.out, l.names.err
}

// walk begins at the event of that id and at those that name it, and follows
// what they emitted.
func (l *lineageReader) walk() error {
	open, err := l.roots()
	if err != nil {
		return err
	}
	for len(open) > 0 {
		if len(l.out.Events) >= MaxLineageEvents || len(l.out.Marks) >= MaxLineageMarks {
			l.out.Truncated = true
			return nil
		}
		emitted, err := l.visit(open[0])
		if err != nil {
			return err
		}
		open = append(open[1:], emitted...)
		if len(open) > MaxLineageEvents {
			open, l.out.Truncated = open[:MaxLineageEvents], true
		}
	}
	return nil
}

// roots are the event of that id and those that name it.
func (l *lineageReader) roots() (open []command.EventID, err error) {
	if id, bad := command.ParseEventID(l.correl); bad == nil {
		open = append(open, id)
	}
	tenant, err := lookUpTenant(l.view, l.tenant)
	if err != nil || tenant == 0 {
		return open, err
	}
	prefix := keyLineage(nil, tenant, digestOf(l.correl), 0)
	prefix = prefix[:len(prefix)-8]
	err = l.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		if len(open) == MaxLineageEvents {
			l.out.Truncated = true
			return false, nil
		}
		open = append(open, command.EventID{
			Epoch: l.counters.epoch, Partition: l.counters.number(),
			Queue: u32At(openRest(value), 0), Position: u64At(key, len(key)-8),
		})
		return true, nil
	})
	return open, err
}

// visit adds one event with its marks and returns what it emitted here.
func (l *lineageReader) visit(id command.EventID) ([]command.EventID, error) {
	if uint32(id.Partition) != l.counters.partition || id.Epoch != l.counters.epoch || l.seen[id.Position] {
		return nil, nil
	}
	q, err := l.queue(id.Queue)
	if err != nil || q == nil {
		return nil, err
	}
	value, err := readKept(l.view, id)
	if err != nil || value == nil {
		return nil, err
	}
	e := readEvent(value, id, l.names.text(nameChannel, q.channel), l.names.text(nameTenant, q.tenant))
	if e.Tenant != l.tenant || e.correlationID() != l.correl {
		return nil, nil
	}
	l.seen[id.Position] = true
	return l.describe(e)
}

func (l *lineageReader) queue(id uint32) (*queueRow, error) {
	if q, known := l.queues[id]; known {
		return &q, nil
	}
	value, found, err := l.view.Get(keyQueue(nil, id))
	if err != nil || !found {
		return nil, err
	}
	var q queueRow
	q.read(value)
	l.queues[id] = q
	if _, known := l.groups[q.channel]; known {
		return &q, nil
	}
	prefix := appendU32([]byte{kindGroup}, q.channel)
	err = l.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		l.addGroup(q.channel, u32At(key, 5), value)
		return true, nil
	})
	return &q, err
}

// unfinished reads what is open of the lineage.
func (l *lineageReader) unfinished() error {
	tenant, err := lookUpTenant(l.view, l.tenant)
	if err != nil || tenant == 0 {
		return err
	}
	value, found, err := l.view.Get(keyOpen(nil, l.counters.lineageID(tenant, l.correl)))
	if err != nil || !found {
		return err
	}
	var row lineageRow
	row.read(value)
	l.out.Open, l.out.Unfinished = row.open, true
	return nil
}
