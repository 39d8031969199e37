package fleet

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Run is the rest of a TestMain that has parsed its flags: it builds the binary,
// unless only quick tests run, and runs the tests.
func Run(m *testing.M, binary *string) (exitCode int) {
	if testing.Short() {
		return m.Run()
	}
	built, remove, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	*binary = built
	return m.Run()
}

// build builds the binary in a directory of its own, which remove removes.
func build() (binary string, remove func(), err error) {
	root, err := sources()
	if err != nil {
		return "", nil, err
	}
	directory, err := os.MkdirTemp("", "baton-fleet-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(directory) }
	binary = filepath.Join(directory, "baton")
	compile := exec.Command("go", "build", "-o", binary, "./cmd/baton")
	compile.Dir = root
	if output, err := compile.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("building baton: %w\n%s", err, output)
	}
	return binary, remove, nil
}

// sources finds the module's folder, and looks at every file in it. The go
// command takes a test's result from its cache unless something changed that the
// test itself looked at: what only the compiler reads would not count, and a
// broken node would pass. What is looked at before testing.M runs does not count
// either, which is why Start does this again.
func sources() (root string, err error) {
	if root, err = os.Getwd(); err != nil {
		return "", err
	}
	for {
		if _, err = os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(root) == root {
			return "", fmt.Errorf("looking for the module's folder: %w", err)
		}
		root = filepath.Dir(root)
	}
	return root, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		return nil // WalkDir reads the folder, which is what counts.
	})
}
