package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/batonmq/baton/client"
)

// Life of a worker.
const (
	workerCredit  = 4
	connectWithin = 60 * time.Second
)

// report is a line that a worker writes on standard output for each job it
// begins and ends.
type report struct {
	Worker        string `json:"worker"`
	Doing         string `json:"doing"` // ready, begin, done or failed
	CorrelationID string `json:"correlation_id,omitempty"`
	EventID       string `json:"event_id,omitempty"`
	// Job is its idempotency key: run/step/iteration/item.
	Job     string `json:"job,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Doing in a report.
const (
	doingReady  = "ready"
	doingBegin  = "begin"
	doingDone   = "done"
	doingFailed = "failed"
)

type workerFlags struct {
	name, nodes, folder, directory string
	lease                          time.Duration
}

// workerCommand is `baton-demo worker KIND`.
func workerCommand(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: say which worker: %s", errUsage, strings.Join(services(), ", "))
	}
	var f workerFlags
	flags := flag.NewFlagSet("baton-demo worker "+args[0], flag.ContinueOnError)
	flags.StringVar(&f.name, "name", args[0], "the worker's name in traces")
	flags.StringVar(&f.nodes, "nodes", "http://127.0.0.1:7700", "URLs of nodes, with commas between them")
	flags.StringVar(&f.folder, "folder", ".", "the folder of documents (split)")
	flags.StringVar(&f.directory, "passages", os.TempDir(), "the directory of passages and the ledger, one for all workers")
	flags.DurationVar(&f.lease, "lease", 2*time.Second, "how long a job may be without a sign of life of its worker")
	if err := flags.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	s, err := newService(args[0], f.folder, f.directory)
	if err != nil {
		return err
	}
	return f.work(ctx, s, os.Stdout)
}

func (f *workerFlags) work(ctx context.Context, s service, out io.Writer) error {
	reports := &reporter{name: f.name, out: json.NewEncoder(out)}
	bound, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	c, err := client.Dial(bound, client.Options{Nodes: strings.Split(f.nodes, ","), InOrder: true, Name: f.name})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	reports.say(report{Doing: doingReady})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ends := make(chan error, len(s))
	for channel, handle := range s {
		options := client.WorkOptions{Channel: channel, Credit: workerCredit, Lease: f.lease, Report: reports.ended}
		go func() {
			ends <- c.Work(ctx, options, func(ctx context.Context, job *client.Job) error {
				reports.begun(job)
				return handle(ctx, job)
			})
		}()
	}
	err = <-ends
	stop() // One channel less is a worker that does half of its work: it ends.
	for range len(s) - 1 {
		err = errors.Join(err, <-ends)
	}
	return err
}

// reporter writes reports.
type reporter struct {
	name string

	mu  sync.Mutex // guards out
	out *json.Encoder
}

func (r *reporter) say(line report) {
	line.Worker = r.name
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(line) // whoever read it is gone, and so will this process be
}

func (r *reporter) begun(job *client.Job) {
	r.say(report{Doing: doingBegin, CorrelationID: job.CorrelationID, EventID: job.EventID, Job: job.IdempotencyKey, Attempt: job.Attempt})
}

func (r *reporter) ended(job *client.Job, err error) {
	line := report{Doing: doingDone, CorrelationID: job.CorrelationID, EventID: job.EventID, Job: job.IdempotencyKey, Attempt: job.Attempt}
	if err != nil {
		line.Doing, line.Error = doingFailed, err.Error()
	}
	r.say(line)
}
