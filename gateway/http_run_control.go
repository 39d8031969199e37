package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// runRequest is what may be said of what is asked of a run.
type runRequest struct {
	// Reason and Code say why it is canceled or failed.
	Reason string `json:"reason"`
	Code   string `json:"code"`
	// NoCompensation cancels it without compensating.
	NoCompensation bool `json:"no_compensation"`
	// Step is where a redrive or fork begins, Version the version or alias that a fork is
	// of.
	Step    string `json:"step"`
	Version string `json:"version"`
	// Data is the input of what is tried again, or the output of what is skipped.
	Data       json.RawMessage `json:"data"`
	DataBase64 *[]byte         `json:"data_base64"`
}

// runAnswer answers it. From is the run that a new one was forked from.
type runAnswer struct {
	RunID     string `json:"run_id"`
	From      string `json:"from,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// cancelRun cancels a run: a client its own, and administrators and backends any.
func (g *Gateway) cancelRun(w http.ResponseWriter, r *http.Request) {
	if bad := refuseRuns(whoOf(r)); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	cancel := g.controlRun(command.RunCancel)
	if seesAll(whoOf(r)) {
		cancel = g.audited("run.cancel", cancel)
	}
	cancel(w, r)
}

// controlRun asks something of a run.
func (g *Gateway) controlRun(action command.RunAction) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, bad := g.readControl(w, r, action)
		if bad.any() {
			g.refuseHTTP(w, bad)
			return
		}
		route, ok := g.partitionRoute(uint32(c.Run.Partition))
		if !ok {
			g.answerRuns(w, nil, cluster.ErrNoRun)
			return
		}
		c.Route = route
		waiter := newCommandWaiter(g)
		g.begin(&g.nobody, false)
		g.broker.Submit(uint32(c.Run.Partition), c.Append(nil), waiter, 0)
		result, ok := waiter.wait(r.Context())
		switch {
		case !ok:
			g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same Idempotency-Key makes another try safe"})
		case result.Reason == command.NotFound:
			g.answerRuns(w, nil, cluster.ErrNoRun)
		case result.Reason != command.Done:
			e := resultError(&result)
			g.writeProblem(w, &e, e.Code)
		default:
			answer := runAnswer{RunID: result.Event.String(), Duplicate: result.Duplicate}
			if action == command.RunFork {
				answer.From = c.Run.String()
			}
			g.answerLook(w, answer, nil)
		}
	}
}

func (g *Gateway) readControl(w http.ResponseWriter, r *http.Request, action command.RunAction) (*command.ControlRun, refusal) {
	id, err := command.ParseEventID(r.PathValue("run_id"))
	if err != nil {
		return nil, refusal{wire.ReasonNotFound, cluster.ErrNoRun.Error()}
	}
	once, bad := g.onceOf(r)
	if bad.any() {
		return nil, bad
	}
	raw, bad := g.readBody(w, r)
	if bad.any() {
		return nil, bad
	}
	var said runRequest
	if bad = readObject(raw, &said); !bad.any() {
		bad = wrongControl(action, &said)
	}
	if bad.any() {
		return nil, bad
	}
	c := &command.ControlRun{
		Run: id, Tenant: tenantOf(r), Action: action, Step: said.Step, Code: said.Code, Reason: said.Reason, NoUndo: said.NoCompensation,
		Once: once,
	}
	if who := whoOf(r); !seesAll(who) {
		c.ClientID = who.ClientID
	}
	if action == command.RunFork {
		c.Code = said.Version
	}
	c.Data, bad = g.payloadOf(said.Data, said.DataBase64)
	return c, bad
}

// readObject reads a body strictly, where there is one.
func readObject(raw []byte, into any) refusal {
	if len(bytes.TrimSpace(raw)) == 0 {
		return refusal{}
	}
	return readStrict(raw, "body", into)
}

// wrongControl refuses what would be passed over: whoever says it means something by it.
func wrongControl(action command.RunAction, said *runRequest) refusal {
	if len(said.Reason) > wire.MaxReasonBytes || len(said.Code) > wire.MaxReasonBytes {
		return refusal{wire.ReasonBadRequest, "reason and code are too long"}
	}
	for _, part := range []struct {
		said bool
		name string
		of   []command.RunAction
	}{
		{said.Step != "", "step is for redrive and fork", []command.RunAction{command.RunRedrive, command.RunFork}},
		{said.Version != "", "version is for fork", []command.RunAction{command.RunFork}},
		{said.NoCompensation, "no_compensation is for cancel", []command.RunAction{command.RunCancel}},
		{said.Code != "", "code is for cancel and fail", []command.RunAction{command.RunCancel, command.RunFail}},
		{
			said.Data != nil || said.DataBase64 != nil, "data is for retry, skip, redrive and fork",
			[]command.RunAction{command.RunRetry, command.RunSkip, command.RunRedrive, command.RunFork},
		},
	} {
		if part.said && !slices.Contains(part.of, action) {
			return refusal{wire.ReasonBadRequest, part.name}
		}
	}
	return refusal{}
}

// payloadOf is data as JSON, or bytes, or none.
func (g *Gateway) payloadOf(data json.RawMessage, raw *[]byte) (p command.Payload, bad refusal) {
	switch {
	case data != nil && raw != nil:
		return p, refusal{wire.ReasonBadRequest, "data and data_base64 may not both stand"}
	case data != nil && !wire.ValidJSON(data):
		return p, refusal{wire.ReasonBadRequest, "data must be exactly one JSON value"}
	case data != nil:
		p = command.Payload{Codec: command.CodecJSON, Bytes: data}
	case raw != nil:
		p = command.Payload{Codec: command.CodecBytes, Bytes: *raw}
	}
	if len(p.Bytes) > g.limits.MaxPayloadBytes {
		return p, g.tooLarge
	}
	return p, refusal{}
}
