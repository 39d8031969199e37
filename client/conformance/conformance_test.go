package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
)

// scenario is one case of cases.json.
type scenario struct {
	Name string `json:"name"`
	// By is the only language that runs it, after the others' cases; empty for all.
	By    string            `json:"by"`
	Steps []json.RawMessage `json:"steps"`
}

const casesFile = "cases.json"

// together is what names begin with in the cases that languages run one after
// the other.
const together = "together"

func cases(t *testing.T) []scenario {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []scenario }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

// casesFor is what a language runs: one case by its name, or all that are for all.
func casesFor(t *testing.T, only string) []scenario {
	t.Helper()
	var chosen []scenario
	for _, c := range cases(t) {
		if c.Name == only || only == "" && c.By == "" {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// TestConformance has every language run the cases against one cluster, one
// language after the other, and then those in which they follow one another.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster and the clients of other languages")
	}
	c := startCluster(t)
	k := newControl(t, c)
	runs := map[string]func(t *testing.T, only string){
		"go":        func(t *testing.T, only string) { t.Helper(); runGo(t, k, client.JSON, only) },
		"go-binary": func(t *testing.T, only string) { t.Helper(); runGo(t, k, client.Binary, only) },
	}
	for _, p := range programs(t, k) {
		runs[p.name] = p.run
	}
	languages := []string{"go", "go-binary", "js", "python"}
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			if runs[language] == nil {
				t.Skip("this language's half cannot run here: see above")
			}
			runs[language](t, "")
		})
	}
	t.Run("together", func(t *testing.T) {
		if len(runs) < len(languages) {
			t.Skip("not all languages can run here")
		}
		for _, one := range cases(t) {
			if one.By != "" {
				runs[one.By](t, one.Name)
			}
		}
	})
}

// programs are the other languages that can run here.
func programs(t *testing.T, k *control) []program {
	t.Helper()
	file, err := filepath.Abs(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	env := func(run string) []string {
		return []string{
			"BATON_TOGETHER=" + together, "BATON_NODES=" + strings.Join(k.cluster.urls(), ","), "BATON_CONTROL=" + k.server.URL, "BATON_CASES=" + file, "BATON_RUN=" + run,
		}
	}
	var found []program
	if node := needNode(t); node != "" {
		found = append(found, program{"js", []string{node, "../js/test/conformance.mjs"}, env("js")})
	}
	if python := needPython(t); python != "" {
		found = append(found, program{"python", []string{python, "../python/tests/conformance.py"}, env("python")})
	}
	return found
}

// needNode finds Node, and installs what the client needs there for its tests.
func needNode(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Log("js: there is no node on this machine: install Node 20 or later")
		return ""
	}
	if _, err := os.Stat("../js/node_modules/ws/package.json"); err == nil {
		return path
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = "../js"
	if output, err := install.CombinedOutput(); err != nil {
		t.Logf("js: npm ci in client/js: %v\n%s", err, output)
		return ""
	}
	return path
}

// python is Debian's, for which it packages websockets.
const python = "/usr/bin/python3"

// needPython finds Python with the package websockets, or installs that.
func needPython(t *testing.T) string {
	t.Helper()
	has := func() bool { return exec.CommandContext(t.Context(), python, "-c", "import websockets").Run() == nil }
	if has() {
		return python
	}
	if os.Geteuid() == 0 {
		output, err := exec.CommandContext(t.Context(), "apt-get", "install", "-y", "python3-websockets").CombinedOutput()
		if err == nil && has() {
			return python
		}
		t.Logf("python: apt-get install python3-websockets: %v\n%s", err, output)
	}
	t.Logf("python: %s has no package websockets: install python3-websockets", python)
	return ""
}
