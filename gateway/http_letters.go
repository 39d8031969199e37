package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// defaultLetters is how many dead letters a page has where none is said.
	defaultLetters = 100
	notALetter     = "no dead letter of that event"
)

// lettersOf reads which dead letters a request is about. A parameter that is not
// known is refused: a filter that is misspelt would be none, and mean all.
func lettersOf(r *http.Request, more ...string) (want cluster.Letters, limit int, bad refusal) {
	query := r.URL.Query()
	known := append([]string{"tenant", "channel", "group", "reason", "limit", "cursor"}, more...)
	for name := range query {
		if !slices.Contains(known, name) {
			return want, 0, refusal{wire.ReasonBadRequest, "the parameters are " + strings.Join(known, ", ") + ": not " + name}
		}
	}
	want = cluster.Letters{
		Tenant: tenantOf(r), Channel: query.Get("channel"), Group: query.Get("group"), Reason: query.Get("reason"),
		Cursor: query.Get("cursor"),
	}
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return want, 0, refusal{wire.ReasonBadRequest, "limit must be a number from 1"}
		}
	}
	return want, limit, refusal{}
}

// listLetters answers a page of dead letters.
func (g *Gateway) listLetters(w http.ResponseWriter, r *http.Request) {
	want, limit, bad := lettersOf(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	want.Limit = defaultLetters
	if limit > 0 {
		want.Limit = min(limit, cluster.MaxDeadLetters)
	}
	page, err := g.broker.DeadLetters(r.Context(), &want)
	g.answerLook(w, page, err)
}

// showLetter answers the dead letters of one event, one for each group.
func (g *Gateway) showLetter(w http.ResponseWriter, r *http.Request) {
	id, err := command.ParseEventID(r.PathValue("event_id"))
	if err != nil {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, notALetter})
		return
	}
	letters, err := g.broker.DeadLettersOf(r.Context(), tenantOf(r), r.URL.Query().Get("group"), id)
	g.answerLook(w, cluster.LettersPage{Letters: letters}, err)
}

// showEvent answers one event.
func (g *Gateway) showEvent(w http.ResponseWriter, r *http.Request) {
	id, err := command.ParseEventID(r.PathValue("event_id"))
	if err != nil {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, "the tenant has no such event"})
		return
	}
	body, err := g.broker.Event(r.Context(), tenantOf(r), id)
	g.answerLook(w, json.RawMessage(body), err)
}

// showWhy answers why an event waits.
func (g *Gateway) showWhy(w http.ResponseWriter, r *http.Request) {
	id, err := command.ParseEventID(r.PathValue("event_id"))
	if err != nil {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, "the tenant has no such event"})
		return
	}
	body, err := g.broker.Why(r.Context(), tenantOf(r), id)
	g.answerLook(w, json.RawMessage(body), err)
}

func (g *Gateway) answerLook(w http.ResponseWriter, found any, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, "the tenant has no such event, or it is no dead letter"})
		return
	case errors.Is(err, cluster.ErrBadCursor):
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, err.Error()})
		return
	case err != nil:
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, err.Error()})
		return
	}
	body, err := json.Marshal(found)
	if err != nil {
		g.logger.Error("encoding an answer", "error", err)
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, "the answer cannot be encoded"})
		return
	}
	writeJSON(w, body)
}

// redriveBody is what a redrive of one dead letter may say.
type redriveBody struct {
	Group       string          `json:"group"`
	ContentType string          `json:"content_type"`
	Data        json.RawMessage `json:"data"`
	DataBase64  *[]byte         `json:"data_base64"`
}

// redriveLetter puts one dead letter back in line.
func (g *Gateway) redriveLetter(w http.ResponseWriter, r *http.Request) {
	c, bad := g.readRedrive(w, r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	g.answerLetter(w, r, c.Event, c)
}

// discardLetter gives one dead letter up.
func (g *Gateway) discardLetter(w http.ResponseWriter, r *http.Request) {
	id, err := command.ParseEventID(r.PathValue("event_id"))
	if err != nil {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, notALetter})
		return
	}
	once, bad := g.onceOf(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	c := &command.Discard{
		Tenant: tenantOf(r), Event: id, Group: r.URL.Query().Get("group"), Once: once, Note: r.URL.Query().Get("note"),
	}
	if bad = wrongNote(c.Note); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	g.answerLetter(w, r, id, c)
}

// wrongNote refuses a note that is too long, or no text.
func wrongNote(note string) refusal {
	if len(note) > cluster.MaxNoteBytes || !utf8.ValidString(note) {
		return refusal{wire.ReasonBadRequest, "note must be text of at most " + strconv.Itoa(cluster.MaxNoteBytes) + " bytes"}
	}
	return refusal{}
}

// onceOf names the request, so that sending it again is no second one.
func (g *Gateway) onceOf(r *http.Request) (once string, bad refusal) {
	switch given := r.Header.Get("Idempotency-Key"); {
	case len(given) > wire.MaxIdempotencyKeyBytes:
		return "", refusal{wire.ReasonBadRequest, "Idempotency-Key must be at most 255 bytes"}
	case given != "":
		return given, refusal{}
	}
	return "~" + g.newSession(), refusal{}
}

func (g *Gateway) readRedrive(w http.ResponseWriter, r *http.Request) (*command.Redrive, refusal) {
	id, err := command.ParseEventID(r.PathValue("event_id"))
	if err != nil {
		return nil, refusal{wire.ReasonNotFound, notALetter}
	}
	once, bad := g.onceOf(r)
	if bad.any() {
		return nil, bad
	}
	raw, bad := g.readBody(w, r)
	if bad.any() {
		return nil, bad
	}
	var body redriveBody
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, refusal{wire.ReasonBadRequest, "the body cannot be read: " + jsonFault(err)}
		}
	}
	c := &command.Redrive{Tenant: tenantOf(r), Event: id, Group: body.Group, Once: once, ContentType: body.ContentType}
	switch {
	case body.Data != nil && body.DataBase64 != nil:
		return nil, refusal{wire.ReasonBadRequest, "data and data_base64 may not both stand"}
	case body.Data != nil && !wire.ValidJSON(body.Data):
		return nil, refusal{wire.ReasonBadRequest, "data must be exactly one JSON value"}
	case body.Data != nil:
		c.Edited, c.Payload = true, command.Payload{Codec: command.CodecJSON, Bytes: body.Data}
	case body.DataBase64 != nil:
		c.Edited, c.Payload = true, command.Payload{Codec: command.CodecBytes, Bytes: *body.DataBase64}
	case body.ContentType != "":
		return nil, refusal{wire.ReasonBadRequest, "content_type may only stand beside data"}
	}
	switch {
	case len(c.Payload.Bytes) > g.limits.MaxPayloadBytes:
		return nil, g.tooLarge
	case len(body.ContentType) > wire.MaxContentTypeBytes:
		return nil, refusal{wire.ReasonBadRequest, "content_type must be at most 255 bytes"}
	}
	return c, refusal{}
}

// appender is a command about a dead letter.
type appender interface{ Append(dst []byte) []byte }

// letterAnswer is the answer about one dead letter.
type letterAnswer struct {
	EventID   string `json:"event_id"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// answerLetter submits a command about one dead letter, and answers the request.
func (g *Gateway) answerLetter(w http.ResponseWriter, r *http.Request, id command.EventID, c appender) {
	waiter := newCommandWaiter(g)
	g.submitLetter(id, c, waiter)
	result, ok := waiter.wait(r.Context())
	switch {
	case !ok:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same Idempotency-Key makes another try safe"})
	case result.Reason != command.Done:
		e := resultError(&result)
		g.writeProblem(w, &e, e.Code)
	default:
		g.answerLook(w, letterAnswer{EventID: id.String(), Duplicate: result.Duplicate}, nil)
	}
}

// submitLetter sends a command to the leader of an event's partition.
func (g *Gateway) submitLetter(id command.EventID, c appender, to *commandWaiter) {
	g.begin(&g.nobody, false)
	route, ok := g.partitionRoute(uint32(id.Partition))
	if !ok {
		to.Reply(0, &command.Result{Reason: command.NotFound, Message: notALetter})
		return
	}
	switch c := c.(type) {
	case *command.Redrive:
		c.Route = route
	case *command.Discard:
		c.Route = route
	}
	g.broker.Submit(uint32(id.Partition), c.Append(nil), to, 0)
}
