package workflow

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write schema.json and the tables of docs/workflows.md anew")

// TestSchemaIsTheGrammar: schema.json is made of the list of keys that Parse has.
func TestSchemaIsTheGrammar(t *testing.T) {
	want := schemaOf(t, newGrammar())
	if *update {
		if err := os.WriteFile("schema.json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(Schema(), want) {
		t.Error("schema.json is not up to date: run make docs")
	}
}

// TestSchemaAccepts what Parse accepts.
func TestSchemaAccepts(t *testing.T) {
	compiled := compiledSchema(t)
	for _, source := range accepted(t) {
		d := mustParse(t, []byte(source))
		for _, text := range []string{source, string(d.Canonical)} {
			if err := compiled.Validate(decoded(t, text)); err != nil {
				t.Errorf("%s\n%v", text, err)
			}
		}
	}
}

// TestSchemaRefuses what is wrong by itself.
func TestSchemaRefuses(t *testing.T) {
	compiled := compiledSchema(t)
	for _, source := range []string{
		"steps: {x: {channel: c, end: true}}",
		"{workflow: a, steps: {x: {chanel: c, end: true}}}",
		"{workflow: a, steps: {x: {channel: c d, end: true}}}",
		"{workflow: a, steps: {x: {channel: c, end: true, timeout: 5}}}",
		"{workflow: a, steps: {x: {channel: c, end: true, retry: {backoff: {jitter: half}}}}}",
		"{workflow: a, steps: {x: {channel: c, next: [{when: true}]}}}",
		"{workflow: a, limits: {l: {rate: {calls: 5}}}, steps: {x: {channel: c, end: true}}}",
		"{workflow: a, on_failure: retry, steps: {x: {channel: c, end: true}}}",
	} {
		if compiled.Validate(decoded(t, source)) == nil {
			t.Errorf("accepted: %s", source)
		}
		if d, _ := Parse([]byte(source)); d != nil {
			t.Errorf("Parse accepts: %s", source)
		}
	}
}

// accepted are all definitions of the test data and of the documentation that have no problems.
func accepted(t *testing.T) []string {
	t.Helper()
	found := append(examples(t), string(readFile(t, "testdata/answer.yaml")))
	for _, name := range []string{"text", "keys", "steps", "graph", "good"} {
		for part := range strings.SplitSeq(string(readFile(t, "testdata/problems/"+name)), "parse\n") {
			if source, _, _ := strings.Cut(part, "----"); strings.Contains(part, "\nversion ") {
				found = append(found, source)
			}
		}
	}
	return found
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	held, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err = compiler.AddResource("workflow.json", held); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("workflow.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func decoded(t *testing.T, source string) any {
	t.Helper()
	var held any
	read := yaml.Unmarshal
	if json.Valid([]byte(source)) {
		read = json.Unmarshal
	}
	if err := read([]byte(source), &held); err != nil {
		t.Fatal(err)
	}
	return held
}

// jsonObject is an object of a schema; package json sorts its keys.
type jsonObject map[string]any

func schemaOf(t *testing.T, g *grammar) []byte {
	t.Helper()
	shapes := jsonObject{}
	for _, s := range g.shapes() {
		shapes[s.name] = shapeSchema(s)
	}
	whole := jsonObject{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Baton workflow definition",
		"$ref":    "#/$defs/definition",
		"$defs":   shapes,
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(whole); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func shapeSchema(s *shape) jsonObject {
	properties := jsonObject{}
	var required []string
	for _, k := range s.keys {
		held := formSchema(k.form)
		held["description"] = strings.TrimSpace(strings.ReplaceAll(k.text, "`", "") + " " + standardText(&k))
		properties[k.name] = held
		if k.required {
			required = append(required, k.name)
		}
	}
	o := jsonObject{"type": "object", "additionalProperties": false, "properties": properties}
	if required != nil {
		o["required"] = required
	}
	return o
}

func standardText(k *key) string {
	if k.standard == "" {
		return ""
	}
	return "Default: " + k.standard + "."
}

const (
	namePattern     = `^[A-Za-z0-9._-]+$`
	durationPattern = `^([0-9]+(ms|s|m|h|d))+$`
)

func formSchema(f form) jsonObject {
	switch f.is {
	case aWord:
		return jsonObject{"enum": f.words}
	case anObject:
		return jsonObject{"$ref": "#/$defs/" + f.shape}
	case aList:
		return jsonObject{"type": "array", "items": formSchema(f.of[0]), "minItems": 1, "maxItems": MaxList}
	case aMap:
		return jsonObject{"type": "object", "additionalProperties": formSchema(f.of[0]), "propertyNames": jsonObject{"pattern": namePattern, "maxLength": MaxNameBytes}}
	case anyOf:
		of := make([]jsonObject, len(f.of))
		for i := range f.of {
			of[i] = formSchema(f.of[i])
		}
		return jsonObject{"anyOf": of}
	case aText, aName, aStep, aCode, anExpression, aDuration, aCount, aFlag, aPercent, aRate, aDecimal:
	}
	return scalarSchema(f.is)
}

// scalarSchema is the schema of a form that needs no more said.
func scalarSchema(is formKind) jsonObject {
	scalar := []string{"string", "number", "boolean"}
	name := jsonObject{"type": scalar, "pattern": namePattern, "maxLength": maxChannelBytes}
	return [...]jsonObject{
		aText:        {"type": scalar},
		aName:        name,
		aStep:        name,
		aCode:        {"type": scalar, "minLength": 1, "maxLength": MaxNameBytes},
		anExpression: {"type": scalar, "minLength": 1, "maxLength": MaxExpressionBytes},
		aDuration:    {"type": "string", "pattern": durationPattern},
		aCount:       {"type": "integer", "minimum": 0},
		aFlag:        {"type": "boolean"},
		aPercent:     {"type": "string", "pattern": `^[0-9]+(\.[0-9]{1,2})? *%$`},
		aRate:        {"type": "string", "pattern": `^ *[0-9]+ */ *([a-z]+|([0-9]+(ms|s|m|h|d))+) *$`},
		aDecimal:     {"type": "number", "minimum": 0},
	}[is]
}

// TestEveryKeyIsTried: the good definitions have each key of the language.
func TestEveryKeyIsTried(t *testing.T) {
	good := string(readFile(t, "testdata/problems/good"))
	for _, s := range newGrammar().shapes() {
		for _, k := range s.keys {
			if !strings.Contains(good, k.name+":") && k.name != "output" {
				t.Errorf("no good definition has %s of %s", k.name, s.name)
			}
		}
	}
}
