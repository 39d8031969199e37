package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/fsm/workflow"
)

// applyFlags say how definitions are applied.
type applyFlags struct {
	target

	alias, canary string
	dryRun        bool
}

func newWorkflowApply(t *terminal) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Apply definitions: each is a version, and an alias moves to it",
		Long: `Apply sends definitions to the cluster, one after the other, and returns when every
partition has them. Applying the same again changes nothing. Runs that have begun go
on with the version they have. The file - is standard input.`,
		Example: `  baton workflow apply answer.yaml
  baton workflow apply answer.yaml --canary 10%
  baton workflow apply answer.yaml --alias '' --dry-run`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.apply(cmd, t, args) },
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.alias, "alias", prodAlias, "alias that moves to the version; empty for none")
	flags.StringVar(&f.canary, "canary", "", "share of the alias's runs that the version gets, like 10%; the others keep the rest")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only check, and say what would be new")
	return cmd
}

func (f *applyFlags) apply(cmd *cobra.Command, t *terminal, files []string) error {
	how := client.ApplyOptions{Alias: f.alias, DryRun: f.dryRun}
	if f.canary != "" {
		var err error
		if how.Canary, err = percent(f.canary); err != nil {
			return misuse("--canary: %w", err)
		}
	}
	h, err := f.http()
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := readDefinition(cmd.InOrStdin(), file)
		if err != nil {
			return err
		}
		applied, err := h.ApplyWorkflow(cmd.Context(), text, how)
		if invalid, ok := errors.AsType[*client.InvalidWorkflowError](err); ok {
			for _, problem := range invalid.Problems {
				printProblem(t.err, file, workflow.Problem(problem))
			}
			return errSilent
		}
		if err != nil {
			return err
		}
		if err := f.say(t, applied); err != nil {
			return err
		}
	}
	return nil
}

func (f *applyFlags) say(t *terminal, applied *client.AppliedWorkflow) error {
	if f.json {
		return printJSON(t.out, applied)
	}
	word := "is there already"
	switch {
	case applied.Created && f.dryRun:
		word = "would be created"
	case applied.Created:
		word = "is created"
	}
	aliases := aliasWords(applied.Aliases)
	if aliases != "" {
		aliases = "; " + aliases
	}
	_, err := fmt.Fprintf(t.out, "workflow %s: version %s %s%s\n", clean(applied.Workflow), clean(short(applied.Version)), word, clean(aliases))
	return err
}

// readDefinition reads a file, and no more of it than a definition may have; the file -
// is in.
func readDefinition(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file) //nolint:gosec // Reading what it is told is its purpose.
		if err != nil {
			return nil, misuse("%w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, workflow.MaxDefinitionBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return text, nil
}

func newWorkflowValidate(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check definitions without a node",
		Long: `Validate checks all that can be known of definitions, as a node does when they are
applied. Each problem is a line of file:line:column: message.`,
		Example: `  baton workflow validate answer.yaml
  baton workflow validate flows/*.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := false
			for _, file := range args {
				text, err := readDefinition(cmd.InOrStdin(), file)
				if err != nil {
					return err
				}
				definition, problems := workflow.Parse(text)
				for i := range problems {
					printProblem(t.err, file, problems[i])
				}
				if wrong = wrong || len(problems) > 0; len(problems) == 0 {
					_, _ = fmt.Fprintf(t.out, "%s: workflow %s, version %s\n", clean(file), clean(definition.Name), definition.Version)
				}
			}
			if wrong {
				return errSilent
			}
			return nil
		},
	}
}

func printProblem(w io.Writer, file string, p workflow.Problem) {
	message := p.Message
	if p.Path != "" {
		message = p.Path + ": " + message
	}
	if p.Suggestion != "" {
		message += " (" + p.Suggestion + ")"
	}
	_, _ = fmt.Fprintf(w, "%s:%d:%d: %s\n", clean(file), max(p.Line, 1), max(p.Column, 1), clean(message))
}
