package conformance

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// program is the interpreter of a client in another language.
type program struct {
	name    string
	command []string
	env     []string
}

// run has the program run the cases, or one of them, and reports each as a test.
func (p *program) run(t *testing.T, only string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.command[0], p.command[1:]...)
	command.Env = append(append(os.Environ(), p.env...), "BATON_CASE="+only)
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var result struct{ Case, Error string }
		if err := json.Unmarshal(lines.Bytes(), &result); err != nil {
			t.Errorf("%s printed %s", p.name, lines.Text())
			continue
		}
		ran++
		t.Run(result.Case, func(t *testing.T) {
			if result.Error != "" {
				t.Error(result.Error)
			}
		})
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", p.name, err, complaints.String())
	}
	if complaints.Len() > 0 {
		t.Logf("%s says:\n%s", p.name, complaints.String())
	}
	if want := len(casesFor(t, only)); ran != want {
		t.Errorf("%s ran %d cases of %d", p.name, ran, want)
	}
}
