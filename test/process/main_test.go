package process

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/batonmq/baton/test/fleet"
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
	built, remove, err := fleet.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	binary = built
	return m.Run()
}

// needProcesses skips a test that starts processes where only quick ones run.
func needProcesses(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
}
