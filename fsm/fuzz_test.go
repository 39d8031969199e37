package fsm

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// row is what every row can do.
type row interface {
	append(dst []byte) []byte
	read(value []byte)
}

// The rows whose readers are functions.
type (
	eventValue    struct{ event }
	attemptValue  struct{ attemptRow }
	revisionValue struct{ revisionRow }
)

func (e *eventValue) read(value []byte)    { e.event = *readEvent(value, command.EventID{}, "", "") }
func (a *attemptValue) read(value []byte)  { a.attemptRow = readAttempt(value) }
func (r *revisionValue) read(value []byte) { r.revisionRow = readRevision(value) }

// kindCancelRow stands for the rows beside those of kindOpen, kindHeadRow for those of
// kindDefinition that say what a version is.
const (
	kindCancelRow = 0
	kindHeadRow   = 1
)

// rowOf is an empty row for the values under a kind of key, nil where those have
// no format of their own.
func rowOf(kind byte) row { //nolint:revive // A case for each kind.
	switch kind {
	case kindCounters:
		return &counters{}
	case kindQueue:
		return &queueRow{}
	case kindCursor:
		return &cursorRow{}
	case kindEvent:
		return &eventValue{}
	case kindActive, kindParked:
		return &jobRow{}
	case kindLimit:
		return &limitRow{}
	case kindTenantSettings:
		return &tenantRow{}
	case kindRevision:
		return &revisionValue{}
	case kindDedupe:
		return &dedupeRow{}
	case kindAttempt:
		return &attemptValue{}
	case kindAck:
		return &ackRow{}
	case kindStream:
		return &streamRow{}
	case kindOutbox:
		return &outboxRow{}
	case kindArrival:
		return &arrivalRow{}
	case kindRetain:
		return &retainRow{}
	case kindSweep:
		return &sweepRow{}
	case kindOpen:
		return &lineageRow{}
	case kindCancelRow:
		return &cancelRow{}
	case kindHeadRow:
		return &definitionRow{}
	case kindAliases:
		return &workflowRow{}
	case kindSchedule:
		return &scheduleRow{}
	default:
		return nil
	}
}

// FuzzRow: what can be read of a row is the same when written again, and takes
// memory in proportion to it. What cannot be read is a Violation.
func FuzzRow(f *testing.F) {
	for _, r := range livedWorld(f).rows {
		kind := r.key[0]
		if kind == kindOpen && u32At(r.key, 1) == 0 {
			kind = kindCancelRow
		}
		if kind == kindDefinition && r.key[1] == definitionHead {
			kind = kindHeadRow
		}
		if kind == kindSchedule && r.key[1] != scheduleIs {
			continue // What it says is a record of package command.
		}
		f.Add(kind, r.value)
	}
	f.Fuzz(func(t *testing.T, kind byte, value []byte) {
		first, again := rowOf(kind), rowOf(kind)
		if first == nil || readRow(first, value) != nil {
			return
		}
		encoded := first.append(nil)
		if most := 16*len(value) + 64; len(encoded) > most {
			t.Fatalf("%d bytes were read as a row of %d", len(value), len(encoded))
		}
		check(t, readRow(again, encoded))
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v is read as %+v", first, again)
		}
	})
}

func readRow(r row, value []byte) (err error) {
	defer invariants.Recover(&err)
	r.read(value)
	return nil
}

// FuzzState puts one row into a partition that has lived, whatever its key and
// value. Reading the partition and going on with it either works, or ends with
// an error or a Violation.
func FuzzState(f *testing.F) {
	l := livedWorld(f)
	for _, r := range l.rows {
		f.Add(r.key, r.value)
		f.Add(r.key[:len(r.key)-1], r.value)
		f.Add(r.key, r.value[:1])
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 || len(key)+len(value) > 64<<10 {
			return
		}
		l.w.tb = t // No longer f.
		restore := l.replace(t, key, value)
		defer restore()
		l.w.read(func(view *storage.View) {
			l.readAll(t, view)
			machine, err := Open(view)
			if damaged(t, err) {
				return
			}
			tx := l.w.state.Begin()
			defer tx.Discard()
			for i, entry := range l.next {
				tx.BeginEntry(l.w.index+uint64(i)+1, 1)
				if _, err = machine.Apply(tx, entry, true); damaged(t, err) {
					return
				}
				tx.EndEntry()
			}
		})
	})
}

// damaged tells whether there is an error: a Violation, or one with a sentence.
func damaged(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && err.Error() == "" {
		t.Fatal("an error without a word")
	}
	return err != nil
}

// lived is a partition with rows of every kind.
type lived struct {
	w      *world
	rows   []storedRow
	events []command.EventID
	leases []command.LeaseID
	// next are entries to go on with.
	next [][]byte
}

type storedRow struct{ key, value []byte }

// stand has a job parked in a channel that is ordered by key, and others stand in
// line behind it.
func (l *lived) stand(e command.Event) {
	e.Channel, e.IdempotencyKey, e.ClientSeq = "ordered", "", 0
	commands := []interface{ Append([]byte) []byte }{
		&command.ConfigureChannel{Channel: e.Channel, Settings: command.ChannelSettings{Version: 1, Order: command.OrderKey}},
	}
	for _, e.Priority = range []uint32{0, 9, 0} {
		commands = append(commands, &command.Publish{Route: command.Route{Slot: command.SlotOf(e.Tenant, e.Key)}, Event: e})
	}
	header := command.Header{Generation: 1, TimeMS: 1_001_000, Offers: []command.Offer{offerOf(e.Channel, 3)}}
	grants := l.w.apply(true, entryOf(header, commands...))[0].Grants
	l.w.apply(true, entryOf(command.Header{Generation: 1, TimeMS: 1_001_000}, &command.Park{Lease: grants[0].Job.Lease, TimeoutMS: 4000}))
}

// share has jobs stand in line for limits, whose homes are here and elsewhere, and a tenant
// with settings.
func (l *lived) share(e command.Event) {
	e.Channel, e.IdempotencyKey, e.ClientSeq, e.OnEnd = "limited", "", 0, ""
	commands := []interface{ Append([]byte) []byte }{
		&command.ConfigureTenant{Tenant: l.tenant(), Settings: command.TenantSettings{Version: 1, MaxInFlight: 100, Rate: 1000}},
	}
	for i := range 6 {
		e.Uses = []command.Use{{
			Limit: string(rune('a' + i/2)), MaxInFlight: 1, Adaptive: true,
			Rates: []command.UseRate{{Unit: "tokens", Count: 10, PerMS: 1000}}, Costs: []command.UseCost{{Unit: "tokens", Amount: 20}},
		}}
		commands = append(commands, &command.Publish{Route: command.Route{Slot: command.SlotOf(e.Tenant, e.Key)}, Event: e})
	}
	header := command.Header{Generation: 1, TimeMS: 1_001_000, Offers: []command.Offer{offerOf(e.Channel, 6)}}
	l.w.apply(true, entryOf(header, commands...))
}

// livedWorld publishes, grants, and ends in all ways there are.
func livedWorld(f *testing.F) *lived {
	f.Helper()
	l := &lived{w: newWorld(f, openStore(f), new(uint32))}
	l.w.apply(true, entryOf(command.Header{}, &command.LeaderStart{Node: "n1", Partitions: 2, Epoch: 1}))
	var publishes []interface{ Append([]byte) []byte }
	for i := range 8 {
		p := publishOf(l.tenant(), []byte{'0' + byte(i)})
		p.Event.Payload.Codec, p.Event.Headers = command.CodecJSON, []byte(`{"a":"b"}`)
		p.Event.IdempotencyKey, p.Event.CorrelationID = string(rune('a'+i)), "story"
		p.Event.DeviceID, p.Event.ClientSeq = "phone", uint64(i)+1
		publishes = append(publishes, p)
	}
	publishes[6].(*command.Publish).Event.DelayMS = 5000
	publishes[7].(*command.Publish).Event.TTLMS = 5000
	publishes[0].(*command.Publish).Event.OnEnd = "end"
	publishes[3].(*command.Publish).Event.CorrelationID = "stopped"
	publishes[4].(*command.Publish).Event.CorrelationID, publishes[4].(*command.Publish).Event.OnEnd = "stopped", "end"
	header := command.Header{Generation: 1, TimeMS: 1_000_000, Offers: []command.Offer{offerOf("work", 5)}}
	for _, g := range l.w.apply(true, entryOf(header, publishes...))[0].Grants {
		l.leases = append(l.leases, g.Job.Lease)
	}
	for position := range 8 {
		l.events = append(l.events, command.EventID{Epoch: 1, Queue: 1, Position: uint64(position) + 1})
	}
	route := publishes[0].(*command.Publish).Route
	says := command.Payload{Codec: command.CodecJSON, Bytes: []byte(`"hi"`)}
	elsewhere := publishOf(l.tenant(), nil).Event
	elsewhere.Key = keyIn(1)
	arriving := command.RelayRow{
		Kind: command.RelayNotification, Parent: command.EventID{Epoch: 1, Partition: 1, Queue: 1, Position: 1}, Name: "c",
		Event: command.Event{Channel: "work", Tenant: l.tenant(), ClientID: l.client(), CorrelationID: "story", Payload: says},
	}
	header = command.Header{Generation: 1, TimeMS: 1_001_000}
	l.w.apply(true, entryOf(header,
		&command.Complete{
			Route: route, Lease: l.leases[0], Result: says, Usage: []byte(`{}`),
			Emits:    []command.Event{elsewhere, publishOf(l.tenant(), nil).Event},
			Notifies: []command.Notify{{ClientID: l.client(), Name: "a", Payload: says}, {ClientID: l.client(), Name: "b", Payload: says}},
		},
		&command.Fail{Route: route, Lease: l.leases[1], Code: "no", Message: "never", Detail: []byte(`1`), Final: true},
		&command.Fail{Route: route, Lease: l.leases[2], Code: "no", Final: true},
		&command.Fail{Route: route, Lease: l.leases[3], Throttled: true, RetryAfterMS: 4000},
		&command.Cancel{Route: route, Tenant: l.tenant(), Event: l.events[4], Reason: "why", GraceMS: 4000},
		&command.Cancel{Route: route, Tenant: l.tenant(), Event: l.events[5]},
		&command.Ack{Route: route, Tenant: l.tenant(), ClientID: l.client(), DeviceID: "phone", Seq: 1},
		&command.Redrive{Route: route, Tenant: l.tenant(), Event: l.events[1], Once: "1", Edited: true, Payload: says},
		&command.Relay{Source: 1, SourceEpoch: 1, First: 1, Rows: [][]byte{command.AppendRelayRow(nil, &arriving)}},
		&command.CancelLineage{Tenant: l.tenant(), CorrelationID: "stopped", Reason: "why", GraceMS: 4000},
	))
	l.w.apply(true, entryOf(header,
		definitionOf(l.tenant(), "answer", 'a', "asked"), aliasesOf(l.tenant(), "answer", 1, "prod", 'a')))
	l.w.apply(true, entryOf(header, &command.PutSchedule{
		Route: route, Tenant: l.tenant(), ID: "daily", Pause: true, Note: "why", Schedule: command.Schedule{Workflow: "answer", Spec: "@daily"},
	}))
	l.stand(publishes[0].(*command.Publish).Event)
	l.share(publishes[0].(*command.Publish).Event)
	l.next = [][]byte{
		entryOf(command.Header{Generation: 1, TimeMS: 1_010_000, Offers: []command.Offer{offerOf("work", 100), offerOf("ordered", 3), offerOf("limited", 3)}},
			publishes[0].(*command.Publish), publishOf(l.tenant(), nil),
			&command.Ack{Route: route, Tenant: l.tenant(), ClientID: l.client(), DeviceID: "phone", Seq: 2},
			&command.Complete{Route: route, Lease: l.leases[0]}, &command.Complete{Route: route, Lease: l.leases[4]},
			&command.Redrive{Route: route, Tenant: l.tenant(), Event: l.events[2]},
			&command.RelayTrim{Target: 1, Through: 1, Generation: 1},
			&command.Relay{Source: 1, SourceEpoch: 1, First: 2, Rows: [][]byte{
				l.aboutLineage(command.RelayEnded, "story"), l.aboutLineage(command.RelayCancel, "story"), l.aboutLineage(command.RelayEnded, "none"),
			}},
			&command.CancelLineage{Tenant: l.tenant(), CorrelationID: "story"},
		),
		entryOf(command.Header{TimeMS: 1_020_000}, &command.LeaderStart{Node: "n2", Partitions: 2, Epoch: 1}),
	}
	l.w.read(func(view *storage.View) {
		check(f, view.Scan([]byte{0}, []byte{math.MaxUint8}, func(key, value []byte) (bool, error) {
			l.rows = append(l.rows, storedRow{slices.Clone(key), slices.Clone(value)})
			return true, nil
		}))
	})
	return l
}

// aboutLineage is a row that says something of a lineage.
func (l *lived) aboutLineage(kind command.RelayKind, id string) []byte {
	return command.AppendRelayRow(nil, &command.RelayRow{
		Kind: kind, Event: command.Event{Tenant: l.tenant(), CorrelationID: id}, Lineage: command.RelayedLineage{Epoch: 1, Failed: true},
	})
}

func (l *lived) tenant() string { return "t" }

// client is one whose stream is here.
func (l *lived) client() string { return keyIn(0) }

// replace writes a row; what it returns sets the partition right again.
func (l *lived) replace(t *testing.T, key, value []byte) (restore func()) {
	t.Helper()
	var former []byte
	var existed bool
	l.w.read(func(view *storage.View) {
		found, ok, err := view.Get(key)
		check(t, err)
		former, existed = slices.Clone(found), ok
	})
	l.write(t, func(tx *storage.Tx) error { return tx.Set(key, value) })
	return func() {
		l.write(t, func(tx *storage.Tx) error {
			if existed {
				return tx.Set(key, former)
			}
			return tx.Delete(key)
		})
	}
}

func (l *lived) write(t *testing.T, change func(*storage.Tx) error) {
	t.Helper()
	tx := l.w.state.Begin()
	defer tx.Discard()
	l.w.index++
	tx.BeginEntry(l.w.index, 1)
	check(t, change(tx))
	tx.EndEntry()
	check(t, tx.Commit())
}

// readAll looks at the partition as everybody does who is not the machine.
func (l *lived) readAll(t *testing.T, view *storage.View) {
	t.Helper()
	errs := make([]error, 0, 32)
	lineage, err := ReadLineage(view, l.tenant(), "story")
	errs = append(errs, err)
	if err == nil && len(lineage.Marks) > 2*MaxLineageMarks {
		t.Fatalf("%d marks", len(lineage.Marks))
	}
	for _, id := range l.events {
		_, err = ReadEvent(view, l.tenant(), id)
		_, why := ReadWhy(view, l.tenant(), id)
		errs = append(errs, err, why)
	}
	for _, id := range l.leases {
		_, _, err = ReadJob(view, id)
		errs = append(errs, err)
	}
	_, err = ReadDeadLetters(view, &LetterQuery{Tenant: l.tenant()})
	_, one := ReadDeadLetters(view, &LetterQuery{Tenant: l.tenant(), Event: l.events[2]})
	info, stream := ReadStream(view, nil, l.tenant(), l.client(), "phone")
	notifications := ReadNotifications(view, info.ID, 0, func(*command.Notification) bool { return true })
	_, relay := ReadRelay(view, 1, 0)
	_, meta := OpenMeta(view)
	_, definitions := ReadDefinitions(view)
	for _, err := range append(errs, err, one, stream, notifications, relay, meta, definitions) {
		damaged(t, err)
	}
}
