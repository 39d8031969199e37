package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

// watchInterval is the pause between two looks at a watched run; one that takes long to
// look at is looked at less often.
const watchInterval = 300 * time.Millisecond

func newRunShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a run: where it stands, what its steps did, and what came of it",
		Long: `Show prints a run with the jobs of its steps. --json prints the answer of
GET /v1/runs/{run_id} as it is.`,
		Example: `  baton run show $id
  baton run show $id --json | jq .result`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			run, err := h.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, run.Raw)
			}
			return printRun(t.out, run)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func printRun(w io.Writer, r *client.Run) error {
	_, _ = fmt.Fprintf(w, "run %s of %s@%s is %s", r.RunID, clean(r.Workflow), short(r.Version), r.State)
	if r.Step != "" {
		_, _ = fmt.Fprintf(w, " at %s", clean(r.Step))
	}
	_, _ = fmt.Fprintf(w, "\ncorrelation %s, key %s, client %s\nstarted %s", clean(r.CorrelationID), clean(r.Key), clean(r.ClientID), at(r.StartedAt))
	if r.EndedAt != 0 {
		_, _ = fmt.Fprintf(w, ", ended %s", at(r.EndedAt))
	}
	_, _ = fmt.Fprintf(w, "\nused %d steps, %d tokens, cost %g\n", r.Usage.Steps, r.Usage.Tokens, r.Usage.Cost)
	printRunNotes(w, r)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Steps) > 0 {
		_, _ = fmt.Fprintln(table, "STEP\tSTATE\tATTEMPTS\tWORKER\tTOOK\tERROR")
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		failed := ""
		if s.Error != nil {
			failed = strings.TrimSpace(s.Error.Code + " " + s.Error.Message)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", clean(stepName(s)), s.State, s.Attempts, clean(s.Worker), tookOf(s), clean(failed))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := range r.Compensations {
		c := &r.Compensations[i]
		_, _ = fmt.Fprintf(w, "compensation of %s: %s\n", clean(placeOf(c.Step, c.Iteration, c.Item)), c.State)
	}
	printEnd(w, r)
	return nil
}

// printRunNotes prints what stands only in some runs.
func printRunNotes(w io.Writer, r *client.Run) {
	if r.From != "" {
		_, _ = fmt.Fprintf(w, "forked from %s\n", r.From)
	}
	if r.ParentRun != "" {
		_, _ = fmt.Fprintf(w, "called by %s\n", r.ParentRun)
	}
	if i := r.Items; i != nil {
		_, _ = fmt.Fprintf(w, "items: %d succeeded, %d failed of %d\n", i.Succeeded, i.Failed, i.Total)
	}
	if i := r.Incident; i != nil {
		_, _ = fmt.Fprintf(w, "incident %s at %s: %s\n", i.Kind, clean(placeOf(i.Step, 0, i.Item)), clean(i.Message))
	}
	for _, wait := range r.Waits {
		if wait.Message != "" {
			_, _ = fmt.Fprintf(w, "waits for message %s with key %s\n", clean(wait.Message), clean(wait.Key))
		} else {
			_, _ = fmt.Fprintf(w, "waits until %s\n", at(wait.DueAt))
		}
	}
	if r.StepsTruncated {
		_, _ = fmt.Fprintln(w, "there are more steps than these")
	}
}

// printEnd prints how a run ended.
func printEnd(w io.Writer, r *client.Run) {
	if !r.Ended() {
		return
	}
	_, _ = fmt.Fprintf(w, "run %s has %s", r.RunID, endWord(r.State))
	if e := r.Error; e != nil {
		_, _ = fmt.Fprintf(w, " at %s: %s %s", clean(e.Step), clean(e.Code), clean(e.Message))
	}
	_, _ = fmt.Fprintln(w)
	switch {
	case r.Result != nil:
		_, _ = fmt.Fprintf(w, "result: %s\n", clean(string(r.Result)))
	case r.ResultBase64 != nil:
		_, _ = fmt.Fprintf(w, "result: %d bytes\n", len(r.ResultBase64))
	}
}

// endWord says how a run has ended.
func endWord(state string) string {
	switch state {
	case "succeeded", "failed":
		return state
	case "partially_compensated":
		return "been compensated in part"
	default:
		return "been " + state
	}
}

// placeOf names a step, and which of its jobs.
func placeOf(step string, iteration, item int) string {
	if iteration > 0 {
		step += fmt.Sprintf("#%d", iteration+1)
	}
	if item > 0 {
		step += fmt.Sprintf("[%d]", item)
	}
	return step
}

func stepName(s *client.RunStep) string {
	name := placeOf(s.Step, s.Iteration, s.Item)
	if s.RunID != "" {
		name += " (run " + s.RunID + ")"
	}
	return name
}

// tookOf is how long a job took from its first lease on.
func tookOf(s *client.RunStep) string {
	if s.StartedAt == 0 || s.EndedAt == 0 {
		return ""
	}
	return (time.Duration(s.EndedAt-s.StartedAt) * time.Millisecond).String()
}

// shownRun is a run as --json prints it: without what it does not have.
func shownRun(r *client.Run) map[string]any {
	encoded, err := json.Marshal(r)
	if err != nil {
		return map[string]any{"run_id": r.RunID}
	}
	all := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber() // As it came.
	_ = decoder.Decode(&all)
	for name, value := range all {
		if value == nil || value == "" || value == false || value == json.Number("0") {
			delete(all, name)
		}
	}
	return all
}

func newRunWatch(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "watch RUN",
		Short: "Print what a run's steps do, until it has ended",
		Long: `Watch prints a line whenever a job of the run comes to another state, and at the end
what came of the run. It fails where that is not well. --json prints each change as
one line, and the run at the end.`,
		Example: `  baton run watch $id`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			w := &watcher{out: t.out, json: f.json, seen: make(map[string]string)}
			return w.watch(cmd.Context(), h, args[0])
		},
	}
	addTarget(cmd, &f)
	return cmd
}

// watcher prints what has changed of a run since it looked last.
type watcher struct {
	out  io.Writer
	json bool
	// seen is how each job stood, state the run.
	seen  map[string]string
	state string
}

func (w *watcher) watch(ctx context.Context, h *client.HTTP, id string) error {
	for {
		began := time.Now()
		run, err := h.Run(ctx, id)
		if err != nil {
			return err
		}
		took := time.Since(began)
		if err := w.look(run); err != nil {
			return err
		}
		if run.Ended() {
			if w.json {
				if err := printRaw(w.out, run.Raw); err != nil {
					return err
				}
			} else {
				printEnd(w.out, run)
			}
			return endOf(run)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(watchInterval, 4*took)):
		}
	}
}

func (w *watcher) look(run *client.Run) error {
	for i := range run.Steps {
		s := &run.Steps[i]
		stands := fmt.Sprint(s.State, s.Attempts)
		if w.seen[s.EventID] == stands {
			continue
		}
		w.seen[s.EventID] = stands
		if err := w.step(s); err != nil {
			return err
		}
	}
	stands := run.State
	if slices.Contains([]string{"running", "queued"}, stands) || run.Ended() || w.state == stands {
		w.state = stands
		return nil
	}
	w.state = stands
	if w.json {
		return printJSON(w.out, map[string]any{"run_id": run.RunID, "state": stands, "incident": run.Incident})
	}
	_, err := fmt.Fprintf(w.out, "the run is %s\n", stands)
	if err == nil && run.Incident != nil {
		printRunNotes(w.out, &client.Run{Incident: run.Incident})
	}
	return err
}

func (w *watcher) step(s *client.RunStep) error {
	if w.json {
		return printJSON(w.out, s)
	}
	line := fmt.Sprintf("%s is %s", clean(stepName(s)), s.State)
	if s.Attempts > 1 {
		line += fmt.Sprintf(", attempt %d", s.Attempts)
	}
	if took := tookOf(s); took != "" {
		line += " after " + took
	}
	if s.Error != nil {
		line += ": " + clean(strings.TrimSpace(s.Error.Code+" "+s.Error.Message))
	}
	_, err := fmt.Fprintln(w.out, line)
	return err
}
