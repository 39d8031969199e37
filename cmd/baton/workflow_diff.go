package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/fsm/workflow"
)

const (
	// diffCells bounds the table of a comparison; what is larger is shown as gone and come.
	diffCells = 16 << 20
	// diffContext is how many lines that are the same stand around what differs.
	diffContext = 3
)

func newWorkflowDiff(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "diff NAME[@ALIAS|@VERSION] FILE|NAME@ALIAS|NAME@VERSION",
		Short: "Compare a version with a file, or with another version",
		Long: `Diff compares what the definitions mean: both in canonical form, with a field on each
line. It exits with 1 when they differ. Without an alias or a version the first is
that of prod.`,
		Example: `  baton workflow diff answer answer.yaml
  baton workflow diff answer@prod answer@1f0c2a`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			before, _, err := definitionAt(cmd.Context(), h, args[0])
			if err != nil {
				return err
			}
			after, err := otherDefinition(cmd.Context(), t, h, args[1])
			if err != nil {
				return err
			}
			return printDiff(t.out, before.Definition, after)
		},
	}
	addTarget(cmd, &f)
	return cmd
}

// otherDefinition is the canonical form of a file, or of a version where there is no such
// file.
func otherDefinition(ctx context.Context, t *terminal, h *client.HTTP, what string) ([]byte, error) {
	if _, err := os.Stat(what); err != nil && strings.Contains(what, "@") {
		found, _, err := definitionAt(ctx, h, what)
		if err != nil {
			return nil, err
		}
		return found.Definition, nil
	}
	text, err := readDefinition(os.Stdin, what)
	if err != nil {
		return nil, err
	}
	definition, problems := workflow.Parse(text)
	if len(problems) > 0 {
		for i := range problems {
			printProblem(t.err, what, problems[i])
		}
		return nil, errSilent
	}
	return definition.Canonical, nil
}

// printDiff prints the lines that differ, and ends the verb with 1 where there are any.
func printDiff(w io.Writer, before, after []byte) error {
	a, err := indented(before)
	if err != nil {
		return err
	}
	b, err := indented(after)
	if err != nil {
		return err
	}
	lines := compareLines(a, b)
	near := nearChanges(lines)
	if len(near) == 0 {
		return nil
	}
	for i, line := range lines {
		switch {
		case near[i]:
			_, _ = fmt.Fprintln(w, clean(line))
		case i > 0 && near[i-1]:
			_, _ = fmt.Fprintln(w, "...")
		}
	}
	return errSilent
}

// nearChanges tells which lines differ or stand near one that does; none where all are
// the same.
func nearChanges(lines []string) map[int]bool {
	near := make(map[int]bool)
	for i, line := range lines {
		if line[0] == ' ' {
			continue
		}
		for at := max(i-diffContext, 0); at <= min(i+diffContext, len(lines)-1); at++ {
			near[at] = true
		}
	}
	return near
}

// compareLines puts both texts into one, each line behind a space, a minus where it is
// in a only, or a plus where in b only: by a longest common subsequence of what is left
// without the equal beginning and end.
func compareLines(a, b []string) (lines []string) {
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	lines = marked(lines, " ", a[:start])
	lines = compareMiddle(lines, a[start:len(a)-end], b[start:len(b)-end])
	return marked(lines, " ", a[len(a)-end:])
}

func marked(lines []string, mark string, more []string) []string {
	for _, line := range more {
		lines = append(lines, mark+line)
	}
	return lines
}

func compareMiddle(lines, a, b []string) []string {
	if len(a)*len(b) > diffCells {
		return marked(marked(lines, "-", a), "+", b)
	}
	common := commonLines(a, b)
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			lines = append(lines, " "+a[i])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "-"+a[i])
			i++
		default:
			lines = append(lines, "+"+b[j])
			j++
		}
	}
	return marked(marked(lines, "-", a[i:]), "+", b[j:])
}

// commonLines has for each i and j how many lines a[i:] and b[j:] have in common, in
// order.
func commonLines(a, b []string) [][]int32 {
	common := make([][]int32, len(a)+1)
	common[len(a)] = make([]int32, len(b)+1)
	for i := len(a) - 1; i >= 0; i-- {
		common[i] = make([]int32, len(b)+1)
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}
