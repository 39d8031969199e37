package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// MaxFollowers is how many named followers of a channel a tenant may have. A name
// is kept for ever.
const MaxFollowers = 256

// commitFollower keeps how far a named follower is. It goes forward only: what two
// sockets of one name commit crosswise is the further of both.
func (m *Machine) commitFollower(c *command.CommitFollower) command.Result {
	if wrong := wrongFollower(c); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	// Neither is interned yet, if it is new: something may still be refused.
	channel, tenant := m.names.find(nameChannel, c.Channel), m.names.find(nameTenant, c.Tenant)
	kept, found := uint64(0), false
	if channel != 0 && (tenant != 0 || c.Tenant == "") {
		kept, found = m.followerAt(channel, tenant, c.Name)
	}
	position := c.Position
	if c.Begin == command.FollowBeginNew {
		position = m.counters.nextPosition - 1
	}
	switch {
	case found && (c.Begin != command.FollowCommit || position <= kept):
		return command.Result{Duplicate: true, Offset: kept}
	case position >= m.counters.nextPosition:
		return refuse(command.BadRequest, "nothing is stored at the follower's position yet")
	case !found && c.Begin == command.FollowCommit:
		return refuse(command.NotFound, "there is no follower of that name")
	case !found && m.followers(channel, tenant) >= MaxFollowers:
		return refuse(command.BadRequest, fmt.Sprintf(
			"the channel has %d named followers, no more are made: follow under a name that exists, or without one", MaxFollowers,
		))
	}
	channel = m.intern(nameChannel, c.Channel, &m.counters.nextChannel)
	if c.Tenant != "" {
		tenant = m.intern(nameTenant, c.Tenant, &m.counters.nextTenant)
	}
	m.set(keyFollower(m.scratch.key[:0], channel, tenant, c.Name),
		command.AppendUint(append(m.scratch.value[:0], rowVersion), position))
	return command.Result{Offset: position}
}

// wrongFollower says what is wrong with a follower's names, empty when nothing is.
func wrongFollower(c *command.CommitFollower) string {
	switch {
	case c.Channel == "" || c.Name == "":
		return "the follower lacks a name or a channel"
	case len(c.Channel) > MaxNameBytes:
		return tooLong("channel", c.Channel)
	case len(c.Tenant) > MaxNameBytes:
		return tooLong("tenant", c.Tenant)
	case len(c.Name) > MaxNameBytes:
		return tooLong("follower", c.Name)
	case c.Begin > command.FollowBeginNew:
		return fmt.Sprintf("a follower cannot begin at %d", c.Begin)
	default:
		return ""
	}
}

// followerAt is how far a named follower is; false when there is none.
func (m *Machine) followerAt(channel, tenant uint32, name string) (position uint64, found bool) {
	value, found := m.get(keyFollower(m.scratch.key[:0], channel, tenant, name))
	if !found {
		return 0, false
	}
	r := openRow(value)
	position = r.Uint()
	closeRow(&r)
	return position, true
}

// followers counts the named followers of a channel and tenant. It is asked once in
// a name's life.
func (m *Machine) followers(channel, tenant uint32) (count int) {
	prefix := keyFollower(nil, channel, tenant, "")
	must(m.tx.Scan(prefix, after(prefix), func(_, _ []byte) (bool, error) {
		count++
		return true, nil
	}))
	return count
}
