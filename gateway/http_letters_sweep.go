package gateway

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// lettersReserve is how much of a request's time is kept to answer it: what a
// redrive by filter has not come to by then is left to the next request.
const lettersReserve = clusterTimeout / 3

// maxTold is how many letters an answer names of those that were skipped, or that a dry
// run would have changed.
const maxTold = 100

// letterCommand makes the command about one dead letter.
type letterCommand func(tenant, group string, id command.EventID) appender

// sweep is what a request wants done to every dead letter of a filter.
type sweep struct {
	want cluster.Letters
	// limit is to how many at most, 0 for all; rate is to how many in a second, 0 for as
	// fast as it goes.
	limit, rate int
	// dry means that nothing changes, and the answer says what would.
	dry bool
	// word is the answer's for how many, keeps whether a letter would refuse it.
	word  string
	keeps func(*cluster.DeadLetter) bool
	of    letterCommand
}

// redriveLetters and discardLetters do it to every dead letter of a filter.
func (g *Gateway) redriveLetters(w http.ResponseWriter, r *http.Request) {
	s, bad := sweepOf(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	s.word, s.keeps = "redriven", func(d *cluster.DeadLetter) bool { return !d.Redrivable }
	s.of = func(tenant, group string, id command.EventID) appender {
		return &command.Redrive{Tenant: tenant, Event: id, Group: group, Once: "~" + g.newSession()}
	}
	g.sweepLetters(w, r, s)
}

func (g *Gateway) discardLetters(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("channel") == "" {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "discarding by filter needs a channel"})
		return
	}
	s, bad := sweepOf(r, "note")
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	note := r.URL.Query().Get("note")
	if bad = wrongNote(note); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	s.word, s.keeps = "discarded", func(*cluster.DeadLetter) bool { return false }
	s.of = func(tenant, group string, id command.EventID) appender {
		return &command.Discard{Tenant: tenant, Event: id, Group: group, Once: "~" + g.newSession(), Note: note}
	}
	g.sweepLetters(w, r, s)
}

// sweepOf reads what a request by filter wants.
func sweepOf(r *http.Request, more ...string) (s *sweep, bad refusal) {
	s = &sweep{}
	if s.want, s.limit, bad = lettersOf(r, append(more, "rate", "dry_run")...); bad.any() {
		return nil, bad
	}
	query := r.URL.Query()
	if text := query.Get("rate"); text != "" {
		var err error
		if s.rate, err = strconv.Atoi(text); err != nil || s.rate < 1 {
			return nil, refusal{wire.ReasonBadRequest, "rate must be a number from 1: how many in a second"}
		}
	}
	if text := query.Get("dry_run"); text != "" {
		var err error
		if s.dry, err = strconv.ParseBool(text); err != nil {
			return nil, refusal{wire.ReasonBadRequest, "dry_run must be true or false"}
		}
	}
	return s, refusal{}
}

// skippedLetter is one to which it was not done.
type skippedLetter struct {
	EventID string `json:"event_id"`
	Group   string `json:"group"`
	Why     string `json:"why"`
}

// swept is what was done to some dead letters: to how many, how many refused it for
// what they are, the first of those and of others that are none any more, and the last
// failure that says nothing of a letter.
type swept struct {
	done, refused int
	skipped       []skippedLetter
	// would are the first events of a dry run.
	would  []string
	failed *command.Result
}

func (s *swept) add(page *swept) {
	s.done, s.refused = s.done+page.done, s.refused+page.refused
	s.skipped = append(s.skipped, page.skipped...)
	s.skipped = s.skipped[:min(len(s.skipped), maxTold)]
	s.would = append(s.would, page.would...)
	s.would = s.would[:min(len(s.would), maxTold)]
}

// sweepLetters goes over the pages of a filter until it is through, has done as
// many as the request's limit, or the request's time is over; then the answer
// has a cursor to go on from. One that died again meanwhile lies behind.
func (g *Gateway) sweepLetters(w http.ResponseWriter, r *http.Request, s *sweep) {
	deadline, _ := r.Context().Deadline()
	var total swept
	for begin := true; begin || (s.goesOn(&total) && time.Until(deadline) > lettersReserve); begin = false {
		s.want.Limit = s.pageSize(total.done)
		page, err := g.broker.DeadLetters(r.Context(), &s.want)
		if err != nil && begin {
			g.answerLook(w, nil, err)
			return
		}
		if err != nil {
			break
		}
		done := g.sweepPage(r.Context(), page.Letters, s)
		if done.failed != nil && begin { // No cursor says that it is not through: the request is to be sent again.
			e := resultError(done.failed)
			g.writeProblem(w, &e, e.Code)
			return
		}
		total.add(&done)
		if done.failed != nil { // The page is begun again by the next request.
			break
		}
		if s.want.Cursor = page.Cursor; s.goesOn(&total) {
			s.pause(r.Context(), done.done)
		}
	}
	g.answerLook(w, s.answer(&total), nil)
}

// goesOn tells whether there is more to do.
func (s *sweep) goesOn(total *swept) bool {
	return s.want.Cursor != "" && (s.limit == 0 || total.done < s.limit)
}

// pageSize is how many are done at once: no more than in a second.
func (s *sweep) pageSize(done int) int {
	size := defaultLetters
	if s.limit > 0 {
		size = min(size, s.limit-done)
	}
	if s.rate > 0 && !s.dry {
		size = min(size, s.rate)
	}
	return size
}

// pause waits for as long as so many take at the sweep's rate. It is waited before an answer
// with a cursor too, so that requests that follow each other keep the rate.
func (s *sweep) pause(ctx context.Context, done int) {
	if s.rate == 0 || s.dry || done == 0 {
		return
	}
	timer := time.NewTimer(time.Duration(done) * time.Second / time.Duration(s.rate))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (s *sweep) answer(total *swept) map[string]any {
	answer := map[string]any{s.word: total.done}
	if total.refused > 0 {
		answer["refused"] = total.refused
	}
	if len(total.skipped) > 0 {
		answer["skipped"] = total.skipped
	}
	if s.dry {
		answer["dry_run"] = true
		answer["event_ids"] = total.would
	}
	if s.want.Cursor != "" {
		answer["cursor"] = s.want.Cursor
	}
	return answer
}

// tryPage is what would be done to a page.
func (s *sweep) tryPage(letters []cluster.DeadLetter) (page swept) {
	for i := range letters {
		d := &letters[i]
		if s.keeps(d) {
			page.refused++
			page.skip(d, "its ttl_ms is over, or its run does not wait for it")
			continue
		}
		page.done++
		page.would = append(page.would, d.EventID)
	}
	return page
}

func (s *swept) skip(d *cluster.DeadLetter, why string) {
	s.skipped = append(s.skipped, skippedLetter{d.EventID, d.Group, why})
}

// sweepPage does it to a page at once. What is no dead letter any more is passed
// over, and so is one that cannot be redriven, for its time to live or its
// lineage: the others are not to wait for it.
func (g *Gateway) sweepPage(ctx context.Context, letters []cluster.DeadLetter, s *sweep) (page swept) {
	if s.dry {
		return s.tryPage(letters)
	}
	waiters := make([]*commandWaiter, len(letters))
	for i := range letters {
		id, err := command.ParseEventID(letters[i].EventID)
		if err != nil {
			continue
		}
		waiters[i] = newCommandWaiter(g)
		g.submitLetter(id, s.of(letters[i].Tenant, letters[i].Group, id), waiters[i])
	}
	for i, waiter := range waiters {
		if waiter == nil {
			continue
		}
		result, ok := waiter.wait(ctx)
		if !ok {
			result = command.Result{Reason: command.OutcomeUnknown}
		}
		page.note(&letters[i], &result)
	}
	return page
}

// note takes note of what came of one letter.
func (s *swept) note(d *cluster.DeadLetter, result *command.Result) {
	switch result.Reason { //nolint:exhaustive // The others say nothing of the letter.
	case command.Done:
		s.done++
	case command.BadRequest:
		s.refused++
		s.skip(d, result.Message)
	case command.NotFound:
		s.skip(d, "it is no dead letter any more")
	default:
		s.failed = result
	}
}
