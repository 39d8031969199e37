package members

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// found runs rounds until this node belongs to a cluster and, if it coordinated,
// every founder knows.
func (m *Members) found(ctx context.Context, g *gossip) {
	pause := m.config.Timing.Retry
	for {
		moved, err := m.round(ctx)
		if err == nil {
			err = m.enter(g)
		}
		if err != nil {
			m.stuck(err)
			return
		}
		if m.settled() {
			return
		}
		if pause = min(2*pause, m.config.Timing.MaxRetry); moved {
			pause = m.config.Timing.Retry
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-m.wake:
			pause = m.config.Timing.Retry
		case <-timer.C:
		}
		timer.Stop()
	}
}

// stuck takes an error that ends founding and joining in this process.
func (m *Members) stuck(err error) {
	m.logger.Error("founding or joining has stopped", "error", err)
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	m.mu.trouble = err
}

// settled tells whether founding and joining are over for this process.
func (m *Members) settled() bool {
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	return m.mu.machine.row.standing == formed && !m.mu.machine.announces()
}

// round plans, asks everyone at the same time, and hears all answers. moved tells
// whether the row changed.
func (m *Members) round(ctx context.Context) (moved bool, err error) {
	v := m.table.view(m.config.Timing.Settle)
	m.mu.lock.Lock()
	before := m.mu.machine.writes
	asks, err := m.mu.machine.plan(v)
	m.mu.lock.Unlock()
	if err != nil {
		return false, err
	}
	failures := make([]error, len(asks))
	var calls sync.WaitGroup
	for i := range asks {
		calls.Go(func() { failures[i] = m.put(ctx, &asks[i]) })
	}
	calls.Wait()
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	for _, failure := range failures {
		if failure != nil {
			m.logger.Warn("an answer of founding could not be used", "error", failure)
		}
	}
	// Until the candidates are settled time itself is progress.
	return m.mu.machine.writes != before || !v.settled, m.mu.machine.broken
}

// put asks one question.
func (m *Members) put(ctx context.Context, a *ask) error {
	limit := m.config.Timing.Call
	if a.request.kind == askJoin {
		limit = m.config.Timing.Admit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	record, err := m.config.Call(ctx, a.to.PeerAddress, a.request.encode())
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	if err != nil {
		m.mu.machine.fail(a, err.Error())
		return nil
	}
	answer, err := decodeReply(record)
	if err != nil {
		m.mu.machine.fail(a, err.Error())
		return nil
	}
	return m.mu.machine.hear(a, &answer)
}

// enter calls Hooks.Formed, once, when this node belongs to a cluster.
func (m *Members) enter(g *gossip) error {
	m.mu.lock.Lock()
	row := m.mu.machine.row
	m.mu.lock.Unlock()
	if row.standing != formed || m.ready.Load() {
		return nil
	}
	m.formation.Store(&row.formation)
	m.logger.Info("this node belongs to a cluster", "cluster", row.formation.ClusterID,
		"founder", row.founding, "members", memberNames(row.formation.Members))
	if err := m.config.Hooks.Formed(row.formation, row.founding); err != nil {
		return fmt.Errorf("start as a member of cluster %s: %w", row.formation.ClusterID, err)
	}
	m.ready.Store(true)
	if err := g.update(); err != nil {
		m.logger.Debug("cluster not announced in gossip yet", "error", err)
	}
	return nil
}

// Serve answers a call whose first byte is RequestMark. from is the node that the
// connection's greeting named; "" when unknown.
func (m *Members) Serve(ctx context.Context, from string, record []byte) ([]byte, error) {
	q, err := decodeRequest(record)
	if err != nil {
		return nil, err
	}
	if from != "" && q.from != from {
		return nil, fmt.Errorf("%w: a request of %q on a connection of %q", ErrMalformed, q.from, from)
	}
	var answer reply
	if q.kind == askJoin && q.to == m.config.Self.ID {
		answer, err = m.admit(ctx, &q)
	} else {
		answer, err = m.answer(&q)
	}
	if err != nil {
		return nil, err
	}
	return answer.encode(), nil
}

func (m *Members) answer(q *request) (reply, error) {
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	if !m.mu.serving {
		return reply{}, ErrNotRunning
	}
	before := m.mu.machine.writes
	answer, err := m.mu.machine.serve(q)
	if m.mu.machine.writes != before {
		poke(m.wake)
	}
	return answer, err
}

func (m *Members) admit(ctx context.Context, q *request) (reply, error) {
	if !m.running() {
		return reply{}, ErrNotRunning
	}
	if !m.ready.Load() {
		return reply{}, ErrNotFormed
	}
	if q.clusterID != m.ClusterID() {
		return reply{}, fmt.Errorf("%w: asked for %q, this is %q", ErrOtherCluster, q.clusterID, m.ClusterID())
	}
	if err := checkMember(&q.member); err != nil || q.member.ID != q.from {
		return reply{}, fmt.Errorf("%w: member %q of %q: %w", ErrMalformed, q.member.ID, q.from, err)
	}
	f, err := m.config.Hooks.Admit(ctx, q.member)
	if err != nil {
		return reply{}, fmt.Errorf("admit %s: %w", q.member.ID, err)
	}
	return reply{outcome: belongs, from: m.config.Self.ID, formation: f}, nil
}

// tell calls Hooks.Changed, and sweeps the table at the pace of pings.
func (m *Members) tell(ctx context.Context) {
	ticker := time.NewTicker(m.config.Timing.Probe)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.dirty:
			m.config.Hooks.Changed()
		case <-ticker.C:
			if m.table.sweep(&m.config.Timing) {
				m.nudge()
			}
		}
	}
}
