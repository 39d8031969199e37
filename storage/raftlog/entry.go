package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/raft"
)

// The log row, one page. Numbers are big endian.
//
//	 0  version:1          entryVersion
//	 1  type:1             raft.LogType
//	 2  term:8
//	10  appended at:8      nanoseconds since 1970, signed; the smallest number means never
//	18  length:4  data
//	    extensions         the rest of the row; none and empty are the same
//
// The index is in the row's key.
const (
	entryVersion     = 1
	entryHeaderBytes = 1 + 1 + 8 + 8 + 4
	never            = math.MinInt64
)

// MaxEntryBytes bounds data and extensions of one entry together. The batcher
// above stays far below it; a larger one is refused before it is written.
const MaxEntryBytes = 64 << 20

var (
	// ErrBadEntry says that a log row is damaged or of an unknown version.
	ErrBadEntry = errors.New("bad log row")
	// ErrEntryTooLarge says that an entry is over MaxEntryBytes.
	ErrEntryTooLarge = errors.New("log entry is too large")
)

// encodeEntry returns a row of its own memory: callers may reuse what entry points to.
func encodeEntry(entry *raft.Log) ([]byte, error) {
	if len(entry.Data)+len(entry.Extensions) > MaxEntryBytes {
		return nil, fmt.Errorf("encode entry %d: %w", entry.Index, ErrEntryTooLarge)
	}
	row := make([]byte, 0, entryHeaderBytes+len(entry.Data)+len(entry.Extensions))
	row = append(row, entryVersion, byte(entry.Type))
	row = binary.BigEndian.AppendUint64(row, entry.Term)
	row = binary.BigEndian.AppendUint64(row, uint64(nanoseconds(entry.AppendedAt))) //nolint:gosec // Two's complement.
	row = binary.BigEndian.AppendUint32(row, uint32(len(entry.Data)))               //nolint:gosec // Bounded above.
	row = append(row, entry.Data...)
	return append(row, entry.Extensions...), nil
}

// decodeEntry fills entry, whose Data and Extensions then alias row.
func decodeEntry(index uint64, row []byte, entry *raft.Log) error {
	if len(row) < entryHeaderBytes {
		return fmt.Errorf("entry %d has %d bytes: %w", index, len(row), ErrBadEntry)
	}
	if row[0] != entryVersion {
		return fmt.Errorf("entry %d has version %d: %w", index, row[0], ErrBadEntry)
	}
	if row[1] > byte(raft.LogConfiguration) {
		return fmt.Errorf("entry %d has type %d: %w", index, row[1], ErrBadEntry)
	}
	length, rest := uint64(binary.BigEndian.Uint32(row[18:])), row[entryHeaderBytes:]
	if length > uint64(len(rest)) {
		return fmt.Errorf("entry %d has %d of %d bytes: %w", index, len(rest), length, ErrBadEntry)
	}
	*entry = raft.Log{
		Index:      index,
		Term:       binary.BigEndian.Uint64(row[2:]),
		Type:       raft.LogType(row[1]),
		AppendedAt: appendedAt(int64(binary.BigEndian.Uint64(row[10:]))), //nolint:gosec // Two's complement.
		Data:       rest[:length:length],
	}
	if extensions := rest[length:]; len(extensions) > 0 {
		entry.Extensions = extensions
	}
	return nil
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixNano()
}

func appendedAt(nanoseconds int64) time.Time {
	if nanoseconds == never {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}
