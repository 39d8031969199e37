package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// tell tells a partition of a run: this one at once, another by a relay, beyond its
// bound: nobody could be refused for it.
func (m *Machine) tell(partition, tenant uint32, kind command.RelayKind, news *command.RunNews, payload command.Payload) {
	if partition == m.counters.partition {
		m.hear(tenant, kind, news, payload)
		return
	}
	m.send(partition, &command.RelayRow{
		Kind: kind, TimeMS: m.counters.timeMS, Run: *news,
		Event: command.Event{Tenant: m.names.text(nameTenant, tenant), Payload: payload},
	})
}

// hear takes what is told of a run.
func (m *Machine) hear(tenant uint32, kind command.RelayKind, n *command.RunNews, payload command.Payload) {
	switch kind { //nolint:exhaustive // The others are not of runs.
	case command.RelayRunBegan:
		m.heardBegan(n)
	case command.RelayRunEnded:
		m.heardEnded(n, payload)
	case command.RelayRunStop:
		m.happens(&happening{run: n.To, Happening: engine.Happening{Kind: engine.Cancel, Message: n.Message}})
	case command.RelayAwait:
		m.awaited(tenant, n)
	case command.RelayUnawait:
		m.unawaited(tenant, n)
	case command.RelayOffer:
		m.offered(tenant, n, payload)
	case command.RelayAnswer:
		m.answered(tenant, n)
	case command.RelayConflict:
		m.happens(&happening{run: n.To, Happening: engine.Happening{
			Kind: engine.Conflict, Step: n.Step, Iteration: n.Iteration, Part: n.Part, Message: n.Message,
		}})
	}
}

// ofRuns tells whether a relay's row is of a run.
func ofRuns(kind command.RelayKind) bool {
	return kind >= command.RelayRunBegan && kind <= command.RelayUnawait || kind >= command.RelayOffer && kind <= command.RelayConflict
}

// childBegan tells a run that what it called has begun.
func (m *Machine) childBegan(e *event) {
	t := &e.Task
	if t.Detached {
		return
	}
	m.tell(uint32(t.Run.Partition), m.names.find(nameTenant, e.Tenant), command.RelayRunBegan, &command.RunNews{
		To: t.Run, From: e.id, Step: t.Step, Iteration: t.Iteration, Item: t.Item,
	}, command.Payload{})
}

// childEnded tells it that it has ended.
func (m *Machine) childEnded(e *event, news command.RunNews, result command.Payload) {
	t := &e.Task
	if t.Detached {
		return
	}
	news.To, news.From, news.Step, news.Iteration, news.Item = t.Run, e.id, t.Step, t.Iteration, t.Item
	m.tell(uint32(t.Run.Partition), m.names.find(nameTenant, e.Tenant), command.RelayRunEnded, &news, result)
}

// heardBegan takes note of a child's id, and stops it if it is not wanted any more.
func (m *Machine) heardBegan(n *command.RunNews) {
	r := m.runOf(n.To)
	if r == nil {
		return
	}
	j := r.find(func(j *runJob) bool {
		return j.child && j.event.IsZero() && j.step == n.Step && j.iteration == n.Iteration && j.item == n.Item
	})
	if j == nil {
		return
	}
	j.event = n.From
	m.touchRun(r)
	if j.stop {
		m.stopChild(r, j)
	}
}

// heardEnded goes on with a run whose child has ended.
func (m *Machine) heardEnded(n *command.RunNews, result command.Payload) {
	h := &happening{run: n.To, job: n.From, Happening: engine.Happening{
		Kind: engine.Done, Step: n.Step, Iteration: n.Iteration, Item: n.Item, Output: ownPayload(result),
		Usage: append([]byte(nil), n.Usage...), Code: n.Code, Message: n.Message,
	}}
	switch {
	case n.Canceled:
		h.Kind = engine.Stopped
	case n.Failed:
		h.Kind = engine.Died
	}
	m.happens(h)
}

// stopChild stops a child run, now or when it makes itself known.
func (m *Machine) stopChild(r *run, of *runJob) {
	if of.event.IsZero() {
		for i := range r.jobs {
			r.jobs[i].stop = r.jobs[i].stop || r.jobs[i].child && r.jobs[i].event.IsZero() && r.jobs[i].step == of.step && r.jobs[i].iteration == of.iteration
		}
		return
	}
	m.tell(uint32(of.event.Partition), r.tenant, command.RelayRunStop, &command.RunNews{
		To: of.event, From: r.id, Message: "the run that called it does not need it any more",
	}, command.Payload{})
}
