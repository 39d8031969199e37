package main

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/batonmq/baton/node"
)

// TestMain lets the scripts run this binary as baton.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"baton": main})
}

// TestScripts runs testdata/script: each is a session in a shell, and the
// specification of what a verb prints and returns.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", "") }

// TestNodeScripts runs testdata/node against a node in this process.
func TestNodeScripts(t *testing.T) {
	n, err := node.New(node.Config{
		Name: "script", DataDir: t.TempDir(), Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err = n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if stopErr := n.Stop(context.WithoutCancel(ctx)); stopErr != nil {
			t.Error(stopErr)
		}
	}()
	for err = n.Ready(ctx); err != nil; err = n.Ready(ctx) {
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	// In a group, so that the node outlives the scripts, which run in parallel.
	t.Run("with", func(t *testing.T) { runScripts(t, "testdata/node", n.ClientURL()) })
}

func runScripts(t *testing.T, dir, nodes string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("BATON_NODES", nodes)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
