package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/batonmq/baton/transport/wire"
)

// Events of CloudEvents 1.0 become publishes:
//
//	type                   channel, unless ?channel= names one
//	source and id          the idempotency key
//	partitionkey, subject  the key: the first that there is
//	datacontenttype        content_type
//	data, data_base64      data
//	traceparent, tracestate   headers of that name
//	every attribute        a header, ce- and its name
//
// client_id and tenant come from the query.

// cloudEvent is an event's attributes as text, and its data.
type cloudEvent struct {
	attributes map[string]string
	payload    wire.Payload
}

const badCloudEvent = "not a CloudEvent: "

// publish is the event as the body of a publish, which is checked as any other.
func (e *cloudEvent) publish(query url.Values) ([]byte, refusal) {
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if e.attributes[name] == "" {
			return nil, refusal{wire.ReasonBadRequest, badCloudEvent + name + " is missing"}
		}
	}
	if version := e.attributes["specversion"]; version != "1.0" {
		return nil, refusal{wire.ReasonBadRequest, badCloudEvent + "specversion must be 1.0, not " + clip(version, 16)}
	}
	channel := query.Get("channel")
	if channel == "" {
		channel = e.attributes["type"]
	}
	if !wire.ValidName(channel) {
		return nil, refusal{wire.ReasonBadRequest, "the type of a CloudEvent names its channel, and " +
			clip(channel, 64) + " is no name of one: say ?channel="}
	}
	m := wire.Emit{ClientID: []byte(query.Get("client_id")), Tenant: []byte(query.Get("tenant"))}
	m.Channel, m.IdempotencyKey, m.Payload = []byte(channel), []byte(e.idempotencyKey()), e.payload
	m.Key = []byte(e.attributes["partitionkey"])
	if len(m.Key) == 0 {
		m.Key = []byte(e.attributes["subject"])
	}
	m.ContentType = []byte(e.attributes["datacontenttype"])
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		header := "ce-" + name
		if name == "traceparent" || name == "tracestate" {
			header = name
		}
		m.Headers = append(m.Headers, wire.Header{Name: []byte(header), Value: []byte(e.attributes[name])})
	}
	return wire.AppendBody(nil, &m), refusal{}
}

// idempotencyKey says the same for the same source and id only: a source is a URI,
// which has no space.
func (e *cloudEvent) idempotencyKey() string {
	key := e.attributes["source"] + " " + e.attributes["id"]
	if len(key) <= wire.MaxIdempotencyKeyBytes && !strings.Contains(e.attributes["source"], " ") {
		return key
	}
	sum := sha256.Sum256([]byte(e.attributes["source"] + "\x00" + e.attributes["id"]))
	return "ce " + hex.EncodeToString(sum[:])
}

// structuredEvent reads an event in structured mode: one JSON object.
func structuredEvent(body []byte) (*cloudEvent, refusal) {
	bad := func(format string, args ...any) (*cloudEvent, refusal) {
		return nil, refusal{wire.ReasonBadRequest, badCloudEvent + fmt.Sprintf(format, args...)}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return bad("the body must be one JSON object")
	}
	e := &cloudEvent{attributes: make(map[string]string, len(fields))}
	data, encoded := fields["data"], fields["data_base64"]
	delete(fields, "data")
	delete(fields, "data_base64")
	for name, raw := range fields {
		text, ok := attributeText(raw)
		if !attributeName(name) || !ok {
			return bad("the attribute %s must have a name of a-z and 0-9, and a string, number or boolean", clip(name, 64))
		}
		if text != "" {
			e.attributes[name] = text
		}
	}
	switch {
	case data != nil && encoded != nil:
		return bad("it has data and data_base64")
	case encoded != nil:
		var decoded []byte
		if err := json.Unmarshal(encoded, &decoded); err != nil {
			return bad("data_base64 must be a string of padded base64")
		}
		e.payload = wire.Payload{Kind: wire.PayloadBytes, Bytes: decoded}
	default:
		e.payload = jsonOrNull(data)
	}
	return e, refusal{}
}

// attributeText is an attribute as CloudEvents write it as text; empty for null.
func attributeText(raw json.RawMessage) (string, bool) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return "", false
	}
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	default:
		return "", false
	}
}

// attributeName: 1 to 64 of a-z and 0-9. The specification has 20 as a recommendation.
func attributeName(name string) bool {
	return len(name) > 0 && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// binaryEvent reads an event in binary mode: attributes are headers, the body is the
// data.
func binaryEvent(header http.Header, body []byte) (*cloudEvent, refusal) {
	e := &cloudEvent{attributes: make(map[string]string)}
	for name, values := range header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok {
			continue
		}
		value, err := url.PathUnescape(values[0])
		if err != nil || len(values) > 1 || !attributeName(attribute) {
			return nil, refusal{wire.ReasonBadRequest, badCloudEvent + "the header " + clip(name, 64) + " must be there once, percent-encoded"}
		}
		e.attributes[attribute] = value
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := header.Get(name); value != "" && e.attributes[name] == "" {
			e.attributes[name] = value
		}
	}
	kind := header.Get("Content-Type")
	if kind != "" {
		e.attributes["datacontenttype"] = kind
	}
	switch {
	case len(body) == 0:
		e.payload = jsonOrNull(nil)
	case !isJSON(kind):
		e.payload = wire.Payload{Kind: wire.PayloadBytes, Bytes: body}
	case !wire.ValidJSON(body):
		return nil, refusal{wire.ReasonBadRequest, badCloudEvent + "the data must be one JSON value, as its content type says"}
	default:
		e.payload = jsonOrNull(bytes.TrimSpace(body))
	}
	return e, refusal{}
}

// isJSON tells whether a content type is JSON's; none is.
func isJSON(kind string) bool {
	media, _, err := mime.ParseMediaType(kind)
	return kind == "" || err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

func jsonOrNull(data []byte) wire.Payload {
	if len(data) == 0 {
		data = []byte("null")
	}
	return wire.Payload{Kind: wire.PayloadJSON, Bytes: data}
}
