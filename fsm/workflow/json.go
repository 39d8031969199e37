package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// jsonReader reads JSON into nodes. It does not leave that to the YAML package: YAML knows
// no surrogate pairs in \u, and a canonical text must be read the same for ever.
type jsonReader struct {
	source  []byte
	decoder *json.Decoder
	// offset is up to where lines were counted, start where the line began.
	offset, start, line int
}

// readJSON reads a text that is valid JSON.
func readJSON(source []byte) (*node, error) {
	r := &jsonReader{source: source, decoder: json.NewDecoder(bytes.NewReader(source)), line: 1}
	r.decoder.UseNumber()
	return r.next(1)
}

// next reads a value with all that is in it.
func (r *jsonReader) next(depth int) (*node, error) {
	n := r.place()
	if depth > maxDepth {
		return nil, &fault{line: n.line, column: n.column, message: fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, &fault{line: n.line, column: n.column, message: err.Error()}
	}
	switch held := token.(type) {
	case nil:
		n.kind = kindNothing
	case string:
		n.kind, n.text = kindText, held
	case json.Number:
		n.kind, n.text = kindNumber, held.String()
	case bool:
		n.kind, n.text = kindFlag, fmt.Sprint(held)
	case json.Delim:
		return n, r.fill(n, held, depth)
	}
	return n, nil
}

// fill reads what is in a list or an object, and its end.
func (r *jsonReader) fill(n *node, open json.Delim, depth int) error {
	n.kind = kindList
	if open == '{' {
		n.kind = kindObject
	}
	for r.decoder.More() {
		first, err := r.next(depth + 1)
		if err != nil {
			return err
		}
		if n.kind == kindList {
			n.items = append(n.items, first)
			continue
		}
		held, err := r.next(depth + 1)
		if err != nil {
			return err
		}
		n.entries = append(n.entries, entry{first, held})
	}
	_, err := r.decoder.Token()
	return err
}

// place is where the next token begins: behind the last one, and what separates them.
func (r *jsonReader) place() *node {
	end := int(r.decoder.InputOffset())
	for end < len(r.source) && bytes.IndexByte([]byte(" \t\r\n,:"), r.source[end]) >= 0 {
		end++
	}
	for ; r.offset < end; r.offset++ {
		if r.source[r.offset] == '\n' {
			r.line++
			r.start = r.offset + 1
		}
	}
	return &node{line: r.line, column: end - r.start + 1}
}
