package gateway

import (
	"encoding/json"
	"mime"
	"net/http"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/transport/wire"
)

// publishEvent is publish for those who hold no socket.
func (g *Gateway) publishEvent(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if r := refuseContentType(r.Header); r.any() {
		g.refuseHTTP(w, r)
		return
	}
	body, bad := g.readBody(w, r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	waiter := &httpWaiter{answer: make(chan httpAnswer, 1)}
	if problem := g.submitEvent(body, whoOf(r), waiter); problem != nil {
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
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same idempotency_key makes another try safe"})
	}
}

// submitEvent reads the body of a publish and forwards it.
func (g *Gateway) submitEvent(body []byte, who *auth.Identity, to *httpWaiter) *wire.Error {
	bench := borrow(&g.benches)
	defer func() {
		bench.tidy()
		g.benches.Put(bench)
	}()
	var m wire.Emit
	if err := bench.decoder.Body(body, &m); err != nil {
		e := refusal{wire.ReasonBadRequest, err.Error()}.wireError()
		return &e
	}
	var of command.Event
	r := ofWhom(who, &m, &of)
	if !r.any() {
		r = g.refuseEvent(&m.EventFields)
	}
	if !r.any() {
		r = refuseOnEnd(&m.EventFields, of.ClientID == "")
	}
	partitions := g.broker.Partitions()
	if !r.any() && partitions == 0 {
		r = refusal{wire.ReasonNoLeader, notFormed}
	}
	if r.any() {
		e := r.wireError()
		return &e
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
	bench.publish.MaxUnfinished = g.maxUnfinished()
	encoded, partition := bench.encodePublish(partitions)
	g.meter.inFlight.Inc()
	to.gateway = g
	g.broker.Submit(partition, encoded, to, 0)
	return nil
}

// refuseContentType keeps apart what is not built yet.
func refuseContentType(header http.Header) refusal {
	if header.Get("Ce-Id") != "" || header.Get("Ce-Specversion") != "" {
		return refusal{wire.ReasonNotAvailable, "CloudEvents are not available yet"}
	}
	given := header.Get("Content-Type")
	if given == "" {
		return refusal{}
	}
	kind, _, err := mime.ParseMediaType(given)
	switch {
	case err != nil:
		return refusal{wire.ReasonBadRequest, "the content type cannot be read"}
	case kind == "application/cloudevents+json":
		return refusal{wire.ReasonNotAvailable, "CloudEvents are not available yet"}
	default:
		return refusal{}
	}
}

// httpAnswer is the cluster's answer, kept beyond the call that brought it.
type httpAnswer struct {
	body    []byte
	refused wire.Error
}

// httpWaiter receives the answer of one HTTP publish.
type httpWaiter struct {
	gateway *Gateway
	answer  chan httpAnswer // has room for the one answer
}

// Reply implements Replier.
func (h *httpWaiter) Reply(_ uint64, result *command.Result) {
	h.gateway.meter.inFlight.Dec()
	if result.Reason != command.Done {
		refused := resultError(result)
		refused.Message = append([]byte(nil), refused.Message...)
		h.answer <- httpAnswer{refused: refused}
		return
	}
	h.answer <- httpAnswer{body: encodeStored(result)}
}

// storedBody is the body of ok over HTTP.
type storedBody struct {
	EventID       string `json:"event_id"`
	CorrelationID string `json:"correlation_id"`
	Offset        uint64 `json:"offset"`
	Duplicate     bool   `json:"duplicate,omitempty"`
}

func encodeStored(result *command.Result) []byte {
	stored := storedBody{EventID: result.Event.String(), Offset: result.Offset, Duplicate: result.Duplicate}
	stored.CorrelationID = result.CorrelationID
	if stored.CorrelationID == "" {
		stored.CorrelationID = stored.EventID
	}
	body, err := json.Marshal(stored)
	invariants.Check(err == nil, "an answer of strings and numbers is JSON: %v", err)
	return body
}
