package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newRun(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "run",
		Aliases: []string{"runs"},
		Short:   "Start, watch and steer runs of workflows",
		Example: `  baton run start answer --client-id ana --data '{"text":"why?"}' --wait
  baton run ls --state incident
  baton run resolve $id retry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with runs: %s start, ls, show, watch, cancel, pause, resume, resolve, redrive or fork", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newRunStart(t), newRunLs(t), newRunShow(t), newRunWatch(t), newRunCancel(t), newRunPause(t), newRunResume(t),
		newRunResolve(t), newRunRedrive(t), newRunFork(t))
	return cmd
}

type runStartFlags struct {
	target

	start   client.RunStart
	data    string
	headers []string
	wait    bool
	timeout time.Duration
}

func newRunStart(t *terminal) *cobra.Command {
	var f runStartFlags
	cmd := &cobra.Command{
		Use:   "start WORKFLOW[@ALIAS|@VERSION] [flags]",
		Short: "Start a run of a workflow",
		Long: `Start begins a run, of the alias prod where none is named; a version is named in
full. --data is its input, as for publish; without it that is null. With --wait it
prints how the run ended, and fails if that is not well.

The start has an idempotency key, made up unless you give one: the same key again
finds the first run.`,
		Example: `  baton run start answer --client-id ana --data '{"text":"why?"}'
  baton run start answer@canary --wait --json | jq .result
  baton run start thumbnails --idempotency-key upload-7 --data - < cat.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, alias, found := strings.Cut(args[0], "@")
			switch {
			case found && f.start.Alias != "":
				return misuse("name the alias behind the @, or with --alias: not both")
			case found:
				f.start.Alias = alias
			}
			f.start.Workflow = name
			if cmd.Flags().Changed("data") {
				var err error
				if f.start.Data, err = argument(t.in, []string{f.data}); err != nil {
					return err
				}
			}
			return runStart(cmd.Context(), t, &f)
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.start.ClientID, "client-id", "", "whose run it is")
	flags.StringVar(&f.start.Alias, "alias", "", "alias, or version in full (default prod)")
	flags.StringVar(&f.data, "data", "", "the input; - reads standard input")
	flags.StringVar(&f.start.Key, "key", "", "partition key (default the client id)")
	flags.StringVar(&f.start.IdempotencyKey, "idempotency-key", "", "makes starting twice find the first run")
	flags.StringVar(&f.start.CorrelationID, "correlation-id", "", "lineage to join (default a new one)")
	flags.IntVar(&f.start.Priority, "priority", 0, "how urgent it is, 0 to 9")
	flags.StringVar(&f.start.OnEnd, "on-end", "", "notify --client-id under this name when the run, and all that came of it, has ended")
	flags.StringArrayVar(&f.headers, "header", nil, "header of its event, repeatable `(name=value)`")
	flags.BoolVar(&f.wait, "wait", false, "wait until it has ended")
	flags.DurationVar(&f.timeout, "timeout", 0, "how long to wait (default for ever)")
	return cmd
}

func runStart(ctx context.Context, t *terminal, f *runStartFlags) error {
	var err error
	if f.start.Headers, err = parseHeaders(f.headers); err != nil {
		return err
	}
	h, err := f.http()
	if err != nil {
		return err
	}
	started, err := h.StartRun(ctx, f.start)
	if err != nil {
		return err
	}
	if f.wait {
		return awaitRun(ctx, t, f, h, started.RunID)
	}
	if f.json {
		return printJSON(t.out, started)
	}
	note := ""
	if started.Duplicate {
		note = "\nThis idempotency key was used before: it is the run that was started then."
	}
	_, err = fmt.Fprintf(t.out, "run %s, correlation %s%s\n", started.RunID, clean(started.CorrelationID), note)
	return err
}

func awaitRun(ctx context.Context, t *terminal, f *runStartFlags, h *client.HTTP, id string) error {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	run, err := h.AwaitRun(ctx, id)
	if err != nil {
		return fmt.Errorf("waiting for run %s: %w", id, err)
	}
	if f.json {
		err = printRaw(t.out, run.Raw)
	} else {
		printEnd(t.out, run)
	}
	return cmp.Or(err, endOf(run))
}

// endOf is nil for a run that has succeeded.
func endOf(run *client.Run) error {
	if run.State == "succeeded" {
		return nil
	}
	return errSilent
}

type runLsFlags struct {
	target

	want         client.RunFilter
	since, until string
}

func newRunLs(t *terminal) *cobra.Command {
	var f runLsFlags
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List runs, the newest first",
		Long: `Ls prints the tenant's runs, the newest at the top. --json prints each as one line.
--since and --until take a time, as RFC 3339 says, or how long ago it was: 15m.`,
		Example: `  baton run ls --workflow answer --state incident
  baton run ls --since 1h --error timeout --json | jq -r .run_id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if f.want.Limit < 0 {
				return misuse("--limit is %d: give how many at most, or 0 for all", f.want.Limit)
			}
			if f.want.Since, err = timeOf("since", f.since); err != nil {
				return err
			}
			if f.want.Until, err = timeOf("until", f.until); err != nil {
				return err
			}
			return runLs(cmd.Context(), t, &f)
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.want.Workflow, "workflow", "", "only those of this workflow")
	flags.StringVar(&f.want.Version, "version", "", "only those of this version, or of those that begin with it")
	flags.StringVar(&f.want.State, "state", "", "only those in this state: queued, running, paused, canceling, compensating, incident, succeeded, failed, canceled, compensated, partially_compensated")
	flags.StringVar(&f.want.ClientID, "client-id", "", "only those of this client")
	flags.StringVar(&f.want.CorrelationID, "correlation-id", "", "only those of this lineage")
	flags.StringVar(&f.want.ErrorCode, "error", "", "only those with this error code")
	flags.StringVar(&f.since, "since", "", "only those that were started then or later")
	flags.StringVar(&f.until, "until", "", "only those that were started before")
	flags.IntVar(&f.want.Limit, "limit", 100, "how many at most, 0 for all")
	return cmd
}

// timeOf is a time, or how long ago it was.
func timeOf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, misuse("--%s is %q: give a time such as 2026-01-31T12:00:00Z, or how long ago it was, such as 15m", flag, text)
	}
	return at, nil
}

func runLs(ctx context.Context, t *terminal, f *runLsFlags) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if !f.json {
		_, _ = fmt.Fprintln(table, "RUN\tWORKFLOW\tVERSION\tSTATE\tSTEP\tCLIENT\tERROR\tSTARTED")
	}
	want, left := f.want, f.want.Limit
	for more := true; more; {
		want.Limit = left
		page, err := h.Runs(ctx, want)
		if err != nil {
			return err
		}
		for i := range page.Runs {
			r := &page.Runs[i]
			if f.json {
				if err := printJSON(t.out, shownRun(r)); err != nil {
					return err
				}
				continue
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.RunID, clean(r.Workflow), short(r.Version), r.State, clean(r.Step),
				clean(r.ClientID), clean(codeOf(r)), time.UnixMilli(r.StartedAt).UTC().Format(time.RFC3339))
		}
		left -= len(page.Runs)
		want.Cursor, more = page.Cursor, page.Cursor != "" && (f.want.Limit == 0 || left > 0)
	}
	return table.Flush()
}

func codeOf(r *client.Run) string {
	switch {
	case r.Incident != nil:
		return r.Incident.Kind
	case r.Error != nil:
		return r.Error.Code
	default:
		return ""
	}
}

func newMessage(t *terminal) *cobra.Command {
	var f target
	var message client.Message
	var data string
	cmd := &cobra.Command{
		Use:   "message NAME --key K [flags]",
		Short: "Send a message to the run that waits for it",
		Long: `Message brings a message to the run that waits for its name and key, or keeps it for
one that will: for --ttl, a day unless it is given. --data is as for publish.`,
		Example: `  baton message approval --key $run --data '{"approved":true}'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			message.Name = args[0]
			if cmd.Flags().Changed("data") {
				var err error
				if message.Data, err = argument(t.in, []string{data}); err != nil {
					return err
				}
			}
			if message.TTL < 0 {
				return misuse("--ttl is %s: it must not be negative", message.TTL)
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			duplicate, err := h.SendMessage(cmd.Context(), message)
			switch {
			case err != nil:
				return err
			case f.json:
				return printJSON(t.out, map[string]any{"name": message.Name, "key": message.Key, "duplicate": duplicate})
			case duplicate:
				_, err = fmt.Fprintf(t.out, "message %s was sent before\n", clean(message.Name))
			default:
				_, err = fmt.Fprintf(t.out, "message %s is sent\n", clean(message.Name))
			}
			return err
		},
	}
	addTarget(cmd, &f)
	flags := cmd.Flags()
	flags.StringVar(&message.Key, "key", "", "the key that the run waits with (required)")
	flags.StringVar(&data, "data", "", "what it carries; - reads standard input")
	flags.StringVar(&message.ID, "id", "", "makes it arrive once")
	flags.DurationVar(&message.TTL, "ttl", 0, "for how long it is kept for a run that does not wait for it yet (default 24h)")
	mustRequire(cmd, "key")
	return cmd
}
