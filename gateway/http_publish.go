package gateway

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/transport/wire"
)

// noAnswerInTime says what became of a publish that the cluster did not answer.
const noAnswerInTime = "the cluster did not answer in time; the same idempotency_key makes another try safe"

// publishEvents is publish for those who hold no socket: one event or several, in
// our own words or as CloudEvents.
func (g *Gateway) publishEvents(w http.ResponseWriter, r *http.Request) {
	kind, bad := mediaType(r.Header)
	var body []byte
	if !bad.any() {
		body, bad = g.readBody(w, r)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	lines := kind == "application/x-ndjson" || kind == "application/jsonl"
	switch {
	case kind == "application/cloudevents+json":
		event, bad := structuredEvent(body)
		g.publishCloudEvent(w, r, event, bad)
	case kind == "application/cloudevents-batch+json":
		g.publishAll(w, r, body, false, true)
	case r.Header.Get("Ce-Specversion") != "" || r.Header.Get("Ce-Id") != "":
		event, bad := binaryEvent(r.Header, body)
		g.publishCloudEvent(w, r, event, bad)
	case lines || bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'['}):
		g.publishAll(w, r, body, lines, false)
	default:
		g.publishOne(w, r, body)
	}
}

// mediaType is the body's, without parameters; empty where none is given.
func mediaType(header http.Header) (string, refusal) {
	given := header.Get("Content-Type")
	if given == "" {
		return "", refusal{}
	}
	kind, _, err := mime.ParseMediaType(given)
	if err != nil {
		return "", refusal{wire.ReasonBadRequest, "the content type cannot be read"}
	}
	return kind, refusal{}
}

func (g *Gateway) publishCloudEvent(w http.ResponseWriter, r *http.Request, event *cloudEvent, bad refusal) {
	var body []byte
	if !bad.any() {
		body, bad = event.publish(r.URL.Query())
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	g.publishOne(w, r, body)
}

// publishAll publishes the events of a body of several.
//
//nolint:revive // The flags are the body's form.
func (g *Gateway) publishAll(w http.ResponseWriter, r *http.Request, body []byte, lines, cloud bool) {
	split, bad := splitBatch(body, lines)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	items := make([]batchItem, len(split))
	for i, item := range split {
		items[i].body = item
		if !cloud {
			continue
		}
		event, bad := structuredEvent(item)
		if !bad.any() {
			items[i].body, bad = event.publish(r.URL.Query())
		}
		if bad.any() {
			refused := bad.wireError()
			items[i].refused = &refused
		}
	}
	g.publishBatch(w, r, items)
}

func (g *Gateway) publishOne(w http.ResponseWriter, r *http.Request, body []byte) {
	start := time.Now()
	waiter := &httpWaiter{answer: make(chan httpAnswer, 1)}
	if problem := g.submitEvent(body, whoOf(r), waiter, 0); problem != nil {
		g.writeProblem(w, problem, problem.Code)
		return
	}
	select {
	case answer := <-waiter.answer:
		g.meter.stored.Observe(time.Since(start).Seconds())
		if answer.refused.Reason != "" {
			g.writeProblem(w, &answer.refused, answer.refused.Code)
			return
		}
		writeJSON(w, answer.body)
	case <-r.Context().Done():
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, noAnswerInTime})
	}
}

// submitEvent reads the body of a publish and forwards it. before is how many events of
// the same request came too fast.
func (g *Gateway) submitEvent(body []byte, who *auth.Identity, to *httpWaiter, before int) *wire.Error {
	bench := g.borrow()
	defer g.giveBack(bench)
	var m wire.Emit
	if err := bench.decoder.Body(body, &m); err != nil {
		e := refusal{wire.ReasonBadRequest, err.Error()}.wireError()
		return &e
	}
	var of command.Event
	partitions, refused := g.admitEvent(to, &m, &of, ofWhom(who, &m, &of), before)
	if refused != nil {
		return refused
	}
	event := &bench.publish.Event
	bench.fillEvent(event, &m.EventFields)
	event.Tenant, event.ClientID = of.Tenant, of.ClientID
	if event.ClientID != "" {
		event.DeviceID = defaultDevice
	}
	if event.IdempotencyKey == "" {
		event.IdempotencyKey = "~" + g.newSession()
	}
	bench.publish.MaxUnfinished, bench.publish.MaxTenantBytes = g.maxUnfinished(), g.maxTenantBytes()
	encoded, partition := bench.encodePublish(partitions)
	g.broker.Submit(partition, encoded, to, 0)
	return nil
}

// admitEvent begins the request of an event whose owner is known, in so many partitions, or
// says what refuses it: bad, the event itself, or a limit. before is how many events of the
// same request came too fast.
func (g *Gateway) admitEvent(to *httpWaiter, m *wire.Emit, of *command.Event, bad refusal, before int) (partitions uint32, refused *wire.Error) {
	if !bad.any() {
		bad = g.refuseEvent(&m.EventFields)
	}
	if !bad.any() {
		bad = refuseOnEnd(&m.EventFields, of.ClientID == "")
	}
	if partitions = g.broker.Partitions(); !bad.any() && partitions == 0 {
		bad = refusal{wire.ReasonNoLeader, notFormed}
	}
	if bad.any() {
		e := bad.wireError()
		return 0, &e
	}
	to.gateway, to.tenant = g, g.tenants.hold(strings.Clone(of.Tenant), g.clock())
	if x := to.enter(before); x.any() {
		g.meter.refusedBy(x.limit)
		e := x.wireError()
		return 0, &e
	}
	return partitions, nil
}

// httpAnswer is the cluster's answer, kept beyond the call that brought it.
type httpAnswer struct {
	body    []byte
	stored  storedBody
	refused wire.Error
}

// httpWaiter receives the answer of one HTTP publish.
type httpWaiter struct {
	gateway *Gateway
	tenant  *usage
	answer  chan httpAnswer // has room for the one answer
}

// Reply implements Replier.
func (h *httpWaiter) Reply(_ uint64, result *command.Result) {
	h.gateway.end(h.tenant)
	h.gateway.tenants.drop(h.tenant)
	if result.Reason != command.Done {
		h.gateway.meter.refusedByState(result.Reason)
		refused := resultError(result)
		refused.Message = append([]byte(nil), refused.Message...)
		h.answer <- httpAnswer{refused: refused}
		return
	}
	stored := storedOf(result)
	h.answer <- httpAnswer{body: stored.encode(), stored: stored}
}

// enter begins the request, or says which limit refuses it.
func (h *httpWaiter) enter(before int) excess {
	g := h.gateway
	x := g.begin(h.tenant, true)
	if !x.any() {
		if x = g.pace(nil, h.tenant, before); x.any() {
			g.end(h.tenant)
		}
	}
	if x.any() {
		g.tenants.drop(h.tenant)
	}
	return x
}

// storedBody is the body of ok over HTTP.
type storedBody struct {
	EventID       string `json:"event_id"`
	CorrelationID string `json:"correlation_id"`
	Offset        uint64 `json:"offset"`
	Duplicate     bool   `json:"duplicate,omitempty"`
}

func storedOf(result *command.Result) storedBody {
	stored := storedBody{EventID: result.Event.String(), Offset: result.Offset, Duplicate: result.Duplicate}
	stored.CorrelationID = strings.Clone(result.CorrelationID)
	if stored.CorrelationID == "" {
		stored.CorrelationID = stored.EventID
	}
	return stored
}

func (s *storedBody) encode() []byte {
	body, err := json.Marshal(s)
	invariants.Check(err == nil, "an answer of strings and numbers is JSON: %v", err)
	return body
}
