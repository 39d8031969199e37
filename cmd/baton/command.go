package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/batonmq/baton/client"
)

const (
	// exitPermanent is the command's exit code that fails a job for good.
	exitPermanent = 100
	// exitParked is the one that parks it.
	exitParked = 101
	// pipeDelay is how long output may still come after the command has ended:
	// from children that hold its standard output.
	pipeDelay = time.Second
	// envelope is what a message needs besides the data.
	envelope = 2048
	// keptError is how much of the end of standard error goes into the failure.
	keptError = 512
)

// lookUp finds the command, before there is a job for it.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", misuse("the command cannot be run: %w", err)
	}
	return path, nil
}

// do is one job.
func (r *runner) do(ctx context.Context, job *client.Job) error {
	stdout := &bounded{limit: r.limit() - envelope}
	stderr := &tail{limit: keptError}
	cmd := exec.CommandContext(ctx, r.path, r.args...) //nolint:gosec // running what it is told is its purpose
	cmd.Env = environment(job)
	cmd.Stdin = bytes.NewReader(job.Data.Bytes())
	cmd.Stderr = io.MultiWriter(r.terminal.err, stderr)
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	stdout.full = func() { _ = killGroup(cmd.Process) }
	cmd.Stdout = stdout
	if r.flags.stream {
		cmd.Stdout = io.MultiWriter(stdout, job.Stream(""))
	}
	cmd.WaitDelay = pipeDelay
	if err := cmd.Start(); err != nil {
		return &client.JobError{Code: "not_started", Err: err}
	}
	err := cmd.Wait()
	_ = killGroup(cmd.Process) // What it left behind.
	switch {
	case stdout.over:
		return &client.JobError{
			Code: "too_large", Permanent: true,
			Err: fmt.Errorf("the command wrote more than the %d bytes that a message may have", stdout.limit),
		}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case commandExit(err) == exitParked:
		return job.Park(ctx, r.flags.park)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return failure(err, stderr)
	}
	return r.finish(job, stdout.data)
}

// finish does with the output what the flags say.
func (r *runner) finish(job *client.Job, output []byte) error {
	data, err := dataOf(output)
	if err != nil {
		return err
	}
	switch {
	case r.flags.emit != "":
		job.Emit(r.flags.emit, data)
	case r.flags.notify != "":
		job.Notify(r.flags.notify, data)
	case data.IsBytes():
		job.Result(data.Bytes())
	default:
		job.Result(data)
	}
	return nil
}

// commandExit is the command's exit code, 0 where it ended otherwise.
func commandExit(err error) int {
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode()
	}
	return 0
}

// failure is the job's error after the command's.
func failure(err error, stderr *tail) error {
	message := err
	if last := strings.TrimSpace(stderr.String()); last != "" {
		message = fmt.Errorf("%w: %s", err, last)
	}
	exited, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return &client.JobError{Code: "not_run", Err: message}
	}
	code := exited.ExitCode()
	if code < 0 {
		return &client.JobError{Code: "killed", Err: message}
	}
	return &client.JobError{Code: "exit_" + strconv.Itoa(code), Permanent: code == exitPermanent, Err: message}
}

// environment is this process's, and the job's metadata.
func environment(job *client.Job) []string {
	env := os.Environ()
	add := func(name, value string) {
		if !strings.ContainsRune(value, 0) { // which no environment can hold
			env = append(env, "BATON_JOB_"+name+"="+value)
		}
	}
	add("EVENT_ID", job.EventID)
	add("CORRELATION_ID", job.CorrelationID)
	add("CAUSATION_ID", job.CausationID)
	add("IDEMPOTENCY_KEY", job.IdempotencyKey)
	add("CHANNEL", job.Channel)
	add("GROUP", job.Group)
	add("KEY", job.Key)
	add("CLIENT_ID", job.ClientID)
	add("TENANT", job.Tenant)
	add("RUN_ID", job.RunID)
	add("STEP", job.Step)
	add("ATTEMPT", strconv.Itoa(job.Attempt))
	add("FENCE", strconv.FormatUint(job.Fence, 10))
	add("LEASE", job.LeaseToken())
	add("LEASE_MS", strconv.FormatInt(job.Lease.Milliseconds(), 10))
	add("CONTENT_TYPE", job.ContentType)
	add("CHECKPOINT", string(job.LastCheckpoint))
	for name, value := range job.Headers {
		add("HEADER_"+variable(name), value)
	}
	return env
}

// variable is a header's name as an environment variable has it.
func variable(name string) string {
	return strings.Map(func(r rune) rune {
		if (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}

// bounded keeps what is written, up to a limit; beyond it the writer is told,
// and stopped.
type bounded struct {
	data  []byte
	limit int
	over  bool
	full  func()
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.limit {
		if !b.over {
			b.over = true
			b.full()
		}
		return len(p), nil // Swallowed: the command is being killed.
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// tail keeps the last bytes written.
type tail struct {
	data  []byte
	limit int
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.limit; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string { return string(t.data) }
