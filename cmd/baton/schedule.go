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
	"github.com/batonmq/baton/fsm/workflow"
)

func newSchedule(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "schedule",
		Aliases: []string{"schedules"},
		Short:   "Start runs of workflows at times",
		Example: `  baton schedule put nightly --workflow report --spec '30 2 * * *' --timezone Europe/Berlin
  baton schedule ls
  baton schedule trigger nightly
  baton schedule next '30 2 * * 1-5' --timezone Europe/Berlin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with schedules: %s put, ls, show, rm, pause, resume, trigger or next", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newSchedulePut(t), newScheduleLs(t), newScheduleShow(t), newScheduleRm(t), newSchedulePause(t), newScheduleResume(t),
		newScheduleTrigger(t), newScheduleNext(t))
	return cmd
}

type schedulePutFlags struct {
	target

	spec       client.ScheduleSpec
	data       string
	start, end string
}

func newSchedulePut(t *terminal) *cobra.Command {
	var f schedulePutFlags
	cmd := &cobra.Command{
		Use:   "put ID --workflow WORKFLOW[@ALIAS|@VERSION] --spec SPEC [flags]",
		Short: "Keep a schedule, in the place of the one that was there",
		Long: `Put keeps a schedule under an id. --spec is five fields as for cron, @daily and the
like, or a period such as 'every 5m'; its times are those of --timezone. The one that
was there keeps its counts and its last runs, and stays paused where it is.

--overlap says what becomes of a time when another run still goes on: skip it, buffer
it (one waits until that has ended), cancel that run, or allow both.`,
		Example: `  baton schedule put nightly --workflow report --spec '30 2 * * *' --timezone Europe/Berlin
  baton schedule put poll --workflow poll@canary --spec 'every 5m' --overlap buffer --jitter 30s
  baton schedule put trial --workflow report --spec @hourly --max-runs 3 --data '{"dry":true}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(cmd, t); err != nil {
				return err
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			kept, err := h.PutSchedule(cmd.Context(), args[0], f.spec)
			return tellSchedule(t, f.json, "kept", kept, err)
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.spec.Workflow, "workflow", "", "the workflow, with @ and an alias or version where it is not prod (required)")
	flags.StringVar(&f.spec.Spec, "spec", "", "when: as for cron, or a period (required)")
	flags.StringVar(&f.spec.Timezone, "timezone", "", "time zone, such as Europe/Berlin (default UTC)")
	flags.StringVar(&f.spec.Overlap, "overlap", "", "skip, buffer, cancel or allow (default skip)")
	flags.DurationVar(&f.spec.CatchUp, "catch-up", 0, "how late a run may begin (default 24h)")
	flags.DurationVar(&f.spec.Jitter, "jitter", 0, "over how long to spread schedules of the same times")
	flags.StringVar(&f.start, "start", "", "the first moment that may be one of its times")
	flags.StringVar(&f.end, "end", "", "before when its times are")
	flags.IntVar(&f.spec.MaxRuns, "max-runs", 0, "how many runs it begins, 0 for any number")
	flags.StringVar(&f.spec.ClientID, "client-id", "", "whose runs they are")
	flags.StringVar(&f.spec.Key, "key", "", "their partition key, with --overlap allow (default the schedule's own)")
	flags.StringVar(&f.data, "data", "", "their input; - reads standard input")
	flags.BoolVar(&f.spec.Paused, "paused", false, "pause it")
	flags.StringVar(&f.spec.Note, "note", "", "why it is paused")
	mustRequire(cmd, "workflow", "spec")
	return cmd
}

// read makes the spec of what the flags say. What is no calendar is refused here, where
// the error is nearest.
func (f *schedulePutFlags) read(cmd *cobra.Command, t *terminal) (err error) {
	f.spec.Workflow, f.spec.Alias, _ = strings.Cut(f.spec.Workflow, "@")
	if _, err = workflow.ParseSchedule(f.spec.Spec, f.spec.Timezone); err != nil {
		return misuse("--spec %q: %w", f.spec.Spec, err)
	}
	if cmd.Flags().Changed("data") {
		if f.spec.Data, err = argument(t.in, []string{f.data}); err != nil {
			return err
		}
	}
	for name, into := range map[string]*time.Time{"start": &f.spec.Start, "end": &f.spec.End} {
		text := cmd.Flags().Lookup(name).Value.String()
		if text == "" {
			continue
		}
		if *into, err = time.Parse(time.RFC3339, text); err != nil {
			return misuse("--%s is %q: give a time such as 2026-01-31T12:00:00Z", name, text)
		}
	}
	return nil
}

// tellSchedule prints what was done to a schedule, and when it comes next.
func tellSchedule(t *terminal, asJSON bool, done string, s *client.Schedule, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(t.out, s)
	}
	_, err = fmt.Fprintf(t.out, "%s %s, next %s\n", done, clean(s.ScheduleID), nextOf(s))
	return err
}

// nextOf is when a schedule comes next, in its time zone; or why it does not.
func nextOf(s *client.Schedule) string {
	if s.NextAt == 0 {
		return "never: it is " + clean(s.State)
	}
	return inZone(s.NextAt, s.Timezone)
}

// inZone is a time as it is in a time zone, where this machine knows that.
func inZone(ms int64, zone string) string {
	at := time.UnixMilli(ms).UTC()
	if location, err := time.LoadLocation(zone); err == nil {
		at = at.In(location)
	}
	return at.Format(time.RFC3339)
}

func newScheduleLs(t *terminal) *cobra.Command {
	var f target
	var name string
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List schedules, by their ids",
		Long:    `Ls prints the tenant's schedules. --json prints each as one line.`,
		Example: `  baton schedule ls --workflow report`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return scheduleLs(cmd.Context(), t, &f, name)
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().StringVar(&name, "workflow", "", "only those of this workflow")
	return cmd
}

func scheduleLs(ctx context.Context, t *terminal, f *target, name string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if !f.json {
		_, _ = fmt.Fprintln(table, "SCHEDULE\tWORKFLOW\tSPEC\tSTATE\tNEXT\tRUNS\tSKIPPED\tMISSED\tFAILED")
	}
	for cursor, more := "", true; more; {
		page, err := h.Schedules(ctx, name, cursor, 0)
		if err != nil {
			return err
		}
		for i := range page.Schedules {
			s := &page.Schedules[i]
			if f.json {
				if err := printJSON(t.out, s); err != nil {
					return err
				}
				continue
			}
			next := ""
			if s.NextAt != 0 {
				next = inZone(s.NextAt, s.Timezone)
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", clean(s.ScheduleID), clean(s.Workflow), clean(s.Spec), s.State,
				next, s.Fired+s.Triggered, s.Skipped, s.Missed, s.Failed)
		}
		cursor, more = page.Cursor, page.Cursor != ""
	}
	return table.Flush()
}

func newScheduleShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a schedule and its last runs",
		Example: `  baton schedule show nightly --json | jq .recent`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			s, err := h.Schedule(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case f.json:
				return printRaw(t.out, s.Raw)
			}
			return printSchedule(t, s)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func printSchedule(t *terminal, s *client.Schedule) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", name, clean(value))
		}
	}
	row("schedule", s.ScheduleID)
	row("workflow", s.Workflow+"@"+cmp.Or(s.Alias, "prod"))
	row("spec", s.Spec+" in "+s.Timezone)
	row("overlap", s.Overlap)
	row("state", s.State)
	row("note", s.Note)
	row("next", nextOf(s))
	if s.WaitingAt != 0 {
		row("waiting", inZone(s.WaitingAt, s.Timezone))
	}
	row("client", s.ClientID)
	row("key", s.Key)
	row("runs", fmt.Sprintf("%d at its times, %d asked for", s.Fired, s.Triggered))
	row("without", fmt.Sprintf("%d skipped, %d missed, %d failed", s.Skipped, s.Missed, s.Failed))
	row("failure", s.Failure)
	for i := range s.Recent {
		r := &s.Recent[i]
		row("run", fmt.Sprintf("%s of %s, begun %s", cmp.Or(r.RunID, "elsewhere"), inZone(r.NominalAt, s.Timezone), inZone(r.StartedAt, s.Timezone)))
	}
	return table.Flush()
}

func newScheduleRm(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "rm ID",
		Short:   "Take a schedule away; its runs go on",
		Example: `  baton schedule rm nightly`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			if err = h.DeleteSchedule(cmd.Context(), args[0]); err != nil {
				return err
			}
			if f.json {
				return printJSON(t.out, map[string]string{"schedule_id": args[0]})
			}
			_, err = fmt.Fprintf(t.out, "removed %s\n", clean(args[0]))
			return err
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newSchedulePause(t *terminal) *cobra.Command {
	var f target
	var note string
	cmd := &cobra.Command{
		Use:     "pause ID",
		Short:   "Begin no more runs of a schedule",
		Long:    `Pause stops a schedule. What goes by until it is resumed is not caught up with.`,
		Example: `  baton schedule pause nightly --note 'the source is down'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			s, err := h.PauseSchedule(cmd.Context(), args[0], note)
			return tellSchedule(t, f.json, "paused", s, err)
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().StringVar(&note, "note", "", "why")
	return cmd
}

func newScheduleResume(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "resume ID",
		Short:   "Go on with a paused schedule",
		Example: `  baton schedule resume nightly`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			s, err := h.ResumeSchedule(cmd.Context(), args[0])
			return tellSchedule(t, f.json, "resumed", s, err)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func newScheduleTrigger(t *terminal) *cobra.Command {
	var f target
	var overlap string
	cmd := &cobra.Command{
		Use:   "trigger ID",
		Short: "Begin a run of a schedule now, beside its times",
		Example: `  baton schedule trigger nightly
  baton schedule trigger nightly --overlap allow --json | jq -r .run_id`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			run, err := h.TriggerSchedule(cmd.Context(), args[0], overlap)
			switch {
			case err != nil:
				return err
			case f.json:
				return printJSON(t.out, run)
			case run.RunID == "":
				_, err = fmt.Fprintln(t.out, "a run begins when the one that goes on has ended, or in the partition of its key")
			default:
				_, err = fmt.Fprintf(t.out, "run %s\n", run.RunID)
			}
			return err
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().StringVar(&overlap, "overlap", "", "skip, buffer, cancel or allow (default as the schedule says)")
	return cmd
}

func newScheduleNext(t *terminal) *cobra.Command {
	var zone, after string
	var count int
	cmd := &cobra.Command{
		Use:   "next SPEC",
		Short: "Print the next times of a calendar",
		Long:  `Next prints the times of a calendar, as the cluster will see them. It asks no node.`,
		Example: `  baton schedule next '30 2 * * 1-5' --timezone Europe/Berlin
  baton schedule next 'every 90m' --count 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			calendar, err := workflow.ParseSchedule(args[0], zone)
			if err != nil {
				return misuse("%q: %w", args[0], err)
			}
			at := time.Now()
			if after != "" {
				if at, err = time.Parse(time.RFC3339, after); err != nil {
					return misuse("--after is %q: give a time such as 2026-01-31T12:00:00Z", after)
				}
			}
			next := at.UnixMilli()
			for range count {
				if next = calendar.Next(next); next == 0 {
					break
				}
				if _, err := fmt.Fprintln(t.out, inZone(next, zone)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&zone, "timezone", "", "time zone, such as Europe/Berlin (default UTC)")
	flags.StringVar(&after, "after", "", "print those after this time (default now)")
	flags.IntVar(&count, "count", 5, "how many")
	return cmd
}
