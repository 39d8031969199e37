package main

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/client"
)

// printQuestion prints a question, its answer and its trace.
func (r *onceRun) printQuestion(q *asked, trace *client.Trace) {
	q.by.mu.Lock()
	defer q.by.mu.Unlock()
	r.options.say("\n%s asks: %s", q.by.name, q.Text)
	for i := range q.by.received {
		got := &q.by.received[i]
		if got.correlationID != q.correlationID {
			continue
		}
		if got.name != answerReady {
			r.options.say("  notification %d after %d ms: %s %s", got.seq, got.at.Sub(q.at).Milliseconds(), got.name, got.ended.Status)
			continue
		}
		r.options.say("  answer %d after %d ms, by %s: %s", got.seq, got.at.Sub(q.at).Milliseconds(), got.answer.By, clip(got.answer.Answer, 400))
		for n, s := range got.answer.Sources {
			r.options.say("    [%d] %s:%d %s", n+1, s.File, s.Line, s.Heading)
		}
	}
	for i := range trace.Marks {
		r.options.say("    %s", describeMark(&trace.Marks[i], trace.Marks[0].Time))
	}
}

// describeMark is one line of a trace.
func describeMark(m *client.TraceMark, begin int64) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%+6d ms  %-12s %-15s", m.Time-begin, m.Mark, m.Channel)
	if m.Attempt > 0 {
		_, _ = fmt.Fprintf(&b, " attempt %d", m.Attempt)
	}
	if m.Worker != "" {
		_, _ = fmt.Fprintf(&b, " by %s", m.Worker)
	}
	if m.Node != "" {
		_, _ = fmt.Fprintf(&b, " on %s", m.Node)
	}
	if m.DurationMS != nil {
		_, _ = fmt.Fprintf(&b, " in %d ms", *m.DurationMS)
	}
	if m.Name != "" {
		_, _ = fmt.Fprintf(&b, " %s", m.Name)
	}
	if m.Seq != 0 {
		_, _ = fmt.Fprintf(&b, " as number %d of %s", m.Seq, m.ClientID)
	}
	if m.DeviceID != "" {
		_, _ = fmt.Fprintf(&b, " on device %s", m.DeviceID)
	}
	if m.Message != "" {
		_, _ = fmt.Fprintf(&b, " (%s)", m.Message)
	}
	return strings.TrimRight(b.String(), " ")
}
