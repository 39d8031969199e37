package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

type workFlags struct {
	target

	options client.WorkOptions
	name    string
	park    time.Duration
	emit    string
	notify  string
	count   int64
	stream  bool
	from    string
}

func newWork(t *terminal) *cobra.Command {
	var f workFlags
	cmd := &cobra.Command{
		Use:   "work --channel C [--emit D | --notify NAME] [flags] -- CMD [ARG...]",
		Short: "Run a command for each job of a channel",
		Long: `Work takes jobs from a channel and runs a command for each. The job's data is the
command's standard input; its metadata is in the environment as BATON_JOB_*:

  EVENT_ID CORRELATION_ID CAUSATION_ID IDEMPOTENCY_KEY CHANNEL GROUP KEY
  CLIENT_ID TENANT ATTEMPT FENCE LEASE LEASE_MS CONTENT_TYPE CHECKPOINT
  HEADER_<NAME>

Workers of one group share the channel's events; each group gets all of them. The
group default begins with the channel's first event, another one where --from
says when its first worker comes.

What the command writes to standard output is the answer: one JSON value as it
is, other text as a JSON string (without the newlines at its end), anything else
as bytes. --emit sends it on as an event, --notify to the client whose event the
job was; without either it is the job's result.

With --stream the output is shown to the client while it is written, as a token
stream, whose id is the event's: baton read shows it.

Exit code 0 completes the job, 100 fails it for good, 101 parks it: whoever has its
LEASE ends it later, with baton lease. Any other has it tried again. The lease is
renewed while the command runs; when it is lost, or the worker stops for longer
than --grace, the command and its children are killed.`,
		Example: `  baton work --channel questions --emit found -- ./search.sh
  baton work --channel found --notify answer --credit 4 -- python answer.py
  baton work --channel approvals --park 24h -- sh -c 'ask-ana "$BATON_JOB_LEASE"; exit 101'
  baton work --channel questions --group audit --from earliest -- tee -a questions.log`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return work(cmd.Context(), t, &f, args) },
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.options.Channel, "channel", "", "channel to work on (required)")
	flags.StringVar(&f.options.Group, "group", "", "consumer group, each of which gets every event once (default \"default\")")
	flags.StringVar(&f.from, "from", "", "where the group begins if it is new: new or earliest (default new)")
	flags.StringVar(&f.emit, "emit", "", "channel that the output is sent on to")
	flags.StringVar(&f.notify, "notify", "", "name of the notification that carries the output to the client")
	flags.IntVar(&f.options.Credit, "credit", 1, "how many commands run at a time")
	flags.DurationVar(&f.options.Lease, "lease", 15*time.Second, "how long a job may be without a sign of life before it goes to another worker")
	flags.DurationVar(&f.options.Grace, "grace", client.DefaultGrace, "how long commands may go on when the worker stops")
	flags.DurationVar(&f.park, "park", 0, "how long a job that is parked may take until it goes to another worker (default seven days)")
	flags.StringVar(&f.name, "name", "", "the worker's name in traces (default baton@host)")
	flags.Int64Var(&f.count, "count", 0, "stop after so many jobs that are completed, parked or failed for good (0 for never)")
	flags.BoolVar(&f.stream, "stream", false, "show the client the output while the command runs, as a token stream")
	cmd.MarkFlagsMutuallyExclusive("emit", "notify")
	mustRequire(cmd, "channel")
	return cmd
}

func work(ctx context.Context, t *terminal, f *workFlags, command []string) error {
	if f.options.Credit < 1 || f.count < 0 || f.options.Lease < 0 || f.park < 0 {
		return misuse("--credit must be positive, --count, --lease and --park not negative")
	}
	f.options.From = client.From(f.from)
	if err := checkGroup(&f.options); err != nil {
		return err
	}
	path, err := lookUp(command[0])
	if err != nil {
		return err
	}
	options := f.target.options()
	if f.name != "" {
		options.Name = f.name
	}
	c, err := f.dial(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &runner{flags: f, terminal: t, path: path, args: command[1:], limit: c.MaxMessageBytes}
	var ended atomic.Int64
	f.options.Report = func(job *client.Job, err error) {
		r.report(job, err)
		state := stateOf(err)
		if (state == stateCompleted || state == stateParked || state == statePermanent) && ended.Add(1) == f.count {
			cancel()
		}
	}
	return c.Work(ctx, f.options, r.do)
}

// checkGroup refuses a --from that means nothing.
func checkGroup(o *client.WorkOptions) error {
	switch {
	case o.From == "":
		return nil
	case o.From != client.FromNew && o.From != client.FromEarliest:
		return misuse("--from must be new or earliest")
	case o.Group == "" || o.Group == "default":
		return misuse("--from needs a --group other than default, which begins with the channel's first event")
	default:
		return nil
	}
}

// jobLine is what --json prints of a job that ended.
type jobLine struct {
	EventID       string `json:"event_id"`
	CorrelationID string `json:"correlation_id"`
	Channel       string `json:"channel"`
	Attempt       int    `json:"attempt"`
	State         string `json:"state"`
	Error         string `json:"error,omitempty"`
}

// runner runs the command.
type runner struct {
	flags    *workFlags
	terminal *terminal
	path     string
	args     []string
	limit    func() int

	mu sync.Mutex // one line at a time
}

func (r *runner) report(job *client.Job, err error) {
	line := jobLine{
		EventID: job.EventID, CorrelationID: job.CorrelationID, Channel: job.Channel, Attempt: job.Attempt, State: stateOf(err),
	}
	if err != nil && line.State != stateParked {
		line.Error = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flags.json {
		_ = printJSON(r.terminal.out, line)
		return
	}
	text := fmt.Sprintf("%s %s, attempt %d", line.State, line.EventID, line.Attempt)
	if line.Error != "" {
		text += ": " + clean(line.Error)
	}
	_, _ = fmt.Fprintln(r.terminal.out, text)
}

// The states of a job that ended, as work prints them.
const (
	stateCompleted = "completed"
	stateParked    = "parked"
	stateFailed    = "failed"
	statePermanent = "failed for good"
	stateLost      = "lost"
	stateReleased  = "released"
)

func stateOf(err error) string {
	failed, ok := errors.AsType[*client.JobError](err)
	switch {
	case err == nil:
		return stateCompleted
	case errors.Is(err, client.ErrParked):
		return stateParked
	case errors.Is(err, client.ErrLeaseLost):
		return stateLost
	case errors.Is(err, client.ErrStopping), errors.Is(err, client.ErrClosed):
		return stateReleased
	case ok && failed.Permanent:
		return statePermanent
	default:
		return stateFailed
	}
}
