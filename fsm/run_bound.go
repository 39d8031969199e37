package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// A definition may say that a run is canceled when its client's last device has gone. The
// leader of the run's partition watches the client, if its stream is there: it is where
// the run's key is its client, as it is where nothing else was said.

// BoundClient is a client that has runs which end with its connection.
type BoundClient struct {
	Tenant, ClientID string
	// Gone means that it has none any more.
	Gone bool
}

// boundClient names it.
type boundClient struct {
	tenant uint32
	client string
}

// bind has a run end with its client's connection, if its definition says so.
func (m *Machine) bind(r *run) {
	program, err := r.def.compiled()
	if err != nil || !program.CancelOnDisconnect || r.client == "" {
		return
	}
	r.kept |= keptOf(runBound)
	m.set(keyBound(m.scratch.key[:0], r.tenant, r.client, r.id.Position), append(append(m.scratch.value[:0], rowVersion), r.client...))
	m.bound[boundClient{r.tenant, r.client}]++
	m.tellBound(r)
}

// runBound stands in a run's kept for its row of kindBoundRun.
const runBound = 'b'

func (m *Machine) unbind(r *run) {
	if !r.has(runBound) {
		return
	}
	r.kept &^= keptOf(runBound)
	m.remove(keyBound(m.scratch.key[:0], r.tenant, r.client, r.id.Position))
	of := boundClient{r.tenant, r.client}
	if m.bound[of]--; m.bound[of] <= 0 {
		delete(m.bound, of)
	}
	m.tellBound(r)
}

func (m *Machine) tellBound(r *run) {
	if m.out.effects {
		_, bound := m.bound[boundClient{r.tenant, r.client}]
		m.out.Bound = append(m.out.Bound, BoundClient{Tenant: m.names.text(nameTenant, r.tenant), ClientID: r.client, Gone: !bound})
	}
}

func (m *Machine) loadBound(from reader) error {
	prefix := []byte{kindBoundRun}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		m.bound[boundClient{u32At(key, 1), string(openRest(value))}]++
		return true, nil
	})
}

// cancelGone stops the runs of a client that has gone, if the leader that says so is still
// the leader.
func (m *Machine) cancelGone(c *command.CancelGone) command.Result {
	if c.Generation != m.counters.generation {
		return refuse(command.NoLeader, "a former leader saw the client go")
	}
	tenant := m.names.find(nameTenant, c.Tenant)
	prefix := keyBound(nil, tenant, c.ClientID, 0)
	prefix = prefix[:len(prefix)-8]
	var positions []uint64
	must(m.tx.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		positions = append(positions, u64At(key, len(prefix)))
		return true, nil
	}))
	for _, position := range positions {
		if r := m.runAt(tenant, position); r != nil {
			m.happens(&happening{run: r.id, Happening: engine.Happening{Kind: engine.Cancel, Message: "the client has gone"}})
		}
	}
	return command.Result{}
}
