package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// asyncDocument is what is looked at of the AsyncAPI document.
type asyncDocument struct {
	AsyncAPI string
	Channels map[string]struct {
		Address  string
		Messages map[string]any
		Closes   []struct {
			Code          int
			Name, Meaning string
			Reconnect     bool
		} `json:"x-close-codes"`
	}
	Operations map[string]struct {
		Action   string
		Messages []link
		Reply    struct{ Messages []link }
	}
	Components struct {
		Messages map[string]struct {
			Name, Summary string
			Payload       link
			Examples      []struct{ Payload json.RawMessage }
		}
		Schemas schemas
	}
}

// link is a reference to another part of the document.
type link struct {
	Ref string `json:"$ref"`
}

// sides are who writes messages, and which of the codec's golden lines are theirs.
var sides = []struct {
	name, action, golden string
	side                 wire.Side
}{
	{"client", "receive", "../transport/wire/testdata/client.jsonl", wire.FromClient},
	{"server", "send", "../transport/wire/testdata/server.jsonl", wire.FromServer},
}

func asyncAPIOf(t *testing.T) (d asyncDocument) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(newEdge(t).get(t, "/asyncapi.json", 200, "")))
	if err := decoder.Decode(&d); err != nil || d.AsyncAPI != "3.0.0" {
		t.Fatalf("%v, %s", err, d.AsyncAPI)
	}
	return d
}

// TestAsyncAPITypes: the document that is served has each type of each side, as a message
// with a schema, in the channel and in an operation, and no other.
func TestAsyncAPITypes(t *testing.T) {
	d := asyncAPIOf(t)
	var want []string
	for _, side := range sides {
		for kind := wire.TypeUnknown + 1; kind < wire.TypeCount; kind++ {
			if kind.SentBy(side.side) {
				want = append(want, side.name+"."+kind.String())
			}
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(d.Components.Messages)); !slices.Equal(got, want) {
		t.Errorf("messages are\n%v\nwant\n%v", got, want)
	}
	session := d.Channels["session"]
	if got := slices.Sorted(maps.Keys(session.Messages)); !slices.Equal(got, want) || session.Address != "/ws" {
		t.Errorf("%s has\n%v\nwant\n%v", session.Address, got, want)
	}
	checkOperations(t, &d, want)
	for name, m := range d.Components.Messages {
		if m.Summary == "" || m.Payload.Ref != "#/components/schemas/"+name || !strings.HasSuffix(name, "."+m.Name) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// checkOperations: each message is in the operation of its name, or a reply, and what a
// client says is to be received.
func checkOperations(t *testing.T, d *asyncDocument, want []string) {
	t.Helper()
	used := make(map[string]bool)
	for name, o := range d.Operations {
		side, _, _ := strings.Cut(name, ".")
		for _, m := range o.Messages {
			message := strings.TrimPrefix(m.Ref, "#/channels/session/messages/")
			used[message] = true
			if message != name || o.Action != map[string]string{"client": "receive", "server": "send"}[side] {
				t.Errorf("%s is to %s %s", name, o.Action, message)
			}
		}
		for _, m := range o.Reply.Messages {
			used[strings.TrimPrefix(m.Ref, "#/channels/session/messages/")] = true
		}
	}
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, want) {
		t.Errorf("operations are for\n%v\nwant\n%v", got, want)
	}
}

// TestAsyncAPITables: reasons and close codes are those of the codec.
func TestAsyncAPITables(t *testing.T) {
	d := asyncAPIOf(t)
	var reasons []any
	for _, info := range wire.Reasons() {
		reasons = append(reasons, string(info.Reason))
	}
	if got := d.Components.Schemas["Reason"].Examples; !slices.Equal(got, reasons) {
		t.Errorf("reasons are\n%v\nwant\n%v", got, reasons)
	}
	closes := d.Channels["session"].Closes
	if len(closes) != len(wire.CloseCodes()) {
		t.Fatalf("there are %d close codes, want %d", len(closes), len(wire.CloseCodes()))
	}
	for i, info := range wire.CloseCodes() {
		c := closes[i]
		if c.Code != int(info.Code) || c.Name != info.Name || c.Meaning != info.Meaning || c.Reconnect != info.Code.Reconnect() {
			t.Errorf("%+v, want %+v", c, info)
		}
	}
}

// TestAsyncAPIFields holds the schemas to the codec, in both directions. Each line of the
// codec's golden files, in which every field of every type is, is valid and has no field
// that is not described. And each message that is made of a schema, with every field left
// out, at and beyond each of its bounds and of every other kind, is decoded if it is
// valid, and refused if not.
func TestAsyncAPIFields(t *testing.T) {
	d := asyncAPIOf(t)
	all := d.Components.Schemas
	for _, side := range sides {
		lines := goldenLines(t, side.golden)
		for kind := wire.TypeUnknown + 1; kind < wire.TypeCount; kind++ {
			if !kind.SentBy(side.side) {
				continue
			}
			name := side.name + "." + kind.String()
			s := all[name]
			bases := []map[string]any{all.least(s)}
			for _, m := range lines[kind.String()] {
				all.unknown(t, s, m, name)
				if !all.valid(s, m) {
					t.Errorf("%s: the codec writes %v, which is not valid", name, m)
				}
				bases = append(bases, m)
			}
			if len(bases) == 1 {
				t.Errorf("%s has no golden line", name)
			}
			for _, base := range bases {
				for _, variant := range all.variants(s, base) {
					object := variant.(map[string]any)
					valid := all.valid(s, object)
					if !valid && spared(side.side, kind, object, all.lacks(s, object) || len(object) < len(base)) {
						continue
					}
					compareDecoding(t, side.side, name, object, valid)
				}
			}
			requireWhatIsWritten(t, side.side, name, s, lines[kind.String()])
		}
	}
}

// spared tells whether a message that is not valid may be decoded all the same: a node
// writes more than a client needs, and no empty text where a client would take it; in a
// cancel an empty text is one that is not there.
func spared(side wire.Side, kind wire.Type, object map[string]any, less bool) bool {
	empty := slices.ContainsFunc(slices.Collect(maps.Values(object)), func(v any) bool { return v == "" })
	return side == wire.FromServer && (less || empty) || kind == wire.TypeCancel && object["correlation_id"] == ""
}

// compareDecoding holds what the schema says of a message against what the codec does.
func compareDecoding(t *testing.T, side wire.Side, name string, object map[string]any, valid bool) { //nolint:revive // the flag is compared
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	decoder := wire.NewDecoder(side)
	decoder.Reset(text)
	var m wire.Message
	err = decoder.Next(&m)
	if decoded := err == nil; decoded != valid && !errors.Is(err, io.EOF) {
		t.Errorf("%s: valid is %v, and decoding says %v: %.300s", name, valid, err, text)
	}
}

// requireWhatIsWritten: required of a node's message is what all lines of its type have.
func requireWhatIsWritten(t *testing.T, side wire.Side, name string, s *schema, lines []map[string]any) {
	t.Helper()
	if side == wire.FromClient || len(lines) < 2 {
		return
	}
	always := slices.DeleteFunc(slices.Sorted(maps.Keys(lines[0])), func(field string) bool {
		return slices.ContainsFunc(lines, func(m map[string]any) bool { _, ok := m[field]; return !ok })
	})
	for _, field := range s.Required {
		if !slices.Contains(always, field) {
			t.Errorf("%s: %s is required, and not always written", name, field)
		}
	}
}

// TestAsyncAPIExamples: each message has an example, which is valid and decoded.
func TestAsyncAPIExamples(t *testing.T) {
	d := asyncAPIOf(t)
	for _, side := range sides {
		for name, m := range d.Components.Messages {
			if !strings.HasPrefix(name, side.name+".") {
				continue
			}
			if len(m.Examples) == 0 {
				t.Errorf("%s has no example", name)
			}
			for _, example := range m.Examples {
				decoder := wire.NewDecoder(side.side)
				decoder.Reset(example.Payload)
				var got wire.Message
				if err := decoder.Next(&got); err != nil || got.Type.String() != m.Name {
					t.Errorf("%s: %v in %s", name, err, example.Payload)
				}
				if !d.Components.Schemas.valid(d.Components.Schemas[name], plainJSON(t, example.Payload)) {
					t.Errorf("%s: the example is not valid: %s", name, example.Payload)
				}
			}
		}
	}
}

// goldenLines are messages that the codec writes, by type.
func goldenLines(t *testing.T, file string) map[string][]map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string][]map[string]any)
	for line := range bytes.Lines(text) {
		m, _ := plainJSON(t, line).(map[string]any)
		kind, _ := m["type"].(string)
		lines[kind] = append(lines[kind], m)
	}
	return lines
}
