package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

// runFlags are the flags of what may be asked of a run.
type runFlags struct {
	target

	request client.RunRequest
	data    string
}

func (f *runFlags) addReason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.request.Reason, "reason", "", "why, for the run and its workers")
}

func (f *runFlags) addCode(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.request.Code, "code", "", "the error code to end with")
}

func (f *runFlags) addData(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.data, "data", "", usage+"; - reads standard input")
}

// ask does what a verb asks of a run, and prints done and the run.
func (f *runFlags) ask(cmd *cobra.Command, t *terminal, id string, action client.RunAction, done string) error {
	if given := cmd.Flags().Lookup("data"); given != nil && given.Changed {
		var err error
		if f.request.Data, err = argument(t.in, []string{f.data}); err != nil {
			return err
		}
		f.request.HasData = true
	}
	return f.say(cmd.Context(), t, id, action, done)
}

func (f *runFlags) say(ctx context.Context, t *terminal, id string, action client.RunAction, done string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	found, err := h.ControlRun(ctx, id, action, f.request)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, map[string]string{"run_id": found, "what": string(action)})
	}
	_, err = fmt.Fprintf(t.out, "%s %s\n", done, found)
	return err
}

func newRunCancel(t *terminal) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "cancel RUN",
		Short: "Cancel a run, and compensate what its workflow says",
		Example: `  baton run cancel $id --reason "asked twice"
  baton run cancel $id --no-compensation`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, t, args[0], client.RunCancel, "canceling")
		},
	}
	addTarget(cmd, &f.target)
	f.addReason(cmd)
	f.addCode(cmd)
	cmd.Flags().BoolVar(&f.request.NoCompensation, "no-compensation", false, "undo nothing")
	return cmd
}

func newRunPause(t *terminal) *cobra.Command {
	return newRunVerb(t, "pause", "Begin no further step of a run, and give its jobs to nobody", client.RunPause, "paused")
}

func newRunResume(t *terminal) *cobra.Command {
	return newRunVerb(t, "resume", "Go on with a run that is paused", client.RunResume, "resumed")
}

func newRunVerb(t *terminal, verb, short string, action client.RunAction, done string) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:     verb + " RUN",
		Short:   short,
		Example: "  baton run " + verb + " $id",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, t, args[0], action, done)
		},
	}
	addTarget(cmd, &f.target)
	f.addReason(cmd)
	return cmd
}

func newRunResolve(t *terminal) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "resolve RUN retry|skip|fail",
		Short: "Say how a run with an incident goes on",
		Long: `Resolve ends a run's incident. Retry tries again what failed, with --data as its input
where that is given; skip goes on as if it had come to --data; fail gives it up, with
--code, and the run goes on as its workflow says of failures.`,
		Example: `  baton run resolve $id retry --data '{"text":"shorter"}'
  baton run resolve $id skip --data null
  baton run resolve $id fail --code given_up`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"retry", "skip", "fail"},
		RunE: func(cmd *cobra.Command, args []string) error {
			done, known := map[string]string{"retry": "retrying", "skip": "skipped in", "fail": "given up in"}[args[1]]
			if !known {
				return misuse("%q is no way to go on: retry, skip or fail", args[1])
			}
			return f.ask(cmd, t, args[0], client.RunAction(args[1]), done)
		},
	}
	addTarget(cmd, &f.target)
	f.addReason(cmd)
	f.addCode(cmd)
	f.addData(cmd, "what is tried again gets it, or what is skipped came to it")
	return cmd
}

func newRunRedrive(t *terminal) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "redrive RUN [--step S]",
		Short: "Begin a run that has ended anew at a step",
		Long: `Redrive has a run that has ended go on from a step, with the outputs of the steps
before it: from where it stopped, unless --step says otherwise, and with what that
step was given then, unless --data says otherwise.`,
		Example: `  baton run redrive $id --step answer`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, t, args[0], client.RunRedrive, "redriven")
		},
	}
	addTarget(cmd, &f.target)
	f.addReason(cmd)
	f.addStep(cmd)
	return cmd
}

func (f *runFlags) addStep(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.request.Step, "step", "", "where to begin (default where it stopped)")
	f.addData(cmd, "the step's input")
}

func newRunFork(t *terminal) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "fork RUN [--step S] [--version V]",
		Short: "Begin another run at a step of this one",
		Long: `Fork begins another run at a step, with the outputs that the steps before it had in
this one, and prints its id. This one stays as it is. --version is a version in full
or an alias; without it, it is this run's own.`,
		Example: `  baton run fork $id --step answer --version prod`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd, t, args[0], client.RunFork, "forked as")
		},
	}
	addTarget(cmd, &f.target)
	f.addReason(cmd)
	f.addStep(cmd)
	cmd.Flags().StringVar(&f.request.Version, "version", "", "version in full, or alias (default the run's own)")
	return cmd
}
