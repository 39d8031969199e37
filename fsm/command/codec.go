package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrTruncated is returned when a record ends in the middle of a field.
var ErrTruncated = errors.New("command: record ends in the middle of a field")

// ErrOversized is returned when a length or a count is above its limit.
var ErrOversized = errors.New("command: length or count above its limit")

// AppendUint appends v as a uvarint.
func AppendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendInt appends v, a time in Unix milliseconds, as the uvarint of its bits.
func AppendInt(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)) //nolint:gosec // The bits are kept: Int reads them back.
}

// AppendString appends a length and the bytes of s.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendBool appends one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte { //nolint:revive // The flag is the value, it controls nothing.
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// Reader decodes a record's fields in order. The first failure sticks: later
// reads return zero values, and Err tells what went wrong. Byte slices alias
// the record.
type Reader struct {
	rest []byte
	err  error
}

// NewReader returns a Reader over record, which it never changes.
func NewReader(record []byte) Reader { return Reader{rest: record} }

// Err is the first failure, or nil.
func (r *Reader) Err() error { return r.err }

// Rest is what has not been read yet.
func (r *Reader) Rest() []byte { return r.rest }

// Done tells whether nothing is left: the end, or a failure before it.
func (r *Reader) Done() bool { return r.err != nil || len(r.rest) == 0 }

// Uint reads a uvarint; at the clean end of the record it is 0 (see the
// package comment: fields are added at the end).
func (r *Reader) Uint() uint64 {
	if r.Done() {
		return 0
	}
	value, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail(ErrTruncated)
		return 0
	}
	r.rest = r.rest[size:]
	return value
}

// Int reads what AppendInt wrote.
func (r *Reader) Int() int64 { return int64(r.Uint()) } //nolint:gosec // The bits are kept.

// Uint32 reads a uvarint that must fit 32 bits: a number cut short would name
// something else.
func (r *Reader) Uint32() uint32 {
	value := r.Uint()
	if value > math.MaxUint32 {
		r.fail(fmt.Errorf("%w: %d does not fit 32 bits", ErrOversized, value))
		return 0
	}
	return uint32(value)
}

// Uint16 reads a uvarint that must fit 16 bits.
func (r *Reader) Uint16() uint16 {
	value := r.Uint()
	if value > math.MaxUint16 {
		r.fail(fmt.Errorf("%w: %d does not fit 16 bits", ErrOversized, value))
		return 0
	}
	return uint16(value)
}

// Byte reads one byte, 0 at the clean end.
func (r *Reader) Byte() byte {
	if r.Done() {
		return 0
	}
	value := r.rest[0]
	r.rest = r.rest[1:]
	return value
}

// Bool reads one byte as a truth value.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Uint64 reads eight little-endian bytes.
func (r *Reader) Uint64() uint64 {
	if r.err != nil {
		return 0
	}
	if len(r.rest) < 8 {
		r.fail(ErrTruncated)
		return 0
	}
	value := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return value
}

// Bytes reads a length and that many bytes, aliasing the record; nil when the
// length is 0.
func (r *Reader) Bytes() []byte {
	length := r.Uint()
	if r.err != nil || length == 0 {
		return nil
	}
	if length > uint64(len(r.rest)) {
		r.fail(ErrTruncated)
		return nil
	}
	value := r.rest[:length:length]
	r.rest = r.rest[length:]
	return value
}

// String reads a length and that many bytes as a string of its own.
func (r *Reader) String() string { return string(r.Bytes()) }

// Count reads how many items follow, at most limit. Each item takes at least
// one byte, so a count above what is left is refused before anything is made.
func (r *Reader) Count(limit int) int {
	count := r.Uint()
	if r.err == nil && (count > uint64(max(limit, 0)) || count > uint64(len(r.rest))) {
		r.fail(fmt.Errorf("%w: %d items", ErrOversized, count))
	}
	if r.err != nil {
		return 0
	}
	return int(count) //nolint:gosec // Bounded by limit.
}

// texts reads the strings that stand side by side into the fields, with one
// allocation for all of them: an event has ten, and most of a publish's cost in
// the decoder was theirs.
func (r *Reader) texts(fields ...*string) {
	start := r.rest
	for range fields {
		r.Bytes()
	}
	if r.err != nil || len(start) == len(r.rest) {
		return
	}
	again, text := NewReader(start), string(start[:len(start)-len(r.rest)])
	for _, field := range fields {
		length := len(again.Bytes())
		end := len(start) - len(again.rest)
		*field = text[end-length : end]
	}
}

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err, r.rest = err, nil
	}
}
