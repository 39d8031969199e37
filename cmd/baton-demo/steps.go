package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/batonmq/baton/client"
)

// service is one kind of worker: the channels that it serves, and how.
type service map[string]client.Handler

// services lists the kinds of workers, in the order of the workflow.
func services() []string { return []string{"split", "search", "answer", "desk"} }

// newService makes a service's handlers, with what they keep between jobs. The directory
// is what all workers share.
func newService(name, folder, directory string) (service, error) {
	switch name {
	case "split":
		l := newLibrary(folder, directory)
		if _, _, err := l.refresh(); err != nil { // at start, so that the first question need not wait
			return nil, err
		}
		return service{channelSplit: splitStep(l)}, nil
	case "search":
		return service{channelSearch: searchStep(newShares(directory))}, nil
	case "answer":
		return service{channelAnswer: answerStep(modelFromEnvironment())}, nil
	case "desk":
		return newDesk(ledgerIn(directory)), nil
	default:
		return nil, fmt.Errorf("%w: there is no worker %q", errUsage, name)
	}
}

func ledgerIn(directory string) ledger { return ledger{filepath.Join(directory, "ledger")} }

// handlerOf is a handler of jobs with data of one kind. Data that is none is of no use at
// the next attempt either.
func handlerOf[T any](handle func(ctx context.Context, job *client.Job, data *T) error) client.Handler {
	return func(ctx context.Context, job *client.Job) error {
		var data T
		if err := job.Data.Decode(&data); err != nil {
			return client.Permanent(err)
		}
		return handle(ctx, job, &data)
	}
}

// splitStep brings the passages up to date with the folder.
func splitStep(l *library) client.Handler {
	return handlerOf(func(_ context.Context, job *client.Job, _ *question) error {
		shares, changed, err := l.refresh()
		if err != nil {
			return err
		}
		job.Result(splitFolder{shares, changed})
		return nil
	})
}

// searchStep finds the passages of a share that may answer the question.
func searchStep(s *shares) client.Handler {
	return handlerOf(func(ctx context.Context, job *client.Job, q *searchJob) error {
		if q.Number == 0 && job.Attempt == 1 {
			if err := pause(ctx, time.Duration(q.Question.HoldMS)*time.Millisecond); err != nil {
				return err
			}
		}
		found, err := s.find(q.Number, q.Share, q.Question.Text)
		if err != nil {
			return err
		}
		job.Result(found)
		return nil
	})
}

// pause waits, or ends with what the job is stopped for.
func pause(ctx context.Context, length time.Duration) error {
	if length <= 0 {
		return nil
	}
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lastModelAttempt is the attempt that answers without the model when the model
// fails once more: an answer of quotations is better than none.
const lastModelAttempt = 3

// wordPause is the pace at which quotations are shown, which is that of a model.
const wordPause = 15 * time.Millisecond

// answerStep answers from the passages. The client who asked sees the answer grow.
func answerStep(m *model) client.Handler {
	return handlerOf(func(ctx context.Context, job *client.Job, q *answerJob) error {
		passages := bestOf(q.Found)
		a := extract(q.Question.Text, passages)
		written := false
		if m != nil && len(passages) > 0 {
			var err error
			if written, err = m.answer(ctx, job, q.Question.Text, passages, &a); err != nil {
				return err
			}
		}
		if !written {
			if err := showWords(ctx, job, a.Answer); err != nil {
				return err
			}
		}
		job.Result(a)
		return nil
	})
}

// bestOf is the best passages of all shares.
func bestOf(found [][]foundPassage) []passage {
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b foundPassage) int { return cmp.Compare(b.Score, a.Score) })
	passages := make([]passage, 0, bestPassages)
	for i := range all[:min(len(all), bestPassages)] {
		passages = append(passages, all[i].passage)
	}
	return passages
}

func showWords(ctx context.Context, job *client.Job, text string) error {
	for word := range strings.SplitAfterSeq(text, " ") {
		_, _ = job.Write([]byte(word)) // It has no errors.
		if err := pause(ctx, wordPause); err != nil {
			return err
		}
	}
	return nil
}

// tokensUsed is what a job reports of its usage; the run adds it up.
type tokensUsed struct {
	Tokens int64 `json:"tokens"`
}

// answer puts the model's answer in the place of the quotations, and tells whether it did.
func (m *model) answer(ctx context.Context, job *client.Job, text string, passages []passage, a *answer) (bool, error) {
	reply, tokens, err := m.ask(ctx, text, passages, job)
	if err == nil {
		a.Answer, a.By, a.Sources = reply, m.name, nil
		for i := range passages {
			p := &passages[i]
			a.Sources = append(a.Sources, source{p.File, p.Line, p.Heading})
		}
		job.Usage(tokensUsed{tokens})
		return true, nil
	}
	failure, known := errors.AsType[*client.JobError](err)
	throttled := known && failure.Throttled
	if (known && failure.Permanent) || (!throttled && job.Attempt >= lastModelAttempt) {
		a.Note = err.Error()
		return false, nil
	}
	return false, err
}
