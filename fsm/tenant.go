package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// tenant is a tenant with settings of its own, in memory. One that has as many jobs in
// flight as it may, or was granted as many as its rate lets through, is held: it is out of
// all turns, and credit is not asked for it. That costs no row for what waits.
//
// Invariant: held follows from the row, the leases and the state's time, so that a replica
// that was restarted holds the same.
type tenant struct {
	tenantRow

	id     uint32
	leased uint32
	held   bool
	// shares are its parts in the turns of groups, by channel and group.
	shares []*share
	dirty  bool
}

// tenantRow is a tenant's settings, and what is used of them.
type tenantRow struct {
	settings command.TenantSettings
	// rate is what was granted, of events that the settings let through in a second.
	rate bucket
	// from is the first position whose event is counted in open: that of the first
	// settings. open are those that have not ended, in each group.
	from uint64
	open int64
}

func (t *tenantRow) append(dst []byte) []byte {
	dst = command.AppendTenantSettings(append(dst, rowVersion), &t.settings)
	return command.AppendInt(command.AppendUint(command.AppendInt(dst, t.rate.fullNS), t.from), t.open)
}

func (t *tenantRow) read(value []byte) {
	r := openRow(value)
	t.settings = r.TenantSettings()
	t.rate.fullNS, t.from, t.open = r.Int(), r.Uint(), r.Int()
	closeRow(&r)
}

// grantRate is the tenant's rate as that of a limit.
func (t *tenantRow) grantRate() command.UseRate {
	return command.UseRate{Unit: unitCalls, Count: uint64(t.settings.Rate), PerMS: 1000}
}

// grantableMS is from when the tenant's rate lets the next event through.
func (t *tenantRow) grantableMS(nowMS int64) int64 {
	if t.settings.Rate == 0 {
		return nowMS
	}
	rate := t.grantRate()
	return t.rate.grantable(&rate, nil, nowMS)
}

// full tells whether as many jobs are leased as may be.
func (t *tenant) full() bool {
	return t.settings.MaxInFlight != 0 && t.leased >= t.settings.MaxInFlight
}

// configureTenant takes settings that are newer than those the tenant has.
func (m *Machine) configureTenant(c *command.ConfigureTenant) command.Result {
	switch {
	case c.Tenant == "" || c.Settings.Version == 0:
		return refuse(command.BadRequest, "the settings lack a tenant or a version")
	case len(c.Tenant) > MaxNameBytes:
		return refuse(command.BadRequest, tooLong("tenant", c.Tenant))
	case c.Settings.Weight > command.MaxWeight:
		return refuse(command.BadRequest, "the weight is larger than 10000")
	}
	id := m.intern(nameTenant, c.Tenant, &m.counters.nextTenant)
	t := m.tenants[id]
	if t == nil {
		t = m.addTenant(id, tenantRow{from: m.counters.nextPosition})
	}
	if t.settings.Version >= c.Settings.Version {
		return command.Result{Duplicate: true, Offset: t.settings.Version}
	}
	t.settings = c.Settings
	m.touchTenant(t)
	m.review(t)
	return command.Result{Offset: t.settings.Version}
}

// addTenant puts a tenant with settings in memory, with its shares and leases.
func (m *Machine) addTenant(id uint32, row tenantRow) *tenant {
	t := &tenant{id: id, tenantRow: row}
	m.tenants[id] = t
	for _, ch := range m.channels {
		for _, turns := range ch.turns {
			if s := turns.shares[id]; s != nil {
				t.join(s)
			}
		}
	}
	for _, j := range m.active {
		if j.state == jobLeased && j.cursor.queue.tenant == id {
			t.leased++
		}
	}
	return t
}

// join makes a share one of the tenant's. The order is that of channels and groups,
// whenever they came: rows are written in it.
func (t *tenant) join(s *share) {
	s.owner = t
	at, found := slices.BinarySearchFunc(t.shares, s, func(a, b *share) int {
		x, y := a.cursors[0].turns, b.cursors[0].turns
		return cmp.Or(cmp.Compare(x.channel, y.channel), cmp.Compare(x.group, y.group))
	})
	if !found {
		t.shares = slices.Insert(t.shares, at, s)
	}
}

// joinTenant takes note of a new cursor of a tenant that has settings.
func (m *Machine) joinTenant(c *cursor) {
	if t := m.tenants[c.queue.tenant]; t != nil {
		t.join(c.share)
	}
}

func (m *Machine) touchTenant(t *tenant) {
	if !t.dirty {
		t.dirty = true
		m.changedTenants = append(m.changedTenants, t)
	}
}

// leasedOne and gaveBack count a job of a tenant that begins or ends to be leased.
func (m *Machine) leasedOne(c *cursor) {
	t := c.share.owner
	if t == nil {
		return
	}
	t.leased++
	if t.settings.Rate != 0 {
		rate := t.grantRate()
		t.rate.charge(&rate, 1, m.counters.timeMS)
		m.touchTenant(t)
	}
	m.review(t)
}

func (m *Machine) gaveBack(c *cursor) {
	t := c.share.owner
	if t == nil {
		return
	}
	invariants.Check(t.leased > 0, "more leases of a tenant ended than began")
	t.leased--
	m.review(t)
}

// review holds a tenant, or lets it go on, as its settings say now. One that goes on
// begins at the clock, as one does that begins to wait: it is owed nothing.
func (m *Machine) review(t *tenant) {
	dueMS := t.grantableMS(m.counters.timeMS)
	held := t.full() || dueMS > m.counters.timeMS
	if dueMS > m.counters.timeMS {
		m.nextTenantMS = min(m.nextTenantMS, dueMS)
	}
	if held == t.held {
		return
	}
	t.held = held
	for _, s := range t.shares {
		for _, c := range s.cursors {
			if c.waiting() > 0 {
				m.touch(c)
			}
		}
	}
}

// fireTenants lets those go on whose rate lets through what waits.
func (m *Machine) fireTenants() {
	if m.counters.timeMS < m.nextTenantMS {
		return
	}
	m.nextTenantMS = maxTime
	for id := uint32(1); id < m.counters.nextTenant; id++ {
		if t := m.tenants[id]; t != nil && t.settings.Rate != 0 {
			m.review(t)
		}
	}
}

// countOpen counts what begins or ends of a tenant that has settings.
func (m *Machine) countOpen(q *queue, e *event, groups int64) {
	if t := m.tenants[q.tenant]; t != nil && e.id.Position >= t.from {
		t.open += groups
		m.touchTenant(t)
	}
}

// refuseBacklog refuses a publish of a tenant that has as much unfinished as it may.
func (m *Machine) refuseBacklog(id uint32) (command.Result, bool) {
	t := m.tenants[id]
	if t == nil {
		return command.Result{}, false
	}
	var limit string
	switch s := &t.settings; {
	case s.MaxBacklogEvents != 0 && t.open >= int64(min(s.MaxBacklogEvents, maxTime)):
		limit = "max_backlog_events"
	case s.MaxBacklogBytes != 0 && m.unfinished(m.weight(id)) >= int64(min(s.MaxBacklogBytes, maxTime)):
		limit = "max_backlog_bytes"
	default:
		return command.Result{}, false
	}
	r := refuse(command.TenantLimit, "the tenant has as much unfinished in the partition as its "+limit+" allows")
	r.RetryAfterMS = unfinishedRetryMS
	return r, true
}

func (m *Machine) saveTenants() {
	for _, t := range m.changedTenants {
		t.dirty = false
		m.set(keyTenantSettings(m.scratch.key[:0], t.id), t.append(m.scratch.value[:0]))
	}
	m.changedTenants = m.changedTenants[:0]
}

// loadTenants comes before cursors are put in their turns.
func (m *Machine) loadTenants(from reader) error {
	prefix := []byte{kindTenantSettings}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		var row tenantRow
		row.read(value)
		t := m.addTenant(u32At(key, 1), row)
		dueMS := t.grantableMS(m.counters.timeMS)
		if t.held = t.full() || dueMS > m.counters.timeMS; dueMS > m.counters.timeMS {
			m.nextTenantMS = min(m.nextTenantMS, dueMS)
		}
		return true, nil
	})
}

// charge is what a turn of some cost moves a share along the group's virtual time.
func (s *share) charge(cost uint64) uint64 {
	if s.owner == nil {
		return cost
	}
	return cost * command.OrdinaryWeight / uint64(cmp.Or(s.owner.settings.Weight, command.OrdinaryWeight))
}

// offered is the work that a cursor has in its turns: none while its tenant is held.
func (c *cursor) offered() uint64 {
	if t := c.share.owner; t != nil && t.held {
		return 0
	}
	return c.waiting()
}
