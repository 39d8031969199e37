package fsm

import (
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// The rows of the meta group:
//
//	c             generation and time
//	F             the founding facts: an encoded FormCluster
//	M  member id  an admitted member
//	C  channel    a channel's settings: see command.AppendChannelSettings
//	T  tenant     a tenant that keys may be made for: see command.AppendTenant
//	Q  tenant     a tenant's settings: see command.AppendTenantSettings
//	K             how often tenants and keys have changed
//	K  key id     an API key: see command.AppendKey
//	W             how often workflows have changed
//	W  tenant(string) name                   a workflow: see Workflow
//	X  tenant(string) name(string) version   what a version of it says: see KeptDefinition
const (
	kindFacts  = 'F'
	kindMember = 'M'
	kindTenant = 'T'
	kindKey    = 'K'
	kindQuota  = 'Q'

	kindWorkflow = 'W'
	kindKept     = 'X'
)

// Meta is the state that belongs to the whole cluster: what it was formed as,
// and who its members are.
type Meta struct {
	generation uint64
	timeMS     int64
	formed     bool
	members    []command.Member
	// channels are those with settings, by name; settingsVersion counts changes.
	channels        []ConfiguredChannel
	settingsVersion uint64
	// tenants are those with settings, by name; tenantsVersion counts changes.
	tenants        []ConfiguredTenant
	tenantsVersion uint64
	credentials    Credentials
	workflows      metaWorkflows
	entry          command.Entry
}

// OpenMeta reads back the meta group's state.
func OpenMeta(view *storage.View) (meta *Meta, err error) {
	defer invariants.Recover(&err)
	m := &Meta{}
	value, found, err := view.Get(keyCounters(nil))
	if err != nil {
		return nil, fmt.Errorf("read back the meta group's state: %w", err)
	}
	if found {
		r := openRow(value)
		m.generation, m.timeMS = r.Uint(), r.Int()
		closeRow(&r)
	}
	if _, m.formed, err = view.Get([]byte{kindFacts}); err != nil {
		return nil, fmt.Errorf("read back the meta group's state: %w", err)
	}
	if err = m.loadChannels(view); err != nil {
		return nil, fmt.Errorf("read back the meta group's channels: %w", err)
	}
	if err = m.loadTenants(view); err != nil {
		return nil, fmt.Errorf("read back the meta group's tenants: %w", err)
	}
	if m.credentials, err = ReadCredentials(view, 0); err != nil {
		return nil, fmt.Errorf("read back the meta group's credentials: %w", err)
	}
	if err = m.workflows.load(view); err != nil {
		return nil, fmt.Errorf("read back the meta group's workflows: %w", err)
	}
	prefix := []byte{kindMember}
	err = view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		r := openRow(value)
		m.members = append(m.members, r.Member())
		closeRow(&r)
		return true, nil
	})
	return m, err
}

// Members are the admitted members, in the order of their ids.
func (m *Meta) Members() []command.Member { return slices.Clone(m.members) }

// Apply applies one committed entry of the meta group.
func (m *Meta) Apply(tx *storage.Tx, data []byte, effects bool) (outcome *Outcome, err error) {
	defer invariants.Recover(&err)
	if err := m.entry.Decode(data); err != nil {
		invariants.Failf("a committed entry cannot be read: %v", err)
	}
	out := newOutcome(effects, len(m.entry.Commands))
	m.timeMS = max(m.timeMS, m.entry.TimeMS)
	out.NextDueMS = maxTime
	for _, encoded := range m.entry.Commands {
		out.Results = append(out.Results, m.execute(tx, out, encoded))
	}
	row := command.AppendInt(command.AppendUint([]byte{rowVersion}, m.generation), m.timeMS)
	must(tx.Set(keyCounters(nil), row))
	return out, nil
}

func (m *Meta) execute(tx *storage.Tx, out *Outcome, encoded []byte) command.Result {
	prefix, r := command.ReadPrefix(encoded)
	switch prefix.Kind {
	case command.KindLeaderStart:
		var start command.LeaderStart
		start.Decode(&r)
		return checked(&r, func() command.Result { return m.leaderStart(out, &start) })
	case command.KindFormCluster:
		var form command.FormCluster
		form.Decode(&r)
		return checked(&r, func() command.Result { return m.form(tx, out, &form, encoded) })
	case command.KindAdmitMember:
		var admit command.AdmitMember
		admit.Decode(&r)
		return checked(&r, func() command.Result { return m.admit(tx, out, &admit.Member) })
	case command.KindSetChannel:
		var set command.SetChannel
		set.Decode(&r)
		return checked(&r, func() command.Result { return m.setChannel(tx, out, &set) })
	case command.KindSetTenant:
		var set command.SetTenant
		set.Decode(&r)
		return checked(&r, func() command.Result { return m.setTenant(tx, out, &set) })
	case command.KindPutTenant, command.KindDeleteTenant, command.KindPutKey, command.KindRevokeKey:
		return m.executeCredential(tx, prefix.Kind, &r)
	case command.KindPutWorkflow, command.KindSetAlias, command.KindDeleteWorkflow:
		return m.executeWorkflow(tx, out, prefix.Kind, &r)
	case command.KindSetReplicas:
		return refuse(command.NotAvailable, "replicas cannot be moved yet")
	case command.KindPublish, command.KindComplete, command.KindFail, command.KindRelease, command.KindExpire,
		command.KindAck, command.KindCancel, command.KindCheckpoint, command.KindRelay, command.KindRelayTrim,
		command.KindRedrive, command.KindDiscard, command.KindCreateGroup, command.KindConfigureChannel,
		command.KindCancelLineage, command.KindCommitFollower, command.KindPark, command.KindBroadcast,
		command.KindConfigureTenant,
		command.KindInstallDefinition, command.KindInstallAliases, command.KindRemoveDefinition, command.KindStartRun, command.KindControlRun, command.KindSendMessage,
		command.KindCancelGone, command.KindPutSchedule, command.KindDeleteSchedule, command.KindControlSchedule:
		return refuse(command.BadRequest, "a partition's command in the meta group's log")
	default:
		invariants.Failf("command kind %d is not known to this build: upgrade the node", prefix.Kind)
		return command.Result{}
	}
}

func (m *Meta) leaderStart(out *Outcome, c *command.LeaderStart) command.Result {
	m.generation++
	if out.effects {
		out.Started = &Started{Node: c.Node, Generation: m.generation}
		out.Configured = slices.Clone(m.channels)
		out.Tenants = slices.Clone(m.tenants)
		out.Workflows = m.workflows.parts()
	}
	return command.Result{Generation: m.generation}
}

// form keeps the founding facts; a second time changes nothing.
func (m *Meta) form(tx *storage.Tx, out *Outcome, c *command.FormCluster, encoded []byte) command.Result {
	if m.formed {
		return command.Result{Duplicate: true}
	}
	m.formed = true
	must(tx.Set([]byte{kindFacts}, append([]byte{rowVersion}, encoded...)))
	for i := range c.Members {
		m.admit(tx, out, &c.Members[i])
	}
	return command.Result{}
}

// admit adds a member, or brings its addresses up to date.
func (m *Meta) admit(tx *storage.Tx, out *Outcome, member *command.Member) command.Result {
	at, found := slices.BinarySearchFunc(m.members, member.ID, func(have command.Member, id string) int {
		switch {
		case have.ID < id:
			return -1
		case have.ID > id:
			return 1
		default:
			return 0
		}
	})
	if reason := member.Invalid(); reason != "" {
		return refuse(command.BadRequest, reason)
	}
	switch {
	case found:
		member.AdmittedMS = m.members[at].AdmittedMS
		m.members[at] = *member
	case len(m.members) == command.MaxMembers:
		return refuse(command.TooLarge, fmt.Sprintf("the cluster has %d members, no more are admitted", command.MaxMembers))
	default:
		member.AdmittedMS = m.timeMS
		m.members = slices.Insert(m.members, at, *member)
	}
	row := command.AppendMember([]byte{rowVersion}, member)
	must(tx.Set(append([]byte{kindMember}, member.ID...), row))
	out.Members = m.Members()
	return command.Result{}
}
