package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/batonmq/baton/"

// layers is who may import whom, by folder: a package may import, of this module,
// just what its entry names. A folder without an entry is an error. The test parses
// the sources itself: one that asked the go command would stay cached and green
// after the rule breaks.
var layers = map[string][]string{
	"bench":               {"client", "transport/wire"},
	"client":              {"transport/wire"},
	"client/conformance":  {},
	"cluster":             {"cluster/duty", "cluster/members", "cluster/tokens", "fsm", "fsm/command", "internal/invariants", "storage", "storage/raftlog", "transport"},
	"cluster/duty":        {"fsm", "fsm/command", "storage"},
	"cluster/members":     {"fsm/command"},
	"cluster/tokens":      {"fsm", "fsm/command"},
	"cmd/baton":           {"bench", "client", "fsm/engine/play", "fsm/workflow", "internal/invariants", "node", "transport/wire"},
	"cmd/baton-demo":      {"client", "transport/wire"},
	"docs":                {},
	"fsm":                 {"fsm/command", "fsm/engine", "fsm/workflow", "internal/invariants", "storage"},
	"fsm/command":         {},
	"fsm/engine":          {"fsm/command", "fsm/workflow"},
	"fsm/engine/play":     {"fsm/command", "fsm/engine", "fsm/workflow"},
	"fsm/workflow":        {},
	"gateway":             {"cluster", "fsm/command", "fsm/workflow", "gateway/auth", "internal/invariants", "transport/wire"},
	"gateway/auth":        {"fsm/command", "transport/wire"},
	"internal/invariants": {},
	"node":                {"cluster", "cluster/members", "fsm/command", "gateway", "gateway/auth", "storage", "storage/raftlog", "transport"},
	"storage":             {"internal/invariants"},
	"storage/raftlog":     {"internal/invariants", "storage"},
	"test":                {},
	"test/fleet":          {"client", "test/history"},
	"test/history":        {},
	"test/process":        {},
	"test/sim":            {},
	"test/story":          {},
	"transport":           {"internal/invariants"},
	"transport/wire":      {},
}

// TestImportsFollowTheLayers holds the sources, tests left out, to the table.
func TestImportsFollowTheLayers(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || entry.Name() == "node_modules" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		checked++
		checkFile(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 100 {
		t.Fatalf("only %d files were found: the walk does not see the sources", checked)
	}
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	from, err := filepath.Rel("..", filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	from = filepath.ToSlash(from)
	allowed, known := layers[from]
	if !known {
		t.Errorf("%s: the folder %q is not in the table of layers", path, from)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(imported, "github.com/cockroachdb/pebble") && from != "storage" {
			t.Errorf("%s imports %s: only storage speaks to Pebble", path, imported)
		}
		to, ours := strings.CutPrefix(imported, module)
		if ours && !slices.Contains(allowed, to) {
			t.Errorf("%s: %s may not import %s", path, from, to)
		}
	}
}
