package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/transport/wire"
)

// startFields are what a start of a run may say: what a publish may, but for its channel
// and what would hold it back.
var startFields = []string{ //nolint:gochecknoglobals // A list that is not changed.
	"workflow", "alias", "data", "data_base64", "content_type", "client_id", "key", "idempotency_key", "correlation_id",
	"causation_id", "headers", "on_end", "priority", "tenant",
}

// startedRun answers a start.
type startedRun struct {
	RunID         string `json:"run_id"`
	CorrelationID string `json:"correlation_id"`
	// Duplicate means that the idempotency key has started it before.
	Duplicate bool `json:"duplicate,omitempty"`
}

// startRun begins a run of a workflow, and waits for its end where it is asked to: then
// the run is the answer, as it stands when it has ended or the time is over.
func (g *Gateway) startRun(w http.ResponseWriter, r *http.Request) {
	waits, bad := readWait(r)
	if !bad.any() && waits > 0 {
		bad = refuseRuns(whoOf(r))
	}
	var body []byte
	if !bad.any() {
		body, bad = g.readBody(w, r)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	waiter := &httpWaiter{answer: make(chan httpAnswer, 1)}
	tenant, refused := g.submitStart(r, body, waiter)
	if refused != nil {
		g.writeProblem(w, refused, refused.Code)
		return
	}
	select {
	case answer := <-waiter.answer:
		switch {
		case answer.refused.Reason != "":
			g.writeProblem(w, &answer.refused, answer.refused.Code)
		case waits > 0:
			id, err := command.ParseEventID(answer.stored.EventID)
			invariants.Check(err == nil, "a run's id is none: %v", err)
			g.answerRun(w, r, &cluster.RunLook{Tenant: tenant, Run: id}, waits)
		default:
			g.answerStart(w, &answer.stored)
		}
	case <-r.Context().Done():
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, noAnswerInTime})
	}
}

// answerStart answers 202 for a run that was begun, and 200 for one that was there.
func (g *Gateway) answerStart(w http.ResponseWriter, stored *storedBody) {
	body, err := json.Marshal(startedRun{RunID: stored.EventID, CorrelationID: stored.CorrelationID, Duplicate: stored.Duplicate})
	invariants.Check(err == nil, "an answer of strings is JSON: %v", err)
	if stored.Duplicate {
		writeJSON(w, body)
		return
	}
	writeStatus(w, http.StatusAccepted, body)
}

// submitStart reads a start and forwards it. tenant is whose run it will be.
func (g *Gateway) submitStart(r *http.Request, body []byte, to *httpWaiter) (tenant string, refused *wire.Error) {
	said, publish, bad := readStart(r, body)
	if bad.any() {
		e := bad.wireError()
		return "", &e
	}
	bench := g.borrow()
	defer g.giveBack(bench)
	var m wire.Emit
	if err := bench.decoder.Body(publish, &m); err != nil {
		e := refusal{wire.ReasonBadRequest, err.Error()}.wireError()
		return "", &e
	}
	var of command.Event
	who := whoOf(r)
	if bad = refuseStart(who, []byte(command.RunChannelPrefix+said.Workflow)); !bad.any() {
		bad = inWhoseName(who, &m, &of)
	}
	partitions, refused := g.admitEvent(to, &m, &of, bad, 0)
	if refused != nil {
		return "", refused
	}
	start := &command.StartRun{
		Workflow: said.Workflow, Alias: said.Alias, MaxUnfinished: g.maxUnfinished(), MaxTenantBytes: g.maxTenantBytes(),
	}
	bench.fillEvent(&start.Event, &m.EventFields)
	g.nameStart(&start.Event, &of)
	slot := command.SlotOf(of.Tenant, start.Event.Key)
	start.Route = command.Route{Slot: slot, SlotMap: command.SlotMapVersion}
	bench.encoded = start.Append(bench.encoded[:0])
	bench.headers = bench.headers[:0]
	g.broker.Submit(command.PartitionOf(slot, partitions), bench.encoded, to, 0)
	return strings.Clone(of.Tenant), nil
}

// nameStart says whose a run's event is, and gives it what it does not name.
func (g *Gateway) nameStart(event, of *command.Event) {
	event.Channel, event.Tenant, event.ClientID = "", of.Tenant, of.ClientID
	if event.ClientID != "" {
		event.DeviceID = defaultDevice
	}
	if event.IdempotencyKey == "" {
		event.IdempotencyKey = "~" + g.newSession()
	}
	if event.Key == "" {
		event.Key = event.ClientID
	}
	if event.Key == "" {
		event.Key = event.IdempotencyKey
	}
}

// saidOfStart is what a start says beside what its event has.
type saidOfStart struct{ Workflow, Alias string }

// readStart reads the body of a start; publish is what its event would be to publish: so
// one decoder says what is wrong with either. A start may come without data.
func readStart(r *http.Request, body []byte) (said saidOfStart, publish []byte, bad refusal) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return said, nil, refusal{wire.ReasonBadRequest, "the body cannot be read: " + jsonFault(err)}
	}
	for name := range fields {
		if !slices.Contains(startFields, name) {
			return said, nil, refusal{wire.ReasonBadRequest, "the start of a run has no " + clip(name, 64)}
		}
	}
	for name, into := range map[string]*string{"workflow": &said.Workflow, "alias": &said.Alias} {
		if text := fields[name]; text != nil && json.Unmarshal(text, into) != nil {
			return said, nil, refusal{wire.ReasonBadRequest, name + " must be a string"}
		}
		delete(fields, name)
	}
	if said.Workflow == "" {
		return said, nil, refusal{wire.ReasonBadRequest, "workflow must name the workflow"}
	}
	if fields["data"] == nil && fields["data_base64"] == nil {
		fields["data"] = json.RawMessage("null")
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" && fields["idempotency_key"] == nil {
		fields["idempotency_key"] = textOf(key)
	}
	fields["channel"] = textOf("run") // The event has none, but what is published has.
	publish, err := json.Marshal(fields)
	if err != nil {
		return said, nil, refusal{wire.ReasonBadRequest, "the body cannot be read: " + jsonFault(err)}
	}
	return said, publish, refusal{}
}

func textOf(s string) json.RawMessage {
	text, err := json.Marshal(s)
	invariants.Check(err == nil, "a string is JSON: %v", err)
	return text
}

// refuseStart says what a token does not allow to start, or to send a message of: what may
// be published to its channel, $run.NAME or $message.NAME. An administrator may always.
func refuseStart(who *auth.Identity, channel []byte) refusal {
	if who != nil && who.Is(command.RoleAdmin) {
		return refusal{}
	}
	return refusePublish(who, channel)
}

// readWait is for how long a request waits for a run's end, 0 for not at all.
func readWait(r *http.Request) (time.Duration, refusal) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, refusal{}
	}
	waits, err := time.ParseDuration(text)
	if err != nil || waits < 0 || waits > cluster.MaxRunWait {
		return 0, refusal{wire.ReasonBadRequest, fmt.Sprintf("wait must be a time such as 10s, up to %s", cluster.MaxRunWait)}
	}
	return waits, refusal{}
}

// waitOf is how much longer than others a request may take.
func waitOf(r *http.Request) time.Duration {
	waits, bad := readWait(r)
	if bad.any() || !strings.HasPrefix(r.URL.Path, "/v1/runs") {
		return 0
	}
	return waits
}

// answerRun answers a run, when it has ended or the time is over.
func (g *Gateway) answerRun(w http.ResponseWriter, r *http.Request, look *cluster.RunLook, waits time.Duration) {
	if waits > 0 {
		longer := http.NewResponseController(w)
		deadline := time.Now().Add(waits + clusterTimeout)
		_ = longer.SetReadDeadline(deadline) // The server's are for requests that do not wait.
		_ = longer.SetWriteDeadline(deadline)
		ctx, cancel := context.WithTimeout(r.Context(), waits)
		_ = g.broker.AwaitRun(ctx, look) // What it came to is seen next.
		cancel()
	}
	found, err := g.broker.Run(r.Context(), look)
	if err == nil && !mayLook(whoOf(r), found.ClientID) {
		err = cluster.ErrNoRun
	}
	g.answerRuns(w, found, err)
}

// writeStatus answers with a JSON object and another status than 200.
func writeStatus(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(bytes.Clone(body), '\n'))
}
