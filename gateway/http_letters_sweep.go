package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// lettersReserve is how much of a request's time is kept to answer it: what a
// redrive by filter has not come to by then is left to the next request.
const lettersReserve = clusterTimeout / 3

// letterCommand makes the command about one dead letter.
type letterCommand func(tenant, group string, id command.EventID) appender

// redriveLetters and discardLetters do it to every dead letter of a filter.
func (g *Gateway) redriveLetters(w http.ResponseWriter, r *http.Request) {
	g.sweepLetters(w, r, "redriven", func(tenant, group string, id command.EventID) appender {
		return &command.Redrive{Tenant: tenant, Event: id, Group: group, Once: "~" + g.newSession()}
	})
}

func (g *Gateway) discardLetters(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("channel") == "" {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "discarding by filter needs a channel"})
		return
	}
	g.sweepLetters(w, r, "discarded", func(tenant, group string, id command.EventID) appender {
		return &command.Discard{Tenant: tenant, Event: id, Group: group, Once: "~" + g.newSession()}
	})
}

// swept is what was done to some dead letters: to how many, how many refused it for
// what they are, and the last failure that says nothing of a letter.
type swept struct {
	done, refused int
	failed        *command.Result
}

// sweepLetters goes over the pages of a filter until it is through, has done as
// many as the request's limit, or the request's time is over; then the answer
// has a cursor to go on from. One that died again meanwhile lies behind.
func (g *Gateway) sweepLetters(w http.ResponseWriter, r *http.Request, word string, of letterCommand) {
	want, limit, bad := lettersOf(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	deadline, _ := r.Context().Deadline()
	var total swept
	for begin := true; begin || (want.Cursor != "" && (limit == 0 || total.done < limit) && time.Until(deadline) > lettersReserve); begin = false {
		want.Limit = defaultLetters
		if limit > 0 {
			want.Limit = min(defaultLetters, limit-total.done)
		}
		page, err := g.broker.DeadLetters(r.Context(), &want)
		if err != nil && begin {
			g.answerLook(w, nil, err)
			return
		}
		if err != nil {
			break
		}
		done := g.sweepPage(r.Context(), page.Letters, of)
		if done.failed != nil && begin { // No cursor says that it is not through: the request is to be sent again.
			e := resultError(done.failed)
			g.writeProblem(w, &e, e.Code)
			return
		}
		total.done, total.refused = total.done+done.done, total.refused+done.refused
		if done.failed != nil { // The page is begun again by the next request.
			break
		}
		want.Cursor = page.Cursor
	}
	g.answerLook(w, total.answer(word, want.Cursor), nil)
}

func (s *swept) answer(word, cursor string) map[string]any {
	answer := map[string]any{word: s.done}
	if s.refused > 0 {
		answer["refused"] = s.refused
	}
	if cursor != "" {
		answer["cursor"] = cursor
	}
	return answer
}

// sweepPage does it to a page at once. What is no dead letter any more is passed
// over, and so is one that cannot be redriven, for its time to live or its
// lineage: the others are not to wait for it.
func (g *Gateway) sweepPage(ctx context.Context, letters []cluster.DeadLetter, of letterCommand) (page swept) {
	waiters := make([]*commandWaiter, 0, len(letters))
	for i := range letters {
		id, err := command.ParseEventID(letters[i].EventID)
		if err != nil {
			continue
		}
		waiter := newCommandWaiter(g)
		waiters = append(waiters, waiter)
		g.submitLetter(id, of(letters[i].Tenant, letters[i].Group, id), waiter)
	}
	for _, waiter := range waiters {
		result, ok := waiter.wait(ctx)
		switch {
		case !ok:
			page.failed = &command.Result{Reason: command.OutcomeUnknown}
		case result.Reason == command.Done:
			page.done++
		case result.Reason == command.BadRequest:
			page.refused++
		case result.Reason != command.NotFound:
			page.failed = &result
		}
	}
	return page
}
