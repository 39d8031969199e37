package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// decoder takes a snapshot stream in pieces of any size. It hands out rows as
// soon as they are whole, which is before the trailer has vouched for them.
type decoder struct {
	onHeader func(Applied) error
	onRow    func(key, value []byte) error // may keep neither slice

	digest xxhash.Digest
	// rest is the beginning of an item whose end has not arrived.
	rest    []byte
	lastKey []byte
	rows    uint64
	phase   decodePhase
	err     error
}

type decodePhase uint8

const (
	inHeader decodePhase = iota
	inRows
	atEnd
)

// write decodes what it can. After an error it returns the same one again.
func (d *decoder) write(p []byte) error {
	if d.err != nil {
		return d.err
	}
	d.rest = append(d.rest, p...)
	taken := 0
	for {
		n, err := d.item(d.rest[taken:])
		if err != nil {
			d.err = err
			return err
		}
		if n == 0 {
			break
		}
		taken += n
	}
	d.rest = append(d.rest[:0], d.rest[taken:]...)
	return nil
}

// finish says whether the stream was whole.
func (d *decoder) finish() error {
	if d.err != nil {
		return d.err
	}
	if d.phase != atEnd {
		return badStream("it ends after %d rows, without its trailer", d.rows)
	}
	return nil
}

// item decodes one header, row or trailer and returns its length; 0 when it is
// not whole yet.
func (d *decoder) item(b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, nil
	case d.phase == inHeader:
		return d.header(b)
	case d.phase == atEnd:
		return 0, badStream("%d bytes follow the trailer", len(b))
	case b[0] == markRow:
		return d.row(b)
	case b[0] == markEnd:
		return d.trailer(b)
	default:
		return 0, badStream("an item begins with %#x", b[0])
	}
}

func (d *decoder) header(b []byte) (int, error) {
	if known := min(len(b), len(streamMagic)); string(b[:known]) != streamMagic[:known] {
		return 0, badStream("it does not begin as one")
	}
	if len(b) < streamHeaderBytes {
		return 0, nil
	}
	if version := binary.BigEndian.Uint32(b[8:]); version != streamVersion {
		return 0, badStream("version %d is unknown", version)
	}
	length := binary.BigEndian.Uint32(b[streamHeaderBytes-4:])
	if length > MaxConfigurationBytes {
		return 0, badStream("a configuration of %d bytes", length)
	}
	total := streamHeaderBytes + int(length)
	if len(b) < total {
		return 0, nil
	}
	d.digest.Reset()
	_, _ = d.digest.Write(b[:total]) // A digest never fails.
	d.phase = inRows
	return total, d.onHeader(Applied{
		Index:              binary.BigEndian.Uint64(b[12:]),
		Term:               binary.BigEndian.Uint64(b[20:]),
		Chain:              binary.BigEndian.Uint64(b[28:]),
		ConfigurationIndex: binary.BigEndian.Uint64(b[36:]),
		Configuration:      bytes.Clone(b[streamHeaderBytes:total]),
	})
}

func (d *decoder) row(b []byte) (int, error) {
	if len(b) < streamRowBytes {
		return 0, nil
	}
	keyLength, valueLength := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])
	if keyLength > MaxKeyBytes || valueLength > MaxValueBytes {
		return 0, badStream("a row of %d + %d bytes", keyLength, valueLength)
	}
	keyEnd := streamRowBytes + int(keyLength)
	total := keyEnd + int(valueLength)
	if len(b) < total {
		return 0, nil
	}
	key := b[streamRowBytes:keyEnd]
	if d.rows > 0 && bytes.Compare(key, d.lastKey) <= 0 {
		return 0, badStream("row %d does not follow the one before", d.rows)
	}
	d.lastKey = append(d.lastKey[:0], key...)
	d.rows++
	_, _ = d.digest.Write(b[:total]) // A digest never fails.
	return total, d.onRow(key, b[keyEnd:total])
}

func (d *decoder) trailer(b []byte) (int, error) {
	if len(b) < streamTrailerBytes {
		return 0, nil
	}
	if rows := binary.BigEndian.Uint64(b[1:]); rows != d.rows {
		return 0, badStream("%d rows arrived, the trailer counts %d", d.rows, rows)
	}
	_, _ = d.digest.Write(b[:9]) // A digest never fails.
	if sum := binary.BigEndian.Uint64(b[9:]); sum != d.digest.Sum64() {
		return 0, badStream("the checksum is %#x, the trailer says %#x", d.digest.Sum64(), sum)
	}
	if string(b[17:streamTrailerBytes]) != streamEndMagic {
		return 0, badStream("it does not end as one")
	}
	d.phase = atEnd
	return streamTrailerBytes, nil
}

func badStream(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadStream, fmt.Sprintf(format, args...))
}
