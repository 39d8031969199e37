package fleet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/test/history"
)

// Short is a lease that ends while one waits for it.
const Short = 700 * time.Millisecond

// command is what the worker processes run: it says which job it has, and ends
// when it may, with its answer.
const command = `
echo "$BATON_JOB_EVENT_ID $BATON_JOB_ATTEMPT $BATON_JOB_FENCE" >"$0/starting" && mv "$0/starting" "$0/started"
while [ -d "$0" ] && [ ! -e "$0/go" ]; do sleep 0.05; done
echo "$1"
touch "$0/ended"`

// Outsider is a worker that is a process of its own.
type Outsider struct {
	Process           *Process
	directory, output string
}

// StartOutsider starts a worker process that is connected to a node, and answers
// its jobs with a word.
func StartOutsider(t *testing.T, n *Node, name, channel, answer string) *Outsider {
	t.Helper()
	directory := t.TempDir()
	o := &Outsider{directory: filepath.Join(directory, "job"), output: filepath.Join(directory, "output")}
	if err := os.Mkdir(o.directory, 0o750); err != nil {
		t.Fatal(err)
	}
	o.Process = StartProcess(t, o.output, n.binary, "work", "--nodes", n.URL, "--channel", channel, "--name", name, "--notify", "done",
		"--lease", Short.String(), "--json", "--", "sh", "-c", command, o.directory, answer)
	t.Cleanup(func() { ShowTail(t, o.output) })
	return o
}

// Started waits until the worker has a job, and returns which.
func (o *Outsider) Started(t *testing.T, name string) history.Granted {
	t.Helper()
	g := history.Granted{Worker: name}
	WaitFor(t, name+" begins", func() error {
		text, err := os.ReadFile(filepath.Join(o.directory, "started"))
		if err != nil {
			return err
		}
		_, err = fmt.Sscan(string(text), &g.EventID, &g.Attempt, &g.Fence)
		return err
	})
	return g
}

// Finish lets the command end, and returns when it has.
func (o *Outsider) Finish(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(o.directory, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	WaitFor(t, "the command ends", func() error {
		_, err := os.Stat(filepath.Join(o.directory, "ended"))
		return err
	})
}

// Ended waits until the worker says how an event's job ended.
func (o *Outsider) Ended(t *testing.T, eventID string) (state string) {
	t.Helper()
	WaitFor(t, "the worker says how the job ended", func() error {
		text, err := os.ReadFile(o.output)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(strings.NewReader(string(text)))
		for lines.Scan() {
			var line struct {
				EventID string `json:"event_id"`
				State   string
			}
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.EventID == eventID {
				state = line.State
				return nil
			}
		}
		return fmt.Errorf("nothing is said of event %s", eventID)
	})
	return state
}
