package process

import (
	"flag"
	"os"
	"testing"

	"github.com/batonmq/baton/test/fleet"
)

// binary is the baton that the tests run, built once.
var binary string

// TestMain builds the binary.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(fleet.Run(m, &binary))
}

// needProcesses skips a test that starts processes where only quick ones run.
func needProcesses(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
}
