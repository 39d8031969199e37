package fsm

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/batonmq/baton/fsm/command"
)

// DedupeWindowMS is how long an idempotency key is remembered at least, in
// milliseconds of the state's time.
const DedupeWindowMS = 10 * 60 * 1000

// dedupeMark is where an idempotency key's first outcome stands. Keys live in
// buckets of one window each: a look-up reads this bucket and the one before,
// and a bucket is forgotten whole, by one range, when it is two windows old.
type dedupeMark struct {
	tenant  uint32
	of      digest
	content uint64
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

func (m *Machine) dedupeBucket() uint32 { return uint32(m.counters.timeMS / DedupeWindowMS) }

// dedupeMark is the mark of an event's idempotency key in the scope of its
// partition key, with a digest of what the event says.
func (m *Machine) dedupeMark(tenant uint32, e *event) dedupeMark {
	content := xxhash.New()
	_, _ = content.WriteString(e.Channel)
	_, _ = content.Write([]byte{0, byte(e.Payload.Codec)})
	_, _ = content.Write(e.Payload.Bytes)
	return dedupeMark{tenant: tenant, of: digestOf(e.Key, e.IdempotencyKey), content: content.Sum64()}
}

// recall is the answer that the key's first event got, if it was within the
// window.
func (m *Machine) recall(mark dedupeMark) (command.Result, bool) {
	bucket := m.dedupeBucket()
	for _, b := range [2]uint32{bucket, bucket - 1} {
		value, found := m.get(keyDedupe(m.scratch.key[:0], b, mark.tenant, mark.of))
		if !found {
			continue
		}
		var row dedupeRow
		row.read(value)
		if m.counters.timeMS-row.storedMS > DedupeWindowMS {
			continue
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
	return command.Result{}, false
}

// remember keeps the outcome of a stored event.
func (m *Machine) remember(mark dedupeMark, e *event) {
	row := dedupeRow{event: e.id, storedMS: m.counters.timeMS, content: mark.content, correlationID: e.CorrelationID}
	m.set(keyDedupe(m.scratch.key[:0], m.dedupeBucket(), mark.tenant, mark.of), row.append(m.scratch.value[:0]))
}

// rotateDedupe forgets buckets that no look-up reads any more.
func (m *Machine) rotateDedupe() {
	bucket := m.dedupeBucket()
	if bucket < 2 || m.counters.dedupeFloor >= bucket-1 {
		return
	}
	from := appendU32([]byte{kindDedupe}, m.counters.dedupeFloor)
	must(m.tx.DeleteRange(from, appendU32([]byte{kindDedupe}, bucket-1)))
	m.counters.dedupeFloor = bucket - 1
}

func sequenceMessage(got, want uint64) string {
	return fmt.Sprintf("client_seq is %d, the next of this client, device and key is %d", got, want)
}
