package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0 done, 1 failed, 2 usage.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	var err error
	if len(args) > 0 && args[0] == "worker" {
		err = workerCommand(ctx, args[1:])
	} else {
		err = demoCommand(ctx, args)
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintln(os.Stderr, "baton-demo:", err)
		return 2
	case errors.Is(err, context.Canceled) && ctx.Err() != nil && !slices.Contains(args, "--once") && !slices.Contains(args, "-once"):
		return 0 // Ctrl-C while something was being waited for
	default:
		_, _ = fmt.Fprintln(os.Stderr, "baton-demo:", err)
		return 1
	}
}

// stopSignals end the demo, children and all. A terminal that closes is one of
// them, unless nohup has it ignored.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// errUsage marks errors of the command line.
var errUsage = errors.New("see baton-demo --help")
