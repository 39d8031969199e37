package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

// prodAlias is the alias that runs are started of where none is named.
const prodAlias = "prod"

func newWorkflow(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "workflow",
		Aliases: []string{"workflows"},
		Short:   "Check, test, apply, compare and remove definitions of workflows",
		Long: `A workflow is declared in YAML or JSON. What it says is a version, the same wherever
it is applied; an alias such as prod says of which version runs are started, or how
several share them. A run keeps the version that it started with.`,
		Example: `  baton workflow validate answer.yaml
  baton workflow test answer.yaml
  baton workflow apply answer.yaml --canary 10%
  baton workflow ls`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with workflows: %s apply, validate, test, ls, show, diff, alias or rm", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newWorkflowApply(t), newWorkflowValidate(t), newWorkflowTest(t), newWorkflowLs(t), newWorkflowShow(t), newWorkflowDiff(t),
		newWorkflowAlias(t), newWorkflowRm(t))
	return cmd
}

func newWorkflowLs(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the tenant's workflows with their aliases",
		Example: `  baton workflow ls
  baton workflow ls --json | jq -r .workflow`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			all, err := h.Workflows(cmd.Context())
			if err != nil {
				return err
			}
			if f.json {
				for i := range all {
					if err := printJSON(t.out, &all[i]); err != nil {
						return err
					}
				}
				return nil
			}
			table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "WORKFLOW\tVERSIONS\tALIASES")
			for i := range all {
				_, _ = fmt.Fprintf(table, "%s\t%d\t%s\n", clean(all[i].Workflow), all[i].VersionCount, clean(aliasWords(all[i].Aliases)))
			}
			return table.Flush()
		},
	}
	addTarget(cmd, &f)
	return cmd
}

// aliasWords are aliases on one line, with short versions.
func aliasWords(aliases []client.WorkflowAlias) string {
	words := make([]string, 0, len(aliases))
	for i := range aliases {
		targets := make([]string, 0, len(aliases[i].Targets))
		for _, target := range aliases[i].Targets {
			word := short(target.Version)
			if len(aliases[i].Targets) > 1 {
				word += "=" + strconv.FormatFloat(target.Share, 'f', -1, 64) + "%"
			}
			targets = append(targets, word)
		}
		words = append(words, aliases[i].Alias+"@"+strings.Join(targets, "+"))
	}
	return strings.Join(words, " ")
}

// short is enough of a version for people.
func short(version string) string { return version[:min(len(version), 12)] }

func newWorkflowShow(t *terminal) *cobra.Command {
	var f target
	var canonical bool
	cmd := &cobra.Command{
		Use:   "show NAME[@ALIAS|@VERSION]",
		Short: "Show a version of a workflow as its author wrote it",
		Long: `Show prints the text that was applied. Without an alias or a version it is that of
prod; of an alias that several versions share it is the one with the largest share.
A version is named by six of its digits or more.`,
		Example: `  baton workflow show answer
  baton workflow show answer@1f0c2a --canonical
  baton workflow show answer --json | jq .version`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			found, raw, err := definitionAt(cmd.Context(), h, args[0])
			switch {
			case err != nil:
				return err
			case f.json:
				return printRaw(t.out, raw)
			case canonical:
				return printRaw(t.out, found.Definition)
			}
			for line := range strings.SplitSeq(strings.TrimRight(found.Source, "\n"), "\n") {
				_, _ = fmt.Fprintln(t.out, clean(line))
			}
			return nil
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().BoolVar(&canonical, "canonical", false, "print the canonical form, as JSON on one line")
	return cmd
}

// definitionAt is the version that an argument like answer@prod names.
func definitionAt(ctx context.Context, h *client.HTTP, text string) (*client.WorkflowDefinition, json.RawMessage, error) {
	name, of, _ := strings.Cut(text, "@")
	of = cmp.Or(of, prodAlias)
	found, _, err := h.Workflow(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return h.WorkflowDefinition(ctx, name, versionOf(found, of))
}

// versionOf is the version that an alias gives the largest share, or what may be a version.
func versionOf(found *client.Workflow, of string) string {
	for i := range found.Aliases {
		if found.Aliases[i].Alias != of {
			continue
		}
		var most client.WorkflowTarget
		for _, target := range found.Aliases[i].Targets {
			if target.Share > most.Share {
				most = target
			}
		}
		return most.Version
	}
	return of
}

func newWorkflowAlias(t *terminal) *cobra.Command {
	var f target
	var remove bool
	cmd := &cobra.Command{
		Use:   "alias NAME ALIAS VERSION[=SHARE]...",
		Short: "Say of which versions an alias starts runs, or delete it",
		Example: `  baton workflow alias answer prod 1f0c2a
  baton workflow alias answer prod 1f0c2a=90 77be01=10
  baton workflow alias answer old --delete`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove == (len(args) > 2) {
				return misuse("name versions, or --delete the alias")
			}
			targets, err := targetsOf(args[2:])
			if err != nil {
				return err
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			var found *client.Workflow
			if remove {
				found, err = h.DeleteWorkflowAlias(cmd.Context(), args[0], args[1])
			} else {
				found, err = h.MoveWorkflowAlias(cmd.Context(), args[0], args[1], targets)
			}
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(t.out, found)
			}
			_, err = fmt.Fprintf(t.out, "workflow %s has %s\n", clean(args[0]), clean(cmp.Or(aliasWords(found.Aliases), "no aliases")))
			return err
		},
	}
	addTarget(cmd, &f)
	cmd.Flags().BoolVar(&remove, "delete", false, "delete the alias")
	return cmd
}

// targetsOf reads arguments like 1f0c2a=90; one alone needs no share.
func targetsOf(args []string) (targets []client.WorkflowTarget, err error) {
	for _, arg := range args {
		version, text, shared := strings.Cut(arg, "=")
		target := client.WorkflowTarget{Version: version, Share: 100}
		if shared {
			if target.Share, err = percent(text); err != nil {
				return nil, misuse("%s: %w", arg, err)
			}
		} else if len(args) > 1 {
			return nil, misuse("%s needs a share, like %s=10", arg, arg)
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// percent reads 10 or 10%.
func percent(text string) (float64, error) {
	share, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(share > 0 && share <= 100) {
		return 0, fmt.Errorf("a share is above 0 and at most 100 percent, not %q", text)
	}
	return share, nil
}

func newWorkflowRm(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "rm NAME@VERSION",
		Short: "Remove a version that no alias names and no live run needs",
		Long: `Rm removes a version, which is named by six of its digits or more, from the whole
cluster. It is refused while runs of it are live, or an alias names it.`,
		Example: `  baton workflow rm answer@1f0c2a`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version, found := strings.Cut(args[0], "@")
			if !found || version == "" {
				return misuse("name the version: %s@VERSION", args[0])
			}
			h, err := f.http()
			if err != nil {
				return err
			}
			removed, err := h.RemoveWorkflow(cmd.Context(), name, version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.out, "version %s of workflow %s is removed\n", clean(short(removed)), clean(name))
			return err
		},
	}
	addTarget(cmd, &f)
	return cmd
}

// indented is a canonical definition with a field on each line.
func indented(canonical []byte) ([]string, error) {
	var text bytes.Buffer
	if err := json.Indent(&text, canonical, "", "  "); err != nil {
		return nil, fmt.Errorf("the definition is not JSON: %w", err)
	}
	return strings.Split(text.String(), "\n"), nil
}
