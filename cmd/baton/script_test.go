package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this binary as baton.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"baton": main})
}

// TestScripts runs testdata/script: each is a session in a shell, and the
// specification of what a verb prints and returns.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
