package wire

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestBadRecords is the table of what is refused in binary only; what both
// encodings refuse, FuzzRecords compares.
func TestBadRecords(t *testing.T) {
	publish := func(parts ...string) []byte { return rec(TypePublish, PayloadJSON, 1, parts...) }
	channel := textField(fieldChannel, "a")
	ack := rec(TypeAck, PayloadNone, 42)
	set := func(record []byte, at int, values ...byte) []byte {
		record = slices.Clone(record)
		copy(record[at:], values)
		return record
	}
	for name, c := range map[string]badRecord{
		// What is no record at all.
		"half a header":         {ack[:15], ErrMalformed, "malformed record: a header that is cut off", -1},
		"size below the header": {set(ack, 0, 15), ErrMalformed, "malformed record: a size that no record in the frame can have", -1},
		"size 0":                {set(ack, 0, 0), ErrMalformed, "malformed record: a size that no record in the frame can have", -1},
		"size beyond the frame": {set(ack, 0, 17), ErrMalformed, "malformed record: a size that no record in the frame can have", -1},
		"size of 4 GiB":         {set(ack, 0, 255, 255, 255, 255), ErrMalformed, "malformed record: a size that no record in the frame can have", -1},
		"payload kind":          {set(ack, 5, 3), ErrMalformed, "malformed record: an unknown kind of payload", -1},
		"reserved low":          {set(ack, 6, 1), ErrMalformed, "malformed record: reserved bytes that are not 0", -1},
		"reserved high":         {set(ack, 7, 128), ErrMalformed, "malformed record: reserved bytes that are not 0", -1},
		"half a field":          {rec(TypeAck, 0, 1, "\x05"), ErrMalformed, "malformed record: a field that is cut off", -1},
		"field 0":               {rec(TypeAck, 0, 1, "\x00"), ErrMalformed, "malformed record: a field with the number 0", -1},
		"field 0 inside":        {rec(TypeHello, 0, 0, spell(fieldResume, kindObject, group("\x00"))), ErrMalformed, "malformed record: a field with the number 0", -1},
		"end of fields inside": {
			rec(TypeHello, PayloadJSON, 0, spell(fieldResume, kindObject, group("\x001")), "\x00", "1"), ErrMalformed,
			"malformed record: a field with the number 0", -1,
		},
		"no end of fields": {publish(channel), ErrMalformed, "malformed record: a payload without a zero byte before it", -1},
		"text beyond":      {rec(TypeRelease, 0, 0, spell(fieldLease, kindText, "\x05abcd")), ErrMalformed, "malformed record: a value that is longer than what it is part of", -1},
		"text of 2^63": {
			rec(TypeRelease, 0, 0, spell(fieldLease, kindText, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")), ErrMalformed,
			"malformed record: a value that is longer than what it is part of", -1,
		},
		"object beyond":    {rec(TypeHello, 0, 0, spell(fieldResume, kindObject, "\x01\x00\x00\x00")), ErrMalformed, "malformed record: a value that is longer than what it is part of", -1},
		"object of 3 byte": {rec(TypeHello, 0, 0, spell(fieldResume, kindObject, "\x01\x00\x00")), ErrMalformed, "malformed record: a value that is longer than what it is part of", -1},
		"list beyond":      {rec(TypeRenew, 0, 0, spell(fieldLeases, kindList, "\xff\xff\xff\xff")), ErrMalformed, "malformed record: a value that is longer than what it is part of", -1},
		"inner beyond outer": {
			rec(TypeHello, 0, 0, spell(fieldResume, kindObject, group(spell(fieldEpoch, kindText, "\x02e"))), textField(fieldName, "n")), ErrMalformed,
			"malformed record: a value that is longer than what it is part of", -1,
		},
		"number cut off":      {rec(TypeAck, 0, 0, spell(fieldSeq, kindInteger, "\x80")), ErrMalformed, "malformed record: a number that is cut off", -1},
		"no number":           {rec(TypeAck, 0, 0, spell(fieldSeq, kindInteger, "")), ErrMalformed, "malformed record: a number that is cut off", -1},
		"number too long":     {rec(TypeAck, 0, 0, spell(fieldSeq, kindInteger, strings.Repeat("\xff", 10)+"\x01")), ErrMalformed, "malformed record: a number of more than 64 bits", -1},
		"number not shortest": {rec(TypeAck, 0, 0, spell(fieldSeq, kindInteger, "\x81\x00")), ErrMalformed, "malformed record: a number that has a shorter form", -1},
		"unknown beyond":      {rec(TypeAck, 0, 1, spell(200, kindBytes, "\x05abcd")), ErrMalformed, "malformed record: a value that is longer than what it is part of", -1},
		// Malformed wins over refused.
		"both": {rec(TypeAck, 0, 0, textField(fieldSeq, "1"), "\x05"), ErrMalformed, "malformed record: a field that is cut off", -1},

		// Types.
		"type 0":             {rec(0, 0, 4), ErrUnknownType, "unknown type 0", 4},
		"type 99":            {rec(99, PayloadBytes, 4, "\xff\x01\x07", "\x00", "anything"), ErrUnknownType, "unknown type 99", 4},
		"the server's":       {rec(TypeWelcome, 0, 4), ErrUnknownType, `unknown type "welcome"`, 4},
		"id in a field":      {rec(99, 0, 0, uintField(fieldID, 0)), ErrUnknownType, "unknown type 99", 0},
		"type as a field":    {rec(TypeAck, 0, 1, textField(fieldType, "ack")), ErrBadField, "type is given twice", -1},
		"id twice":           {publish(uintField(fieldID, 1), channel, "\x00", "1"), ErrBadField, "id is given twice", 1},
		"id too large":       {rec(TypePublish, PayloadJSON, 1<<53, channel, "\x00", "1"), ErrBadField, "id must be an integer from 0 to 2^53-1", -1},
		"no id":              {rec(TypePublish, PayloadJSON, 0, channel, "\x00", "1"), ErrBadField, "id is missing", -1},
		"no seq":             {rec(TypeAck, 0, 0), ErrBadField, "seq is missing", -1},
		"channel twice":      {publish(channel, channel, "\x00", "1"), ErrBadField, "channel is given twice", 1},
		"no payload":         {rec(TypePublish, PayloadNone, 1, channel), ErrBadField, "data is missing", 1},
		"payload twice":      {publish(channel, jsonField(fieldData, "1"), "\x00", "1"), ErrBadField, "data is given twice", 1},
		"two payloads":       {publish(channel, bytesField(fieldDataBase64, "1"), "\x00", "1"), ErrBadField, "data must not stand beside data_base64", 1},
		"empty JSON":         {publish(channel, "\x00"), ErrBadField, "data must be one JSON value, nested at most 128 deep with the message", 1},
		"two values":         {publish(channel, "\x00", "1 2"), ErrBadField, "data must be one JSON value, nested at most 128 deep with the message", 1},
		"no value":           {publish(channel, "\x00", "nul"), ErrBadField, "data must be one JSON value, nested at most 128 deep with the message", 1},
		"a zero byte":        {publish(channel, "\x00", "1\x00"), ErrBadField, "data must be one JSON value, nested at most 128 deep with the message", 1},
		"too deep":           {publish(channel, "\x00", strings.Repeat("[", 128)+strings.Repeat("]", 128)), ErrBadField, "data must be one JSON value, nested at most 128 deep with the message", 1},
		"data as text":       {rec(TypePublish, 0, 1, channel, textField(fieldData, "1")), ErrBadField, "data must be of the kind JSON", 1},
		"bytes as text":      {rec(TypePublish, 0, 1, channel, textField(fieldDataBase64, "aGk=")), ErrBadField, "data_base64 must be of the kind bytes", 1},
		"text as JSON":       {publish(jsonField(fieldChannel, `"a"`), "\x00", "1"), ErrBadField, "channel must be a string", 1},
		"not UTF-8":          {publish(channel, textField(fieldKey, "\xff"), "\x00", "1"), ErrBadField, "key must be valid UTF-8", 1},
		"half a surrogate":   {publish(channel, textField(fieldKey, "\xed\xa0\x80"), "\x00", "1"), ErrBadField, "key must be valid UTF-8", 1},
		"bad headers":        {publish(channel, jsonField(fieldHeaders, `{"a":1}`), "\x00", "1"), ErrBadField, "headers must be an object of strings", 1},
		"cut headers":        {publish(channel, jsonField(fieldHeaders, `{"a":"1"`), "\x00", "1"), ErrBadField, "headers must be an object of strings", 1},
		"headers and more":   {publish(channel, jsonField(fieldHeaders, `{"a":"1"}x`), "\x00", "1"), ErrBadField, "headers must be an object of strings", 1},
		"headers twice":      {publish(channel, jsonField(fieldHeaders, `{"a":"1","\u0061":"2"}`), "\x00", "1"), ErrBadField, "headers must not repeat a name", 1},
		"headers as text":    {publish(channel, textField(fieldHeaders, `{}`), "\x00", "1"), ErrBadField, "headers must be an object of strings", 1},
		"raw as text":        {rec(TypeComplete, 0, 1, textField(fieldLease, "l"), textField(fieldResult, "1")), ErrBadField, "result must be of the kind JSON", 1},
		"raw not JSON":       {rec(TypeComplete, 0, 1, textField(fieldLease, "l"), jsonField(fieldUsage, "{")), ErrBadField, "usage must be one JSON value, nested at most 128 deep with the message", 1},
		"unknown kind":       {publish(spell(fieldChannel, 7<<2|shapeSpan, "\x01a"), "\x00", "1"), ErrBadField, "channel must be a string", 1},
		"list as an object":  {rec(TypeRenew, 0, 0, spell(fieldLeases, kindObject, group(""))), ErrBadField, "leases must be an array", -1},
		"integer in a list":  {rec(TypeRenew, 0, 0, spell(fieldLeases, kindList, group("\x01\x05"))), ErrBadField, "leases must be an array of strings and objects", -1},
		"inside a list":      {rec(TypeRenew, 0, 0, spell(fieldLeases, kindList, group(string([]byte{kindObject})+group(jsonField(fieldProgress, "1"))))), ErrBadField, "leases[0].lease is missing", -1},
		"handle on its own":  {publish(uintField(fieldChannelHandle, 3), "\x00", "1"), ErrBadField, "channel_handle 3 is not known on this connection: send it once with channel beside it", 1},
		"handle 0":           {publish(channel, uintField(fieldChannelHandle, 0), "\x00", "1"), ErrBadField, "channel_handle must be an integer from 1 to 64", 1},
		"handle 65":          {publish(channel, uintField(fieldChannelHandle, 65), "\x00", "1"), ErrBadField, "channel_handle must be an integer from 1 to 64", 1},
		"handle as text":     {publish(channel, textField(fieldChannelHandle, "1"), "\x00", "1"), ErrBadField, "channel_handle must be an integer from 0 to 2^53-1", 1},
		"code as an integer": {rec(TypeFail, 0, 1, textField(fieldLease, "l"), spell(fieldError, kindObject, group(uintField(fieldCode, 1<<53)))), ErrBadField, "error.code must be a string or an integer", 1},
		"boolean as text":    {rec(TypeHello, 0, 0, textField(fieldReady, "true")), ErrBadField, "ready must be true or false", -1},
	} {
		c.check(t, name)
	}
}

// badRecord is a frame, and how it is refused.
type badRecord struct {
	frame []byte
	kind  error
	text  string
	id    int // -1: not known
}

// check reads a record that is refused, and after it one that is not.
func (c *badRecord) check(t *testing.T, name string) {
	t.Helper()
	frame, kind, text, id := c.frame, c.kind, c.text, c.id
	if !errors.Is(kind, ErrMalformed) {
		frame = append(slices.Clone(frame), rec(TypeAck, 0, 9)...)
	}
	d, m := NewDecoder(FromClient), new(Message)
	d.ResetAs(Binary, frame, new(ChannelHandles))
	err := d.Next(m)
	bad, ok := errors.AsType[*DecodeError](err)
	if !ok || !errors.Is(err, kind) || bad.Message != text || m.Type != TypeUnknown {
		t.Errorf("%s:\n%v, want\n%s", name, err, text)
		return
	}
	if bad.HasID != (id >= 0) || bad.HasID && bad.ID != uint64(id) {
		t.Errorf("%s: id %v %d", name, bad.HasID, bad.ID)
	}
	err = d.Next(m)
	if errors.Is(kind, ErrMalformed) {
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: what follows is %v", name, err)
		}
		return
	}
	if err != nil || m.Type != TypeAck || m.Ack.Seq != 9 || !errors.Is(d.Next(m), io.EOF) {
		t.Errorf("%s: what follows is not read: %v", name, err)
	}
}

// TestLenientRecords is what is taken though it need not be, and how it reads.
func TestLenientRecords(t *testing.T) {
	lease := textField(fieldLease, "l")
	for name, c := range map[string]struct {
		frame []byte
		want  string
	}{
		"unknown fields": {
			rec(TypeRelease, 0, 0, spell(200, 36, ""), uintField(201, 1<<63), spell(202, 9<<2|shapeSpan, "\x02\xff\xff"),
				spell(203, 9<<2|shapeGroup, group("\xff")), uintField(201, 7), lease), `{"type":"release","lease":"l"}`,
		},
		"another message's fields":  {rec(TypeRelease, 0, 7, uintField(fieldCredit, 7), uintField(fieldCredit, 7), lease), `{"type":"release","lease":"l"}`},
		"another message's payload": {rec(TypeRelease, PayloadJSON, 0, lease, "\x00", "no JSON"), `{"type":"release","lease":"l"}`},
		"id 0":                      {rec(TypePark, 0, 0, uintField(fieldID, 0), lease), `{"type":"park","id":0,"lease":"l"}`},
		"id as a field":             {rec(TypePark, 0, 0, lease, uintField(fieldID, 7)), `{"type":"park","id":7,"lease":"l"}`},
		"payload as a field":        {rec(TypePublish, 0, 1, jsonField(fieldData, " 1\n"), textField(fieldChannel, "a")), `{"type":"publish","id":1,"channel":"a","data":1}`},
		"white space":               {rec(TypePublish, PayloadJSON, 1, textField(fieldChannel, "a"), "\x00", "\n[ 1]\t"), `{"type":"publish","id":1,"channel":"a","data":[ 1]}`},
		"no bytes":                  {rec(TypePublish, PayloadBytes, 1, textField(fieldChannel, "a"), "\x00"), `{"type":"publish","id":1,"channel":"a","data_base64":""}`},
		"any bytes":                 {rec(TypePublish, PayloadBytes, 1, textField(fieldChannel, "a"), "\x00", "\x00\xff"), `{"type":"publish","id":1,"channel":"a","data_base64":"AP8="}`},
		"code":                      {rec(TypeFail, 0, 1, lease, spell(fieldError, kindObject, group(uintField(fieldCode, 429)+textField(fieldMessage, "m")))), `{"type":"fail","id":1,"lease":"l","error":{"code":"429","message":"m"}}`},
	} {
		d, m := NewDecoder(FromClient), new(Message)
		d.ResetAs(Binary, c.frame, nil)
		if err := d.Next(m); err != nil || string(m.json()) != c.want {
			t.Errorf("%s:\n%v %s", name, err, m.json())
		}
	}
}

// TestChannelHandles: a number has a channel's name for as long as the connection
// lives, across frames, and keeps it.
func TestChannelHandles(t *testing.T) {
	handles := new(ChannelHandles)
	d, m := NewDecoder(FromClient), new(Message)
	read := func(frame []byte) (channel string, err error) {
		frame = slices.Clone(frame)
		d.ResetAs(Binary, frame, handles)
		if err = d.Next(m); err == nil {
			channel = string(m.Publish.Channel)
			if m.Type == TypeComplete {
				channel = string(m.Complete.Emit[len(m.Complete.Emit)-1].Channel)
			}
		}
		clear(frame) // The table must not point into it.
		return channel, err
	}
	publish := func(handle uint8, channel string) []byte {
		p := Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{Channel: b(channel), ChannelHandle: handle, Payload: jsonData("1")}}}
		return p.record()
	}
	emit := func(fields ...EventFields) []byte {
		p := Message{Type: TypeComplete, Complete: Complete{ID: 1, Lease: b("l")}}
		for _, f := range fields {
			f.Payload = jsonData("1")
			p.Complete.Emit = append(p.Complete.Emit, Emit{EventFields: f})
		}
		return p.record()
	}
	for _, step := range []struct {
		frame   []byte
		want    string
		refusal string
	}{
		{publish(64, ""), "", "channel_handle 64 is not known on this connection: send it once with channel beside it"},
		{publish(64, "a"), "a", ""},
		{publish(64, ""), "a", ""},
		{publish(64, "a"), "a", ""},
		{publish(64, "b"), "", "channel_handle 64 is a already: a handle keeps its channel while the connection lasts"},
		{publish(64, ""), "a", ""},
		{publish(1, "b!"), "", "channel must be 1 to 255 of A-Z a-z 0-9 . _ -"},
		{rec(TypePublish, 0, 1, textField(fieldChannel, "b"), uintField(fieldChannelHandle, 1)), "", "data is missing"},
		{rec(TypePublish, PayloadJSON, 1, textField(fieldChannel, "b"), uintField(fieldChannelHandle, 1), textField(fieldChannelHandle, "1"), "\x00", "1"), "", "channel_handle is given twice"},
		{publish(1, ""), "", "channel_handle 1 is not known on this connection: send it once with channel beside it"},
		{emit(EventFields{ChannelHandle: 64}), "a", ""},
		{emit(EventFields{Channel: b("c"), ChannelHandle: 2}, EventFields{ChannelHandle: 2}), "c", ""},
		{emit(EventFields{ChannelHandle: 64}, EventFields{ChannelHandle: 3}), "", "emit[1].channel_handle 3 is not known on this connection: send it once with channel beside it"},
		{publish(2, ""), "c", ""},
	} {
		got, err := read(step.frame)
		if got != step.want || err == nil != (step.refusal == "") || err != nil && err.Error() != step.refusal {
			t.Errorf("%x: %q %v, want %q %s", step.frame, got, err, step.want, step.refusal)
		}
	}
}

// TestHandlesAreForRecords: JSON has no such field, nor has a body over HTTP.
func TestHandlesAreForRecords(t *testing.T) {
	d, m := NewDecoder(FromClient), new(Message)
	d.Reset([]byte(`{"type":"publish","id":1,"channel":"a","channel_handle":"x","data":1}{"type":"publish","id":1,"channel_handle":1,"data":1}`))
	if err := d.Next(m); err != nil || m.Publish.ChannelHandle != 0 {
		t.Errorf("%v %+v", err, m.Publish)
	}
	if err := d.Next(m); err == nil || err.Error() != "channel is missing" {
		t.Error(err)
	}
	p := Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{Channel: b("a"), ChannelHandle: 7, Payload: jsonData("1")}}}
	d.ResetAs(Binary, p.record(), nil)
	if err := d.Next(m); err != nil || m.Publish.ChannelHandle != 0 {
		t.Errorf("without a table: %v %+v", err, m.Publish)
	}
}
