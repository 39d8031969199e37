package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// hangUpVariable has TestHangUp wait for the signal instead of sending it.
const hangUpVariable = "DEMO_TEST_HANG_UP"

// TestHangUp: a terminal that closes ends the demo in order, but for one that was
// started under nohup.
func TestHangUp(t *testing.T) {
	if os.Getenv(hangUpVariable) != "" {
		for _, s := range stopSignals() {
			if s == syscall.SIGHUP {
				t.Fatal("SIGHUP ends what was started under nohup")
			}
		}
		return
	}
	ctx, stop := signal.NotifyContext(t.Context(), stopSignals()...)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SIGHUP is ignored here")
	}
	if err = self.Signal(syscall.SIGHUP); err != nil {
		t.Skip("there is no SIGHUP here:", err)
	}
	if <-ctx.Done(); ctx.Err() != context.Canceled {
		t.Fatalf("it goes on: %v", ctx.Err())
	}
	nohup, err := exec.LookPath("nohup")
	if err != nil {
		t.Skip(err)
	}
	under := exec.CommandContext(t.Context(), nohup, os.Args[0], "-test.run=^TestHangUp$", "-test.short") // which builds nothing
	under.Env = append(os.Environ(), hangUpVariable+"=1")
	if output, err := under.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}
