package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/batonmq/baton/node"
)

// documentedNode is where the examples expect a node.
const documentedNode = "http://127.0.0.1:7700"

// startNode runs a cluster of one node, and returns its URL.
func startNode(t *testing.T) string {
	t.Helper()
	n, err := node.New(node.Config{
		Name: "one", DataDir: t.TempDir(), Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	if err := await(t.Context(), func() error { return n.Ready(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	return n.ClientURL()
}

// TestExamples runs the programs in the clients' README files against a node, and
// compares what they print with what stands behind them.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a node and the clients of other languages")
	}
	url := startNode(t)
	t.Run("js", func(t *testing.T) {
		interpreter := needNode(t)
		if interpreter == "" {
			t.Skip("there is no Node to run them")
		}
		built, err := filepath.Abs("../js/dist/index.js")
		if err != nil {
			t.Fatal(err)
		}
		sockets, err := filepath.Abs("../js/node_modules/ws/wrapper.mjs")
		if err != nil {
			t.Fatal(err)
		}
		// Node 20 has no WebSocket, which the README says.
		header := fmt.Sprintf("globalThis.WebSocket ??= (await import(%q)).WebSocket;\n", sockets)
		runExamples(t, "../js/README.md", "js", func(program string) *exec.Cmd {
			program = strings.ReplaceAll(program, `"@batonmq/client"`, fmt.Sprintf("%q", built))
			return exec.CommandContext(t.Context(), interpreter, writeProgram(t, "example.mjs", header+strings.ReplaceAll(program, documentedNode, url)))
		})
	})
	t.Run("python", func(t *testing.T) {
		interpreter := needPython(t)
		if interpreter == "" {
			t.Skip("there is no Python with websockets to run them")
		}
		path, err := filepath.Abs("../python")
		if err != nil {
			t.Fatal(err)
		}
		runExamples(t, "../python/README.md", "python", func(program string) *exec.Cmd {
			command := exec.CommandContext(t.Context(), interpreter, writeProgram(t, "example.py", strings.ReplaceAll(program, documentedNode, url)))
			command.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1")
			return command
		})
	})
}

// runExamples runs each block of code, and compares its output with the block of
// text behind it.
func runExamples(t *testing.T, document, language string, run func(program string) *exec.Cmd) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```.*?```text\n(.*?)```")
	found := block.FindAllSubmatch(text, -1)
	if want := bytes.Count(text, []byte("```"+language+"\n")); len(found) != want || want == 0 {
		t.Fatalf("%s has %d programs, and %d with what they print", document, want, len(found))
	}
	for i, example := range found {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			command := run(string(example[1]))
			var complaints bytes.Buffer
			command.Stderr = &complaints
			output, err := command.Output()
			if err != nil || !bytes.Equal(output, example[2]) {
				t.Errorf("it printed %q, want %q (%v)\n%s", output, example[2], err, complaints.String())
			}
		})
	}
}

func writeProgram(t *testing.T, name, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
