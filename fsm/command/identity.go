package command

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// Slots is how many slots the key space has. Slots map to partitions, so that
// slots can move one day without a new hash.
const Slots = 1024

// SlotMapVersion is the version of the only slot map there is so far: equal
// ranges, see PartitionOf.
const SlotMapVersion = 1

// ErrBadID is returned for a string that is no event id of this cluster's form.
var ErrBadID = errors.New("not an event id")

// The sizes of an event id, binary and as text: 144 bits are 29 digits of 5.
const (
	eventIDBytes  = 18
	EventIDLength = 29
)

// EventID names an event for ever: it carries partition and epoch, so that any
// node can route a look-up, and numbers that never go back, so that a restored
// cluster never makes the same id again.
type EventID struct {
	// Epoch is the group's epoch: raised by a restore from a backup.
	Epoch uint32
	// Partition is the partition that stores the event.
	Partition uint16
	// Queue is the partition's interned (channel, tenant, class).
	Queue uint32
	// Position is the event's number in the partition.
	Position uint64
}

// IsZero tells whether the id names nothing.
func (id EventID) IsZero() bool { return id == EventID{} }

// idDigits are the digits of base32hex (RFC 4648), in lower case: texts sort as
// the ids do.
const idDigits = "0123456789abcdefghijklmnopqrstuv"

// String is the id as clients see it: 29 characters of base32hex, lower case,
// in the order of epoch, partition, queue, position; empty for the zero id.
func (id EventID) String() string {
	var text [EventIDLength]byte
	return string(id.Append(text[:0]))
}

// Append appends what String answers.
func (id EventID) Append(dst []byte) []byte {
	if id.IsZero() {
		return dst
	}
	var raw [eventIDBytes]byte
	binary.BigEndian.PutUint32(raw[0:], id.Epoch)
	binary.BigEndian.PutUint16(raw[4:], id.Partition)
	binary.BigEndian.PutUint32(raw[6:], id.Queue)
	binary.BigEndian.PutUint64(raw[10:], id.Position)
	var text [EventIDLength]byte
	pending, bits, at := uint32(0), 0, 0
	for i := range text {
		if bits < 5 && at < len(raw) {
			pending, bits, at = pending<<8|uint32(raw[at]), bits+8, at+1
		}
		if bits < 5 { // The last digit holds four bits of the id, and a zero.
			pending, bits = pending<<1, bits+1
		}
		bits -= 5
		text[i] = idDigits[pending>>bits&31]
	}
	return append(dst, text[:]...)
}

// ParseEventID reads what String wrote, or returns ErrBadID. No two texts are
// one id, because the text is a correlation id too.
func ParseEventID(text string) (EventID, error) {
	if len(text) != EventIDLength {
		return EventID{}, ErrBadID
	}
	var raw [eventIDBytes]byte
	pending, bits, at := uint32(0), 0, 0
	for i := range EventIDLength {
		digit, ok := digitOf(text[i])
		if !ok {
			return EventID{}, ErrBadID
		}
		pending, bits = pending<<5|digit, bits+5
		if bits >= 8 {
			bits -= 8
			raw[at], at = byte(pending>>bits&0xff), at+1
		}
	}
	id := EventID{
		Epoch:     binary.BigEndian.Uint32(raw[0:]),
		Partition: binary.BigEndian.Uint16(raw[4:]),
		Queue:     binary.BigEndian.Uint32(raw[6:]),
		Position:  binary.BigEndian.Uint64(raw[10:]),
	}
	if id.IsZero() || pending&1 != 0 {
		return EventID{}, ErrBadID
	}
	return id, nil
}

func digitOf(c byte) (digit uint32, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint32(c - '0'), true
	case c >= 'a' && c <= 'v':
		return uint32(c-'a') + 10, true
	default:
		return 0, false
	}
}

func appendEventID(dst []byte, id EventID) []byte {
	dst = AppendUint(dst, uint64(id.Epoch))
	dst = AppendUint(dst, uint64(id.Partition))
	dst = AppendUint(dst, uint64(id.Queue))
	return AppendUint(dst, id.Position)
}

// AppendEventID appends the id's four numbers as uvarints.
func AppendEventID(dst []byte, id EventID) []byte { return appendEventID(dst, id) }

// EventID reads what AppendEventID wrote.
func (r *Reader) EventID() EventID {
	return EventID{
		Epoch:     r.Uint32(),
		Partition: r.Uint16(),
		Queue:     r.Uint32(),
		Position:  r.Uint(),
	}
}

// SlotOf is the slot of a tenant's key: xxhash64 of tenant, a zero byte and
// key, modulo Slots. The function is pinned: changing it moves every key.
func SlotOf(tenant, key string) uint32 {
	var digest xxhash.Digest
	digest.Reset()
	_, _ = digest.WriteString(tenant)
	_, _ = digest.Write([]byte{0})
	_, _ = digest.WriteString(key)
	return uint32(digest.Sum64() % Slots)
}

// PartitionOf maps a slot to one of partitions (1 to Slots) by equal ranges.
func PartitionOf(slot, partitions uint32) uint32 { return slot * partitions / Slots }
