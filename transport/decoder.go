package transport

import "encoding/binary"

// decoder reads a body from the front. After the first failure every read
// returns zero and end reports ErrMalformed, so that a decoding function is a
// plain list of fields.
type decoder struct {
	b   []byte
	bad bool
}

// end also refuses bytes that nobody asked for.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return ErrMalformed
	}
	return nil
}

func (d *decoder) fail() { d.bad, d.b = true, nil }

// take returns the next n bytes, which alias the body; their capacity ends with them.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes is a length and that many bytes; no bytes are nil.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	return d.take(int(n)) //nolint:gosec // At most len(d.b).
}

func (d *decoder) short() string { return string(d.take(int(d.byte()))) }

// boolean accepts 0 and 1, so that a value has one encoding.
func (d *decoder) boolean() bool {
	b := d.byte()
	if b > 1 {
		d.fail()
	}
	return b == 1
}
