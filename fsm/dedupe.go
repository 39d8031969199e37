package fsm

import (
	"github.com/cespare/xxhash/v2"

	"github.com/batonmq/baton/fsm/command"
)

// DedupeWindowMS is how long an idempotency key is remembered at least, in
// milliseconds of the state's time.
const DedupeWindowMS = 10 * 60 * 1000

// dedupeMark is where an idempotency key's first outcome stands. Keys live in
// buckets of one window each: a look-up reads this bucket and the one before,
// and a whole bucket is forgotten at once.
type dedupeMark struct {
	// of is the key's digest; without a key there is nothing to recognise.
	of      digest
	keyless bool
	// content is a hash of what the event says.
	content uint64
}

// dedupe is what memory knows of the two buckets that look-ups read: this one
// and the one before.
type dedupe struct {
	recent, former keyFilter
}

// dedupeRow is the first outcome of an idempotency key.
type dedupeRow struct {
	event         command.EventID
	storedMS      int64
	content       uint64
	correlationID string
}

func (d *dedupeRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendEventID(dst, d.event)
	dst = command.AppendInt(dst, d.storedMS)
	dst = command.AppendUint(dst, d.content)
	return command.AppendString(dst, d.correlationID)
}

func (d *dedupeRow) read(value []byte) {
	r := openRow(value)
	d.event = r.EventID()
	d.storedMS = r.Int()
	d.content = r.Uint()
	d.correlationID = r.String()
	closeRow(&r)
}

func (m *Machine) dedupeBucket() uint32 {
	return uint32(m.counters.timeMS / DedupeWindowMS) //nolint:gosec // Good for 80,000 years.
}

// publishMark is the mark of a publish: the idempotency key in the scope of the
// partition key.
func publishMark(e *event) dedupeMark {
	if e.IdempotencyKey == "" {
		return dedupeMark{keyless: true}
	}
	var content xxhash.Digest
	content.Reset()
	_, _ = content.WriteString(e.Channel)
	_, _ = content.Write([]byte{0, byte(e.Payload.Codec)})
	_, _ = content.Write(e.Payload.Bytes)
	return dedupeMark{of: digestOf(e.Key, e.IdempotencyKey), content: content.Sum64()}
}

// emitMark is the mark of a job's emit. Its scope is the channel too, and apart
// from that of publishes: a worker that hands its job's idempotency key on to
// the next step means the next step's event, not the one it has just worked on.
// So is each group's, which is empty for default: two that hand on the key of one
// event mean two steps.
func emitMark(e *event, group string) dedupeMark {
	if e.IdempotencyKey == "" {
		return dedupeMark{keyless: true}
	}
	if group == "" {
		return dedupeMark{of: digestOf("emit", e.Channel, e.Key, e.IdempotencyKey)}
	}
	return dedupeMark{of: digestOf("emit", e.Channel, e.Key, e.IdempotencyKey, group)}
}

// recall is the answer that a publish's idempotency key leads to, if it was used
// within the window: that of the key's first event, or a refusal when this one
// says something else.
func (m *Machine) recall(tenant uint32, mark *dedupeMark) (command.Result, bool) {
	var row dedupeRow
	if !m.lookUp(tenant, mark, &row) {
		return command.Result{}, false
	}
	if row.content != mark.content {
		return refuse(command.IdempotencyConflict,
			"the idempotency key was used for other data, by event "+row.event.String()), true
	}
	return command.Result{
		Event: row.event, Offset: row.event.Position,
		CorrelationID: row.correlationID, Duplicate: true,
	}, true
}

// lookUp reads the row of a mark, if there is one within the window.
func (m *Machine) lookUp(tenant uint32, mark *dedupeMark, row *dedupeRow) bool {
	if mark.keyless || tenant == 0 {
		return false
	}
	for _, filter := range [2]*keyFilter{&m.dedupe.recent, &m.dedupe.former} {
		if !filter.mayHave(&mark.of) {
			continue
		}
		value, found := m.get(keyDedupe(m.scratch.key[:0], filter.bucket, tenant, mark.of))
		if !found {
			continue
		}
		row.read(value)
		if m.counters.timeMS-row.storedMS <= DedupeWindowMS {
			return true
		}
	}
	return false
}

// remember keeps the outcome of a stored event.
func (m *Machine) remember(mark *dedupeMark, e *event) {
	if mark.keyless {
		return
	}
	tenant := m.names.find(nameTenant, e.Tenant)
	row := dedupeRow{event: e.id, storedMS: m.counters.timeMS, content: mark.content, correlationID: e.CorrelationID}
	m.set(keyDedupe(m.scratch.key[:0], m.dedupe.recent.bucket, tenant, mark.of), row.append(m.scratch.value[:0]))
	m.dedupe.recent.add(&mark.of)
}

// rotateDedupe begins a bucket when its time has come, and forgets those that
// no look-up reads any more.
func (m *Machine) rotateDedupe() {
	bucket := m.dedupeBucket()
	m.dedupe.rotate(bucket)
	if bucket < 2 || m.counters.dedupeFloor >= bucket-1 {
		return
	}
	from := appendU32([]byte{kindDedupe}, m.counters.dedupeFloor)
	must(m.tx.DeleteRange(from, appendU32([]byte{kindDedupe}, bucket-1)))
	m.counters.dedupeFloor = bucket - 1
}
