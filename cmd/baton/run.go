package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// The exit codes.
const (
	exitDone        = 0
	exitRefused     = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// terminal is where a verb reads and writes.
type terminal struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a mistake in how a verb was called.
type usageError struct{ err error }

// Error implements error.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake.
func (e *usageError) Unwrap() error { return e.err }

func misuse(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errSilent ends a verb with exit code 1 that has said what is wrong already.
var errSilent = errors.New("failed")

// run is main without the process around it.
func run(args []string, t *terminal) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals: // Twice means at once.
			os.Exit(exitRefused)
		case <-done:
		}
	}()

	root := newRoot(t)
	root.SetArgs(args)
	began := false
	onRun(root, func() { began = true })
	verb, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		// Cobra's own errors: an unknown verb or flag, a flag that is missing.
		err = &usageError{err}
	}
	return report(t, verb, err)
}

// onRun has begin called when a verb itself begins, after everything that cobra
// checks.
func onRun(cmd *cobra.Command, begin func()) {
	if inner := cmd.RunE; inner != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			begin()
			return inner(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		onRun(child, begin)
	}
}

// report says what went wrong, and returns the exit code for it.
func report(t *terminal, verb *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if errors.Is(err, errSilent) {
		return code
	}
	_, _ = fmt.Fprintf(t.err, "%s: %s\n", verb.CommandPath(), strings.TrimPrefix(err.Error(), "client: "))
	if _, ok := errors.AsType[*usageError](err); ok {
		_, _ = fmt.Fprintf(t.err, "Try %s --help.\n", verb.CommandPath())
	}
	return code
}

func exitCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*node.ConfigError](err); ok {
		return exitUsage
	}
	if failed, ok := errors.AsType[*client.ConnectError](err); ok && failed.Refusal == nil {
		return exitUnreachable
	}
	if _, ok := errors.AsType[*client.Error](err); ok {
		return exitRefused
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return exitUnreachable
	}
	return exitRefused
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "baton",
		Short: "An embedded, clustered broker for AI features",
		Long: `Baton carries a client's event through worker steps and back to the client, on
a replicated cluster that loses nothing.

A five-minute tour, each line in a shell of its own:

  baton serve
  baton work --channel questions --notify answer -- tr a-z A-Z
  baton listen --client-id ana
  baton publish --channel questions --client-id ana '"what is a baton?"'`,
		Version:       node.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	root.AddCommand(
		newServe(t), newPublish(t), newNotify(t), newListen(t), newFollow(t), newRead(t), newWork(t), newTrace(t), newWhy(t), newCancel(t), newEvents(t), newDeadletters(t), newLease(t), newChannel(t), newWorkflow(t), newRun(t), newSchedule(t), newMessage(t), newClient(t), newTenant(t), newToken(t), newCluster(t), newBench(t), newVersion(t),
	)
	return root
}
