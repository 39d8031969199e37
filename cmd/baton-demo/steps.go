package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/batonmq/baton/client"
)

// step is one kind of worker: where its jobs come from, and what it does.
type step struct {
	channel string
	handle  client.Handler
}

// steps lists the names of the steps, in the order of the pipeline.
func steps() []string { return []string{"split", "retrieve", "answer"} }

// newStep makes a step's handler, with what it keeps between jobs.
func newStep(name, folder, directory string) (*step, error) {
	switch name {
	case "split":
		l := newLibrary(folder, directory)
		if _, _, err := l.refresh(); err != nil { // at start, so that the first question need not wait
			return nil, err
		}
		return &step{channelAsked, splitStep(l)}, nil
	case "retrieve":
		x, err := newIndex(directory)
		if err != nil {
			return nil, err
		}
		return &step{channelSplit, retrieveStep(x)}, nil
	case "answer":
		return &step{channelFound, answerStep(modelFromEnvironment())}, nil
	default:
		return nil, fmt.Errorf("%w: there is no step %q", errUsage, name)
	}
}

// splitStep brings the passages up to date with the folder.
func splitStep(l *library) client.Handler {
	return func(_ context.Context, job *client.Job) error {
		var q question
		if err := job.Data.Decode(&q); err != nil {
			return client.Permanent(err)
		}
		name, changed, err := l.refresh()
		if err != nil {
			return err
		}
		job.Emit(channelSplit, splitQuestion{q, name, changed})
		return nil
	}
}

// retrieveStep finds the passages that may answer the question.
func retrieveStep(x *index) client.Handler {
	return func(ctx context.Context, job *client.Job) error {
		var q splitQuestion
		if err := job.Data.Decode(&q); err != nil {
			return client.Permanent(err)
		}
		if q.HoldMS > 0 && job.Attempt == 1 {
			select {
			case <-time.After(time.Duration(q.HoldMS) * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		found, err := x.find(q.Manifest, q.Text)
		if err != nil {
			return err
		}
		job.Emit(channelFound, foundPassages{q.question, found})
		return nil
	}
}

// lastModelAttempt is the attempt that answers without the model when the model
// fails once more: an answer of quotations is better than none.
const lastModelAttempt = 3

// answerStep answers from the passages, and tells the client who asked.
func answerStep(m *model) client.Handler {
	return func(ctx context.Context, job *client.Job) error {
		var q foundPassages
		if err := job.Data.Decode(&q); err != nil {
			return client.Permanent(err)
		}
		a := extract(q.Text, q.Passages)
		if m != nil && len(q.Passages) > 0 {
			if err := m.answer(ctx, job, &q, &a); err != nil {
				return err
			}
		}
		job.Notify(answerReady, a)
		return nil
	}
}

// answer puts the model's answer in the place of the quotations.
func (m *model) answer(ctx context.Context, job *client.Job, q *foundPassages, a *answer) error {
	reply, usage, err := m.ask(ctx, q.Text, q.Passages)
	if err == nil {
		a.Answer, a.By, a.Sources = reply, m.name, nil
		for i := range q.Passages {
			p := &q.Passages[i]
			a.Sources = append(a.Sources, source{p.File, p.Line, p.Heading})
		}
		if usage != nil {
			job.Usage(usage)
		}
		return nil
	}
	failure, known := errors.AsType[*client.JobError](err)
	throttled := known && failure.Throttled
	if (known && failure.Permanent) || (!throttled && job.Attempt >= lastModelAttempt) {
		a.Note = err.Error()
		return nil
	}
	return err
}
