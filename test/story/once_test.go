package story

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// What this program is told when it is to be a worker process.
const (
	billVariable = "BATON_STORY_BILL"
	nodeVariable = "BATON_STORY_NODE"
)

const paidChannel = "paid.questions"

// "A call to the model costs a cent and takes a minute. When a worker dies
// between the call and the end of its job, the next one calls, and pays, again."
//
// A worker process pays for a call inside of client.Once and is killed (kill -9)
// before its job is done. The next one has the job, and the answer that was paid
// for.
func modelIsPaidOnce(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	p := &fleet.Person{Name: "payer", Fleet: f}
	c := p.Connect(t, 0)
	bill := filepath.Join(t.TempDir(), "bill")
	calls := func() int {
		text, err := os.ReadFile(bill)
		if err != nil {
			return 0
		}
		return strings.Count(string(text), "one call\n")
	}
	first := startPaying(t, f, 1, bill)
	receipt := p.Publish(t, c, paidChannel, "question")
	fleet.WaitFor(t, "the worker has paid and goes on", func() error {
		_, err := os.Stat(bill + ".kept")
		return err
	})
	first.Kill()
	startPaying(t, f, 2, bill)
	if keys := p.Listen(t, c, 1); keys[0] != "question" {
		t.Errorf("the answer is %s", keys[0])
	}
	if n := calls(); n != 1 {
		t.Errorf("the model was called %d times", n)
	}
	if n := fleet.Marks(t, c, receipt.EventID, "leased"); n != 2 {
		t.Errorf("the job was leased %d times, want to two workers", n)
	}
	p.Lastly(t, c, paidChannel)
	if n := calls(); n != 2 {
		t.Errorf("another question left the model called %d times in all", n)
	}
}

// startPaying starts a worker process: this program once more.
func startPaying(t *testing.T, f *fleet.Fleet, at int, bill string) *fleet.Process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "worker.log")
	t.Cleanup(func() { fleet.ShowTail(t, output) })
	return fleet.StartProcess(t, output, "env", billVariable+"="+bill, nodeVariable+"="+f.Nodes[at].URL, program)
}

// payingWorker is the worker process. The first one stays in its job, once it has
// the answer, until it is killed.
func payingWorker(bill, node string) error {
	ctx := context.Background()
	c, err := client.Dial(ctx, client.Options{Nodes: []string{node}, Name: "paying"})
	if err != nil {
		return err
	}
	options := client.WorkOptions{Channel: paidChannel, Credit: 1, Lease: fleet.Short}
	return c.Work(ctx, options, func(ctx context.Context, job *client.Job) error {
		var question string
		if bad := job.Data.Decode(&question); bad != nil {
			return client.Permanent(bad)
		}
		answer, err := client.Once(ctx, job, "answer", func(context.Context) (string, error) {
			return question, callModel(bill)
		})
		if err != nil {
			return err
		}
		if job.Attempt == 1 && question == "question" {
			if err = os.WriteFile(bill+".kept", nil, 0o600); err != nil {
				return err
			}
			<-ctx.Done() // It is killed here.
			return ctx.Err()
		}
		job.Notify("answer", answer)
		return nil
	})
}

// callModel is what costs a cent: a line on the bill for each call.
func callModel(bill string) error {
	file, err := os.OpenFile(bill, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.WriteString("one call\n"); err != nil {
		return err
	}
	return file.Close()
}
