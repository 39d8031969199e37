package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// rec spells a record out: its header, and behind it the parts as they are.
func rec(t Type, payload PayloadKind, number uint64, parts ...string) []byte {
	behind := strings.Join(parts, "")
	record := binary.LittleEndian.AppendUint32(nil, uint32(headerSize+len(behind)))
	record = append(record, byte(t), byte(payload), 0, 0)
	record = binary.LittleEndian.AppendUint64(record, number)
	return append(record, behind...)
}

func spell(field, kind uint8, body string) string { return string([]byte{field, kind}) + body }

func textField(field uint8, text string) string {
	return spell(field, kindText, string(binary.AppendUvarint(nil, uint64(len(text))))+text)
}

func jsonField(field uint8, text string) string {
	return spell(field, kindJSON, string(binary.AppendUvarint(nil, uint64(len(text))))+text)
}

func bytesField(field uint8, text string) string {
	return spell(field, kindBytes, string(binary.AppendUvarint(nil, uint64(len(text))))+text)
}

func uintField(field uint8, n uint64) string {
	return spell(field, kindInteger, string(binary.AppendUvarint(nil, n)))
}

func group(body string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body
}

// numbered is what only records can say: a number for a channel.
func numbered() []golden {
	return []golden{
		{FromClient, Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{Channel: b("a"), ChannelHandle: 7, Payload: jsonData("1")}}}},
		{FromClient, Message{Type: TypePublish, Publish: Publish{ID: 2, EventFields: EventFields{ChannelHandle: 7, Payload: jsonData("2")}}}},
		{FromClient, Message{Type: TypeComplete, Complete: Complete{ID: 3, Lease: b("l1"), Emit: []Emit{
			{EventFields: EventFields{ChannelHandle: 7, Payload: binData("hi")}},
		}}}},
	}
}

// TestGoldenRecords holds the binary encoding: every message has its record in
// testdata, is written so, and is read back as it was.
func TestGoldenRecords(t *testing.T) {
	for file, list := range map[string][]golden{"client.hex": append(fromClients(), numbered()...), "server.hex": fromServers()} {
		var lines []byte
		for i := range list {
			lines = appendHex(lines, &list[i].m)
		}
		compareGolden(t, file, lines)
		d := NewDecoder(list[0].from)
		d.ResetAs(Binary, fromHex(t, readGolden(t, file)), new(ChannelHandles))
		for i := range list {
			var m Message
			if err := d.Next(&m); err != nil {
				t.Fatalf("%s: %s: %v", file, list[i].m.json(), err)
			}
			want := list[i].m
			if i >= len(fromClients()) && list[i].from == FromClient {
				want = resolved(want)
			}
			if !sameValue(reflect.ValueOf(m), reflect.ValueOf(want)) {
				t.Errorf("%s: got\n%+v\nwant\n%+v", file, m, want)
			}
		}
	}
}

// resolved is a message of numbered as its reader sees it.
func resolved(m Message) Message {
	if m.Type == TypePublish {
		m.Publish.Channel = b("a")
		return m
	}
	m.Complete.Emit = []Emit{m.Complete.Emit[0]}
	m.Complete.Emit[0].Channel = b("a")
	return m
}

// appendHex appends the message as JSON, which explains, and its record: the
// header's parts, and what stands behind in lines of 32 bytes.
func appendHex(dst []byte, m *Message) []byte {
	record := m.record()
	dst = fmt.Appendf(dst, "# %s\n%x %02x %02x %x %x\n", bytes.ReplaceAll(m.json(), b("\u2028"), b(`\u2028`)),
		record[:4], record[4], record[5], record[6:8], record[8:16])
	for rest := record[headerSize:]; len(rest) > 0; rest = rest[min(32, len(rest)):] {
		dst = fmt.Appendf(dst, "  %x\n", rest[:min(32, len(rest))])
	}
	return dst
}

func fromHex(t *testing.T, file []byte) (frame []byte) {
	t.Helper()
	for line := range strings.SplitSeq(string(file), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		part, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		frame = append(frame, part...)
	}
	return frame
}

// TestNumbers holds what the numbers on the wire mean: they are for good.
func TestNumbers(t *testing.T) {
	var lines []byte
	for typ := Type(1); typ < TypeCount; typ++ {
		lines = fmt.Appendf(lines, "type %d %s, numbered by %s\n", typ, typ, nameOf(typ.numbered()))
	}
	for f := uint8(1); f < fieldCount; f++ {
		lines = fmt.Appendf(lines, "field %d %s\n", f, nameOf(f))
	}
	for _, k := range []struct {
		kind uint8
		name string
	}{
		{kindFalse, "false"},
		{kindTrue, "true"},
		{kindInteger, "integer"},
		{kindText, "text"},
		{kindJSON, "JSON"},
		{kindBytes, "bytes"},
		{kindList, "list"},
		{kindObject, "object"},
	} {
		lines = fmt.Appendf(lines, "kind %d %s\n", k.kind, k.name)
	}
	lines = fmt.Appendf(lines, "payload %d none\npayload %d JSON\npayload %d bytes\n", PayloadNone, PayloadJSON, PayloadBytes)
	compareGolden(t, "numbers.txt", lines)
	// One word is enough for most of them, but a fieldSet has to hold them all.
	if int(fieldCount) > 64*len(fieldSet{}) || fieldUnknown != endOfFields {
		t.Errorf("%d fields do not fit", fieldCount)
	}
}

// TestEncodings is what the subprotocols mean.
func TestEncodings(t *testing.T) {
	for _, protocol := range Protocols() {
		if e, ok := EncodingOf(protocol); !ok || e.Protocol() != protocol {
			t.Errorf("%s is %v", protocol, e)
		}
	}
	if _, ok := EncodingOf("baton.v2.json"); ok {
		t.Error("there is no version 2")
	}
}

// TestLongSpans: lengths of one byte and of more, where they are known before the
// text and where they are not.
func TestLongSpans(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 200, 16383, 16384, 70000} {
		text := strings.Repeat("x", n)
		sealed := sealSpan(append(b("before"), text...), len("before"))
		if want := "before" + string(binary.AppendUvarint(nil, uint64(n))) + text; string(sealed) != want {
			t.Errorf("%d bytes are spelled %x", n, sealed[:min(len(sealed), 12)])
		}
	}
	m := Message{Type: TypeRelease, Release: Release{Lease: b("a\xffb\xc3(")}}
	var back Message
	d := NewDecoder(FromClient)
	d.ResetAs(Binary, m.record(), nil)
	if err := d.Next(&back); err != nil || string(back.Release.Lease) != "a\uFFFDb\uFFFD(" {
		t.Errorf("%v %q", err, back.Release.Lease)
	}
}
