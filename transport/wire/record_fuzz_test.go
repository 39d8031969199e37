package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"
)

// FuzzJSONToRecord: what JSON says, a record can say: any message that decodes
// comes back the same from a record.
func FuzzJSONToRecord(f *testing.F) {
	for _, g := range slices.Concat(fromClients(), fromServers()) {
		f.Add(g.m.json(), g.from == FromServer)
	}
	f.Fuzz(func(t *testing.T, frame []byte, server bool) {
		side := sideOf(server)
		d, m := NewDecoder(side), new(Message)
		d.Reset(frame)
		for {
			err := d.Next(m)
			if errors.Is(err, io.EOF) || errors.Is(err, ErrMalformed) {
				return
			}
			if err == nil {
				checkSame(t, m, side)
			}
		}
	})
}

// FuzzRecords reads any bytes as a binary frame. What is taken comes back the same
// from JSON and from a record, and what is refused is refused in JSON with the
// same words.
func FuzzRecords(f *testing.F) {
	for _, g := range slices.Concat(fromClients(), fromServers(), numbered()) {
		f.Add(g.m.record(), g.from == FromServer)
	}
	f.Add(rec(TypePublish, PayloadJSON, 1, textField(fieldChannel, "a"), uintField(fieldPriority, 10), "\x00", "1"), false)
	f.Add(rec(TypeRenew, 0, 0, spell(fieldLeases, kindList, group("\x02\x01l\x01\x05"))), false)
	f.Add(rec(TypeFail, 0, 1, textField(fieldLease, "l"), spell(fieldError, kindObject, group(uintField(fieldCode, 429)))), false)
	f.Add(rec(TypePublish, PayloadBytes, 1<<53, textField(fieldChannel, "a"), jsonField(fieldHeaders, `{"a":1}`), "\x00", "1"), false)
	f.Fuzz(func(t *testing.T, frame []byte, server bool) {
		side := sideOf(server)
		d, m := NewDecoder(side), new(Message)
		d.ResetAs(Binary, frame, nil)
		for {
			start := d.pos
			err := d.Next(m)
			if errors.Is(err, io.EOF) || errors.Is(err, ErrMalformed) {
				return
			}
			record := frame[start:d.pos]
			if size := binary.LittleEndian.Uint32(record); int(size) != len(record) {
				t.Fatalf("%d bytes were read of a record of %d", len(record), size)
			}
			if err == nil {
				checkSame(t, m, side)
			}
			checkAlike(t, record, m, err, side)
		}
	})
}

// FuzzBinary reads any bytes as a binary frame of a connection with handles: it
// ends, changes no byte, and what lies behind the frame makes no difference.
func FuzzBinary(f *testing.F) {
	for _, g := range slices.Concat(fromClients(), fromServers(), numbered()) {
		f.Add(g.m.record(), g.from == FromServer)
	}
	f.Fuzz(func(t *testing.T, frame []byte, server bool) {
		read := func(behind byte) (said []string) {
			memory := append(bytes.Clone(frame), bytes.Repeat([]byte{behind}, 64)...)
			d, m := NewDecoder(sideOf(server)), new(Message)
			d.ResetAs(Binary, memory[:len(frame)], new(ChannelHandles))
			for range len(frame)/headerSize + 2 {
				err := d.Next(m)
				if err == nil {
					said = append(said, string(m.json()))
					continue
				}
				said = append(said, err.Error())
				if errors.Is(err, io.EOF) || errors.Is(err, ErrMalformed) {
					if !bytes.Equal(memory[:len(frame)], frame) {
						t.Fatal("the frame was written to")
					}
					return said
				}
			}
			t.Fatal("it does not end")
			return nil
		}
		if one, other := read(0), read(0xff); !slices.Equal(one, other) {
			t.Fatalf("%q and %q", one, other)
		}
	})
}

func sideOf(server bool) Side { //nolint:revive // A fuzz target is given a flag.
	if server {
		return FromServer
	}
	return FromClient
}

// checkSame: what is written of a message in JSON and in a record is read as the
// same message, which is all that the wire has a place for: a reader takes parts
// alone that stand or fall together, such as an offset without its event.
func checkSame(t *testing.T, m *Message, side Side) {
	t.Helper()
	one, other := reread(t, m, side, JSON), reread(t, m, side, Binary)
	name := goName(m.Type)
	if one.Type != m.Type || other.Type != m.Type || !sameValue(reflect.ValueOf(*one).FieldByName(name), reflect.ValueOf(*other).FieldByName(name)) {
		t.Fatalf("%s was read as %s, and %x as %s", m.json(), one.json(), m.record(), other.json())
	}
	if !bytes.Equal(one.json(), m.json()) || !bytes.Equal(other.record(), m.record()) {
		t.Fatalf("%s was read as %s, and %x as %x", m.json(), one.json(), m.record(), other.record())
	}
}

func reread(t *testing.T, m *Message, side Side, encoding Encoding) *Message {
	t.Helper()
	encoded := m.Append(encoding.On(nil)).Bytes
	d, again := NewDecoder(side), new(Message)
	d.ResetAs(encoding, encoded, nil)
	if err := d.Next(again); err != nil {
		t.Fatalf("%q of %s: %v", encoded, m.json(), err)
	}
	if err := d.Next(new(Message)); !errors.Is(err, io.EOF) {
		t.Fatalf("%q has something behind it: %v", encoded, err)
	}
	return again
}

// checkAlike: JSON that says the same as the record is taken, or refused with the
// same words, as the record was.
func checkAlike(t *testing.T, record []byte, m *Message, was error, side Side) {
	t.Helper()
	object, ok := transcode(record)
	if !ok {
		return
	}
	d, other := NewDecoder(side), new(Message)
	d.Reset(object)
	err := d.Next(other)
	switch {
	case errors.Is(err, ErrMalformed): // Nested too deep, in a field that is passed over.
	case err == nil && was == nil:
		if string(other.json()) != string(m.json()) {
			t.Fatalf("%x is %s, and %s is %s", record, m.json(), object, other.json())
		}
	case err == nil || was == nil:
		t.Fatalf("%x: %v, and %s: %v", record, was, object, err)
	default:
		x, _ := errors.AsType[*DecodeError](was)
		y, _ := errors.AsType[*DecodeError](err)
		same := errors.Is(x, y.Kind) && x.Message == y.Message && x.Field == y.Field && x.HasID == y.HasID && x.ID == y.ID && x.Type == y.Type
		if !same {
			t.Fatalf("%x: %+v, and %s: %+v", record, x, object, y)
		}
	}
}
