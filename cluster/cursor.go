package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/batonmq/baton/fsm/command"
)

// The cursor of a follower, one page: where it is in every partition. Clients keep
// it and hand it back, to any node; it is base64 for URLs, without padding, of
//
//	version(1) = 1 · epoch(string) · partitions(uvarint) · a position(uvarint) for each · checksum(4)
//
// A position is that of the last event up to which everything was sent. The
// checksum, CRC-32 in big endian, is over what stands before it and the channel's
// name behind that: so a cursor of another channel is none.
const followCursorVersion = 1

// ErrBadFollowCursor, ErrStrangeCursor say why a cursor is refused.
var (
	ErrBadFollowCursor = errors.New("the cursor is none that a follower of this channel was given")
	ErrStrangeCursor   = errors.New("the cursor is of another cluster, or of before this one was restored: follow from earliest, new or a time")
)

// appendCursor appends a cursor in its text.
func appendCursor(dst []byte, epoch, channel string, positions []uint64) []byte {
	var room [256]byte
	b := append(room[:0], followCursorVersion)
	b = command.AppendString(b, epoch)
	b = command.AppendUint(b, uint64(len(positions)))
	for _, position := range positions {
		b = command.AppendUint(b, position)
	}
	b = binary.BigEndian.AppendUint32(b, cursorSum(b, channel))
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// parseCursor reads a cursor of a channel in this cluster. What is read must be
// written as the same text: so it has one spelling, and its checksum is right.
func parseCursor(text []byte, epoch, channel string, partitions uint32) ([]uint64, error) {
	b, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil {
		return nil, ErrBadFollowCursor
	}
	r := command.NewReader(b)
	r.Byte()
	of, count := r.String(), r.Count(command.Slots)
	positions := make([]uint64, 0, count)
	for range count {
		positions = append(positions, r.Uint())
	}
	switch {
	case r.Err() != nil || !bytes.Equal(appendCursor(nil, of, channel, positions), text):
		return nil, ErrBadFollowCursor
	case of != epoch || count != int(partitions):
		return nil, ErrStrangeCursor
	}
	return positions, nil
}

func cursorSum(body []byte, channel string) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(body), crc32.IEEETable, []byte(channel))
}
