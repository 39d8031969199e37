package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/fsm/engine/play"
	"github.com/batonmq/baton/fsm/workflow"
)

// testFlags are those of baton workflow test.
type testFlags struct {
	scripts       []string
	json, verbose bool
}

func newWorkflowTest(t *terminal) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Run a definition against scripts, without a node",
		Long: `Test runs a definition in this process: what workers, clients and operators do stands in
a script, as does what is expected to come of it. No time passes: waits, timeouts and
delays between attempts are skipped. docs/workflows.md says what a script looks like.

Without --script, the script of answer.yaml is answer.test.yaml. The exit code is 1 if a
test fails.`,
		Example: `  baton workflow test answer.yaml
  baton workflow test answer.yaml --script happy.yaml --script failures.yaml -v
  baton workflow test answer.yaml --json | jq .failures`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(t, cmd.InOrStdin(), args[0])
		},
	}
	cmd.Flags().StringArrayVar(&f.scripts, "script", nil, "a file of tests; may be given several times")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON object for each test")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print all that happens, and what the run decides")
	return cmd
}

func (f *testFlags) run(t *terminal, in io.Reader, file string) error {
	text, err := readDefinition(in, file)
	if err != nil {
		return err
	}
	definition, problems := workflow.Parse(text)
	for i := range problems {
		printProblem(t.err, file, problems[i])
	}
	if len(problems) > 0 {
		return errSilent
	}
	scripts := f.scripts
	if len(scripts) == 0 {
		extension := filepath.Ext(file)
		scripts = []string{strings.TrimSuffix(file, extension) + ".test" + extension}
	}
	count, failed := 0, 0
	for _, script := range scripts {
		reports, err := playScript(definition, script)
		if err != nil {
			return err
		}
		for _, r := range reports {
			count++
			if !r.Passed() {
				failed++
			}
			f.print(t.out, script, r)
		}
	}
	if !f.json {
		_, _ = fmt.Fprintf(t.out, "%d of %d tests of workflow %s passed\n", count-failed, count, clean(definition.Name))
	}
	if failed > 0 {
		return errSilent
	}
	return nil
}

func playScript(definition *workflow.Definition, file string) ([]*play.Report, error) {
	opened, err := os.Open(file) //nolint:gosec // Reading what it is told is its purpose.
	if err != nil {
		return nil, misuse("%w", err)
	}
	defer func() { _ = opened.Close() }()
	text, err := io.ReadAll(io.LimitReader(opened, play.MaxScriptBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	reports, err := play.Play(definition, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return reports, nil
}

func (f *testFlags) print(w io.Writer, script string, r *play.Report) {
	if f.json {
		if !f.verbose {
			r.Trace = nil
		}
		text, err := json.Marshal(r)
		if err == nil {
			_, _ = fmt.Fprintf(w, "%s\n", text)
		}
		return
	}
	word := "ok  "
	if !r.Passed() {
		word = "FAIL"
	}
	_, _ = fmt.Fprintf(w, "%s %s: %s\n", word, clean(script), clean(r.Name))
	if f.verbose {
		for _, line := range r.Trace {
			_, _ = fmt.Fprintf(w, "     %s\n", clean(line))
		}
	}
	for _, failure := range r.Failures {
		for line := range strings.SplitSeq(failure, "\n") {
			_, _ = fmt.Fprintf(w, "     %s\n", clean(line))
		}
	}
}
