package conformance

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestJavaScript runs the JavaScript client's own tests, and builds it anew: what is
// in the repository must be what its sources come to.
func TestJavaScript(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Node")
	}
	node := needNode(t)
	if node == "" {
		t.Skip("there is no Node to run it")
	}
	tests, err := filepath.Glob("../js/test/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests were found (%v)", err)
	}
	must(t, "", node, append([]string{"--test", "--test-force-exit", "--test-timeout=60000"}, tests...)...)

	built := t.TempDir()
	must(t, "../js", node, "node_modules/typescript/bin/tsc", "--project", "tsconfig.json", "--outDir", built)
	if fresh, kept := files(t, built), files(t, "../js/dist"); len(fresh) != len(kept) {
		t.Errorf("client/js/dist has %d files, its sources come to %d: npm run build", len(kept), len(fresh))
	} else {
		for name, content := range fresh {
			if !bytes.Equal(content, kept[name]) {
				t.Errorf("client/js/dist/%s is not what its source comes to: npm run build", name)
			}
		}
	}
	if lock, err := os.ReadFile("../js/package-lock.json"); err != nil || bytes.Contains(lock, []byte(`"resolved"`)) {
		t.Errorf("package-lock.json must not say where packages come from (%v)", err)
	}
}

// TestPython runs the Python client's own tests, and checks its types where mypy is
// installed.
func TestPython(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Python")
	}
	interpreter := needPython(t)
	if interpreter == "" {
		t.Skip("there is no Python with websockets to run it")
	}
	must(t, "../python", interpreter, "-B", "-m", "unittest", "discover", "-s", "tests")
	mypy, err := exec.LookPath("mypy")
	if err != nil {
		t.Log("there is no mypy on this machine: types are not checked")
		return
	}
	must(t, "../python", mypy, "--strict", "--cache-dir", t.TempDir(), "baton")
}

// must runs a command, and fails with what it prints.
func must(t *testing.T, directory, name string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = directory
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, output)
	}
}

// files are the contents of a folder, by name.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[name], err = os.ReadFile(filepath.Join(folder, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
