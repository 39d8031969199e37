package process

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/history"
)

// short is a lease that ends while one waits for it.
const short = 700 * time.Millisecond

// command is what the worker processes run: it says which job it has, and ends
// when it may, with its answer.
const command = `
echo "$BATON_JOB_EVENT_ID $BATON_JOB_ATTEMPT $BATON_JOB_FENCE" >"$0/starting" && mv "$0/starting" "$0/started"
while [ -d "$0" ] && [ ! -e "$0/go" ]; do sleep 0.05; done
echo late
touch "$0/ended"`

// outsider is a worker that is a process of its own.
type outsider struct {
	process           *process
	directory, output string
}

// startOutsider starts a worker process.
func startOutsider(t *testing.T, n *node, name, channel string) *outsider {
	t.Helper()
	directory := t.TempDir()
	o := &outsider{directory: filepath.Join(directory, "job"), output: filepath.Join(directory, "output")}
	if err := os.Mkdir(o.directory, 0o750); err != nil {
		t.Fatal(err)
	}
	o.process = startProcess(t, o.output, "work", "--nodes", n.url, "--channel", channel, "--name", name, "--notify", "done",
		"--lease", short.String(), "--json", "--", "sh", "-c", command, o.directory)
	t.Cleanup(func() { showTail(t, o.output) })
	return o
}

// started waits until the worker has a job, and returns which.
func (o *outsider) started(t *testing.T, name string) history.Granted {
	t.Helper()
	g := history.Granted{Worker: name}
	waitFor(t, name+" begins", func() error {
		text, err := os.ReadFile(filepath.Join(o.directory, "started"))
		if err != nil {
			return err
		}
		_, err = fmt.Sscan(string(text), &g.EventID, &g.Attempt, &g.Fence)
		return err
	})
	return g
}

// finish lets the command end, and returns when it has.
func (o *outsider) finish(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(o.directory, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the command ends", func() error {
		_, err := os.Stat(filepath.Join(o.directory, "ended"))
		return err
	})
}

// ended waits until the worker says how an event's job ended.
func (o *outsider) ended(t *testing.T, eventID string) (state string) {
	t.Helper()
	waitFor(t, "the worker says how the job ended", func() error {
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

// takeOver publishes, has a worker process take the job, and stops it when another
// worker is there, idle: that one must get the job.
func takeOver(t *testing.T, p *person, c *client.Client, channel string, stop func(*outsider)) (*outsider, history.Granted) {
	t.Helper()
	o := startOutsider(t, p.fleet.nodes[1], "first", channel)
	receipt := p.publish(t, c, channel, "job")
	first := o.started(t, "first")
	p.history.Add(first)
	if first.EventID != receipt.EventID || first.Attempt != 1 {
		t.Errorf("the worker got %+v, want the first attempt of %s", first, receipt.EventID)
	}
	p.worker(t, 2, "second", channel)
	ready := p.publish(t, c, channel, "ready")
	p.awaitGrant(t, "second", ready.EventID)
	if keys := p.listen(t, c, 1); keys[0] != "ready" {
		t.Errorf("the first answer is %s", keys[0])
	}
	stop(o)
	second := p.awaitGrant(t, "second", receipt.EventID)
	if second.Attempt < 2 || second.Fence <= first.Fence {
		t.Errorf("the other worker got %+v, want a later attempt with a fence above %d", second, first.Fence)
	}
	if keys := p.listen(t, c, 1); keys[0] != "job" {
		t.Errorf("the answer is %s, want the second worker's", keys[0])
	}
	return o, second
}

func workerIsKilled(t *testing.T, f *fleet) {
	t.Helper()
	p := &person{name: "killed", fleet: f}
	c := p.connect(t, 0)
	_, second := takeOver(t, p, c, "killed", func(o *outsider) { o.process.kill() })
	if second.Attempt != 2 {
		t.Errorf("the other worker has attempt %d, want 2", second.Attempt)
	}
	if n := marks(t, c, second.EventID, "expired"); n != 1 {
		t.Errorf("%d leases expired, want 1", n)
	}
	p.lastly(t, c, "killed")
}

func workerIsPaused(t *testing.T, f *fleet) {
	t.Helper()
	p := &person{name: "paused", fleet: f}
	c := p.connect(t, 0)
	o, second := takeOver(t, p, c, "paused", func(o *outsider) { pause(t, o.process) })
	// A lease that is lost makes room for another job: as long as its connection
	// is open, a worker that is paused may be given the same one again.
	t.Logf("the other worker has attempt %d", second.Attempt)
	o.finish(t)
	resume(t, o.process)
	if state := o.ended(t, second.EventID); state != "lost" {
		t.Errorf("the paused worker's job is %s, want lost", state)
	}
	o.process.kill()
	p.lastly(t, c, "paused")
	if n := marks(t, c, second.EventID, "completed"); n != 1 {
		t.Errorf("the event was completed %d times", n)
	}
}

// completeComesLate is what a paused worker says, word by word: before and after
// the other worker completed, through another node.
func completeComesLate(t *testing.T, f *fleet) {
	t.Helper()
	p := &person{name: "late", fleet: f}
	c := p.connect(t, 0)
	receipt := p.publish(t, c, "late", "job")
	one, two := openSession(t, f.nodes[1], fields{"name": "one"}), openSession(t, f.nodes[2], fields{"name": "two"})
	first := one.job(t, "late", short)
	second := two.job(t, "late", patience)
	if first.EventID != receipt.EventID || second.EventID != receipt.EventID || first.Attempt != 1 || second.Attempt != 2 || second.Fence <= first.Fence {
		t.Fatalf("event %s was granted as %+v and %+v", receipt.EventID, first, second)
	}
	refused := func(when string) {
		t.Helper()
		if m := one.complete(t, first, "late"); m.Type != "error" || m.Code != 409 || m.Reason != "lease_lost" {
			t.Errorf("complete %s: %+v, want 409 lease_lost", when, m)
		}
	}
	refused("while the other one works")
	if m := two.complete(t, second, "job"); m.Type != "ok" || m.Duplicate {
		t.Errorf("complete of the lease that counts: %+v, want ok", m)
	}
	refused("when the other one has completed")
	if m := two.complete(t, second, "job"); m.Type != "ok" || !m.Duplicate {
		t.Errorf("complete again: %+v, want ok as a duplicate", m)
	}
	if keys := p.listen(t, c, 1); keys[0] != "job" {
		t.Errorf("the answer is %s, want the second worker's", keys[0])
	}
	_ = one.conn.Close()
	_ = two.conn.Close()
	p.worker(t, 2, "third", "late")
	p.lastly(t, c, "late")
	if n := marks(t, c, receipt.EventID, "completed"); n != 1 {
		t.Errorf("the event was completed %d times", n)
	}
}
