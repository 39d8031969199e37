package process

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the baton that the tests run, built once.
var binary string

// TestMain builds the binary.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		return m.Run()
	}
	directory, err := os.MkdirTemp("", "baton-process-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(directory) }()
	binary = filepath.Join(directory, "baton")
	build := exec.Command("go", "build", "-o", binary, "github.com/batonmq/baton/cmd/baton")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building baton: %v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// needProcesses skips a test that starts processes where only quick ones run.
func needProcesses(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
}

// patience is how long anything may take that must happen in the end.
const patience = 40 * time.Second

// waitFor looks again until done returns nil, and fails with what was missing.
func waitFor(t *testing.T, what string, done func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}
