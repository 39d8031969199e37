package command

import (
	"encoding/base32"
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

var idEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// eventIDBytes is the binary size of an event id; 18 bytes are 29 characters.
const eventIDBytes = 18

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

// String is the id as clients see it: 29 characters of base32hex, lower case,
// in the order of epoch, partition, queue, position.
func (id EventID) String() string {
	if id.IsZero() {
		return ""
	}
	var raw [eventIDBytes]byte
	binary.BigEndian.PutUint32(raw[0:], id.Epoch)
	binary.BigEndian.PutUint16(raw[4:], id.Partition)
	binary.BigEndian.PutUint32(raw[6:], id.Queue)
	binary.BigEndian.PutUint64(raw[10:], id.Position)
	var text [29]byte
	idEncoding.Encode(text[:], raw[:])
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			text[i] = c + 'a' - 'A'
		}
	}
	return string(text[:])
}

// ParseEventID reads what String wrote, or returns ErrBadID.
func ParseEventID(text string) (EventID, error) {
	if len(text) != 29 {
		return EventID{}, ErrBadID
	}
	var upper [29]byte
	for i := range text {
		c := text[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	var raw [eventIDBytes + 1]byte
	n, err := idEncoding.Decode(raw[:], upper[:])
	if err != nil || n != eventIDBytes {
		return EventID{}, ErrBadID
	}
	id := EventID{
		Epoch:     binary.BigEndian.Uint32(raw[0:]),
		Partition: binary.BigEndian.Uint16(raw[4:]),
		Queue:     binary.BigEndian.Uint32(raw[6:]),
		Position:  binary.BigEndian.Uint64(raw[10:]),
	}
	// 29 characters hold one bit more than an id, and two texts must not name one
	// event: the text is a correlation id too.
	if id.IsZero() || id.String()[28]|0x20 != upper[28]|0x20 {
		return EventID{}, ErrBadID
	}
	return id, nil
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
