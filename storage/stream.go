package storage

import (
	"encoding/binary"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"
)

// The snapshot stream, one page. Numbers are big endian.
//
//	header   magic:8 "BATONSNP"
//	         version:4              streamVersion
//	         index:8 term:8 chain:8 of Applied
//	         configuration index:8
//	         length:4 configuration
//	row*     mark:1 'R'  key length:4  value length:4  key  value     keys strictly rise
//	trailer  mark:1 'E'  rows:8
//	         xxhash64:8 of every byte before it
//	         magic:8 "SNPBATON"
//
// Nothing follows the trailer. Lengths are fixed, so the size of a stream
// follows from the rows without encoding them.
const (
	streamVersion   = 1
	streamMagic     = "BATONSNP"
	streamEndMagic  = "SNPBATON"
	markRow         = 'R'
	markEnd         = 'E'
	streamRowBytes  = 1 + 4 + 4
	streamChunkSize = 64 << 10

	streamHeaderBytes  = len(streamMagic) + 4 + 4*8 + 4
	streamTrailerBytes = 1 + 8 + 8 + len(streamEndMagic)
)

// Stream reads a view as a snapshot stream, a chunk of rows at a time. Close it
// before the view.
type Stream struct {
	it     *pebble.Iterator
	digest xxhash.Digest
	rows   uint64
	// chunk holds encoded bytes; those before taken have been read.
	chunk []byte
	taken int
	done  bool
	err   error
}

// Stream starts a snapshot stream of the view.
func (v *View) Stream() (*Stream, error) {
	it, err := v.iterator(nil, nil)
	if err != nil {
		return nil, err
	}
	s := &Stream{it: it, chunk: appendHeader(nil, v.applied)}
	s.digest.Reset()
	_, _ = s.digest.Write(s.chunk) // A digest never fails.
	it.First()
	return s, nil
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(p, s.chunk[s.taken:])
	s.taken += n
	return n, nil
}

// WriteTo implements io.WriterTo.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		err := s.fill()
		if err == io.EOF { //nolint:errorlint // fill returns it bare, as io.Reader asks.
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(s.chunk[s.taken:])
		total += int64(n)
		s.taken += n
		if err != nil {
			return total, wrap("write snapshot", err)
		}
	}
}

// Close ends the stream.
func (s *Stream) Close() error { return wrap("close snapshot stream", s.it.Close()) }

// fill makes sure that there is something to take, or returns io.EOF.
func (s *Stream) fill() error {
	if s.taken < len(s.chunk) {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	if s.done {
		return io.EOF
	}
	s.chunk, s.taken = s.chunk[:0], 0
	for s.it.Valid() && len(s.chunk) < streamChunkSize {
		value, err := s.it.ValueAndErr()
		if err != nil {
			s.err = wrap("read snapshot row", err)
			return s.err
		}
		s.chunk = appendRow(s.chunk, s.it.Key()[epochKeyBytes:], value)
		s.rows++
		s.it.Next()
	}
	if err := s.it.Error(); err != nil {
		s.err = wrap("read snapshot row", err)
		return s.err
	}
	s.done = !s.it.Valid()
	s.finishChunk()
	return nil
}

func (s *Stream) finishChunk() {
	if s.done {
		s.chunk = append(s.chunk, markEnd)
		s.chunk = binary.BigEndian.AppendUint64(s.chunk, s.rows)
	}
	_, _ = s.digest.Write(s.chunk) // A digest never fails.
	if s.done {
		s.chunk = binary.BigEndian.AppendUint64(s.chunk, s.digest.Sum64())
		s.chunk = append(s.chunk, streamEndMagic...)
	}
}

func appendHeader(b []byte, a Applied) []byte {
	b = append(b, streamMagic...)
	b = binary.BigEndian.AppendUint32(b, streamVersion)
	for _, number := range [...]uint64{a.Index, a.Term, a.Chain, a.ConfigurationIndex} {
		b = binary.BigEndian.AppendUint64(b, number)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(a.Configuration))) //nolint:gosec // Bounded by MaxConfigurationBytes.
	return append(b, a.Configuration...)
}

func appendRow(b, key, value []byte) []byte {
	var lengths [8]byte
	putLengths(lengths[:], key, value)
	b = append(append(b, markRow), lengths[:]...)
	return append(append(b, key...), value...)
}
