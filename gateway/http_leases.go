package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// completeLease is complete for those who hold no socket: a person who approves, a
// webhook that comes back.
func (g *Gateway) completeLease(w http.ResponseWriter, r *http.Request) {
	var m wire.Complete
	g.endOverHTTP(w, r, func(bench *workbench, body []byte) ([]byte, command.LeaseID, refusal) {
		if err := bench.decoder.CompleteBody(body, &m); err != nil {
			return nil, command.LeaseID{}, refusal{wire.ReasonBadRequest, err.Error()}
		}
		lease, route, bad := g.leaseOf(m.Lease)
		if !bad.any() {
			bad = refuseEmits(whoOf(r), &m)
		}
		if !bad.any() {
			bad = g.refuseComplete(&m)
		}
		if bad.any() {
			return nil, lease, bad
		}
		return bench.encodeComplete(route, lease, boundOf(whoOf(r)), &m), lease, refusal{}
	}, func(result *command.Result) any {
		answer := completedAnswer{Events: make([]*string, len(result.Events)), Duplicate: result.Duplicate}
		for i, event := range result.Events {
			if id := event.String(); id != "" {
				answer.Events[i] = &id
			}
		}
		return answer
	})
}

// failLease is fail for those who hold no socket.
func (g *Gateway) failLease(w http.ResponseWriter, r *http.Request) {
	var m wire.Fail
	g.endOverHTTP(w, r, func(bench *workbench, body []byte) ([]byte, command.LeaseID, refusal) {
		if err := bench.decoder.FailBody(body, &m); err != nil {
			return nil, command.LeaseID{}, refusal{wire.ReasonBadRequest, err.Error()}
		}
		lease, route, bad := g.leaseOf(m.Lease)
		if !bad.any() {
			bad = g.refuseFail(&m)
		}
		if bad.any() {
			return nil, lease, bad
		}
		return bench.encodeFail(route, lease, boundOf(whoOf(r)), &m), lease, refusal{}
	}, func(result *command.Result) any { return failedAnswer{Duplicate: result.Duplicate} })
}

// completedAnswer and failedAnswer are the bodies of ok. An event that is null is
// on its way to another partition.
type completedAnswer struct {
	Events    []*string `json:"events"`
	Duplicate bool      `json:"duplicate,omitempty"`
}

type failedAnswer struct {
	Duplicate bool `json:"duplicate,omitempty"`
}

// leaseOf reads a lease's token.
func (g *Gateway) leaseOf(token []byte) (lease command.LeaseID, route command.Route, bad refusal) {
	lease, err := g.broker.ParseLease(token)
	if err == nil {
		var ok bool
		if route, ok = g.leaseRoute(lease); ok {
			return lease, route, refusal{}
		}
	}
	return lease, route, refusal{wire.ReasonLeaseLost, leaseForeign}
}

// encodeLease makes the command of a request's body.
type encodeLease func(bench *workbench, body []byte) (encoded []byte, lease command.LeaseID, bad refusal)

// endOverHTTP reads a request that ends a lease, submits it and answers it.
func (g *Gateway) endOverHTTP(w http.ResponseWriter, r *http.Request, encode encodeLease, answer func(*command.Result) any) {
	body, bad := g.readBody(w, r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	waiter := newCommandWaiter(g)
	if bad = g.submitLease(body, encode, waiter); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	result, ok := waiter.wait(r.Context())
	switch {
	case !ok:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same request again is answered as this one was"})
	case result.Reason != command.Done:
		e := resultError(&result)
		g.writeProblem(w, &e, e.Code)
	default:
		encoded, err := json.Marshal(answer(&result))
		if err != nil {
			g.logger.Error("encoding an answer", "error", err)
		}
		writeJSON(w, encoded)
	}
}

// submitLease sends the command to the partition of the lease, which no session
// here need hold.
func (g *Gateway) submitLease(body []byte, encode encodeLease, to *commandWaiter) refusal {
	bench := g.borrow()
	defer g.giveBack(bench)
	encoded, lease, bad := encode(bench, body)
	if bad.any() {
		return bad
	}
	g.begin(&g.nobody, false)
	g.broker.Submit(uint32(lease.Event.Partition), encoded, to, 0)
	return refusal{}
}
