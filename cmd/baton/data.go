package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/transport/wire"
)

// dataOf is what bytes from outside mean: one JSON value is that value, other
// UTF-8 text a JSON string without the newlines at its end, everything else
// bytes.
func dataOf(raw []byte) (client.Payload, error) {
	if value := bytes.TrimSpace(raw); wire.ValidJSON(value) {
		return client.Raw(value), nil
	}
	if !utf8.Valid(raw) {
		return client.Bytes(raw), nil
	}
	encoded, err := json.Marshal(string(bytes.TrimRight(raw, "\r\n")))
	if err != nil {
		return client.Payload{}, fmt.Errorf("encoding text: %w", err)
	}
	return client.Raw(encoded), nil
}

// printJSON writes v as one line.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// clean makes text from outside fit for a terminal: no control characters.
func clean(text string) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, []byte(text)))
}

// printRaw prints an answer as it came.
func printRaw(w io.Writer, raw []byte) error {
	_, err := fmt.Fprintf(w, "%s\n", bytes.TrimSpace(raw))
	return err
}
