// Package docs_test holds the tables in docs/ against the sources: run it with
// -update to write them anew.
package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

var update = flag.Bool("update", false, "write the generated parts of the documents anew")

// TestProtocolTables compares the tables of errors, close codes and numbers.
func TestProtocolTables(t *testing.T) {
	document := open(t, "protocol.md")
	document.compare("errors", wire.ErrorTableMarkdown())
	document.compare("closes", wire.CloseTableMarkdown())
	document.compare("numbers", wire.NumberTableMarkdown())
	document.done()
}

// TestProtocolExample: the record that the document spells out is the one that is
// written.
func TestProtocolExample(t *testing.T) {
	m := wire.Publish{ID: 1, EventFields: wire.EventFields{Channel: []byte("a"), Payload: wire.Payload{Bytes: []byte("1"), Kind: wire.PayloadJSON}}}
	record := wire.AppendPublish(wire.Binary.On(nil), &m).Bytes
	for _, part := range []string{
		fmt.Sprintf("%x %02x %02x %x %x ", record[:4], record[4], record[5], record[6:8], record[8:16]),
		fmt.Sprintf("\n% x  ", record[16:20]), fmt.Sprintf("\n% x  ", record[20:]),
	} {
		if !strings.Contains(open(t, "protocol.md").text, part) {
			t.Errorf("protocol.md does not show %q", part)
		}
	}
}

// TestLimits compares the tables of limits with the constants and fields that
// they come from, so that no limit is missing.
func TestLimits(t *testing.T) {
	document := open(t, "limits.md")
	document.compare("gateway", gatewayLimits(t))
	document.compare("wire", constants(t, "../transport/wire/limits.go"))
	document.compare("transport", constants(t, "../transport/limits.go"))
	document.compare("cluster", constants(t, "../cluster/*.go", "../cluster/duty/*.go", "../cluster/members/*.go", "../cluster/tokens/*.go"))
	document.compare("fsm", constants(t, "../fsm/*.go", "../fsm/command/*.go"))
	document.compare("workflow", constants(t, "../fsm/workflow/*.go"))
	document.compare("auth", constants(t, "../gateway/auth/*.go"))
	document.compare("storage", constants(t, "../storage/*.go", "../storage/raftlog/*.go"))
	document.done()
}

// document is a file with generated parts, between marks.
type document struct {
	t          *testing.T
	name, text string
	changed    bool
}

func open(t *testing.T, name string) *document {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return &document{t: t, name: name, text: string(text)}
}

func (d *document) compare(part, want string) {
	d.t.Helper()
	begin, end := "<!-- generated: "+part+" -->\n", "<!-- end -->\n"
	before, rest, ok := strings.Cut(d.text, begin)
	got, after, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		d.t.Errorf("%s has no part %q", d.name, part)
	case got == want:
	case *update:
		d.text, d.changed = before+begin+want+end+after, true
	default:
		d.t.Errorf("%s: the part %q is not up to date: run make docs", d.name, part)
	}
}

func (d *document) done() {
	d.t.Helper()
	if !d.changed {
		return
	}
	if err := os.WriteFile(d.name, []byte(d.text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// limitName tells limits from other constants.
var limitName = regexp.MustCompile(`^(Max|Min|Default)|(Timeout|Limit|Interval|Stall|Idle|WindowMS|RetentionMS|IntervalMS)$`)

// constants is the table of exported limits among the constants of some files.
func constants(t *testing.T, patterns ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| limit | value | meaning |\n|---|---|---|\n")
	for _, file := range parse(t, patterns) {
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			doc := group.Doc.Text()
			for _, spec := range group.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok || len(value.Values) == 0 {
					continue
				}
				if value.Doc != nil {
					doc = value.Doc.Text()
				}
				if name := value.Names[0].Name; !isText(value.Values[0]) && ast.IsExported(name) && limitName.MatchString(name) {
					_, _ = fmt.Fprintf(&b, "| `%s.%s` | `%s` | %s |\n", file.Name.Name, name, source(t, value.Values[0]), sentence(doc))
				}
			}
		}
	}
	return b.String()
}

func isText(expression ast.Expr) bool {
	literal, ok := expression.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}

// gatewayLimits is the table of the fields of gateway.Limits.
func gatewayLimits(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| limit | metric `baton_gateway_limit` | meaning and default |\n|---|---|---|\n")
	file := parse(t, []string{"../gateway/limits.go"})[0]
	metrics := namedLimits(file)
	ast.Inspect(file, func(n ast.Node) bool {
		declaration, ok := n.(*ast.TypeSpec)
		if !ok || declaration.Name.Name != "Limits" {
			return true
		}
		fields, ok := declaration.Type.(*ast.StructType)
		if !ok {
			return true
		}
		doc := ""
		for _, field := range fields.Fields.List {
			if field.Doc != nil {
				doc = field.Doc.Text()
			}
			name := field.Names[0].Name
			if metrics[name] == "" {
				t.Errorf("gateway.Limits.%s has no metric", name)
			}
			_, _ = fmt.Fprintf(&b, "| `%s` | `limit=\"%s\"` | %s |\n", name, metrics[name], sentence(doc))
		}
		return false
	})
	return b.String()
}

// namedLimits maps the fields to their label in the metric.
func namedLimits(file *ast.File) map[string]string {
	labels := make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.CompositeLit)
		if !ok || len(pair.Elts) != 2 {
			return true
		}
		label, ok := pair.Elts[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		ast.Inspect(pair.Elts[1], func(n ast.Node) bool {
			if field, ok := n.(*ast.SelectorExpr); ok && labels[field.Sel.Name] == "" {
				labels[field.Sel.Name] = strings.Trim(label.Value, `"`)
			}
			return true
		})
		return true
	})
	return labels
}

func parse(t *testing.T, patterns []string) (files []*ast.File) {
	t.Helper()
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	return files
}

func source(t *testing.T, expression ast.Expr) string {
	t.Helper()
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), expression); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sentence is a comment on one line of a table.
func sentence(doc string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(doc), " "), "|", "\\|")
}
