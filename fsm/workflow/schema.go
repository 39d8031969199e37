package workflow

import (
	"bytes"
	_ "embed"
)

// schema is made of the grammar by the tests, with -update.
//
//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of definitions, for editors. What it accepts may
// still have problems: it knows nothing of what leads where.
func Schema() []byte { return bytes.Clone(schema) }
