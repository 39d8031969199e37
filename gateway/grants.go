package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// credentialTimeout is how long a token may take to be looked at.
const credentialTimeout = 5 * time.Second

// What is said to those whose token does not allow something. None names what the
// token's holder did not: who may not see a thing does not learn whether it is there.
const (
	mayNotPublish   = "the token does not allow to publish to this channel"
	mayNotWork      = "the token does not allow to work on this channel"
	mayNotFollow    = "the token does not allow to follow this channel"
	notItsTenant    = "the token is of another tenant"
	notItsClient    = "the token does not allow to be this client"
	onlyWorkers     = "this needs a token with the role worker"
	onlyAdmins      = "this needs a token with the role admin"
	onlyAllTenants  = "this needs a token with the role admin for all tenants"
	onlyOwnCancels  = "only a client may cancel, and only its own: for others' this needs a token with the role admin"
	onlyOwnStreams  = "only a client may read, and only its own: for others' this needs a token with the role admin"
	onlyWithClients = "the token does not allow to publish for this client"
)

// admitHello checks who says hello. It closes the connection of whoever may not.
func (c *connection) admitHello(m *wire.Hello) bool {
	if c.gateway.auth == nil {
		return true
	}
	token := m.Token
	if len(token) == 0 {
		token = c.shown.bearer
	}
	c.shown.bearer = nil
	who, err := c.authenticate(token)
	switch {
	case err != nil:
		c.turnDown(err)
		return false
	case len(m.Tenant) > 0 && !who.InTenant(string(m.Tenant)):
		c.forbid(notItsTenant)
		return false
	case len(m.ClientID) > 0 && !who.AsClient(string(m.ClientID)):
		c.forbid(notItsClient)
		return false
	}
	c.who.Store(who)
	return true
}

// authenticate is who holds a token, or, without one, a client certificate.
func (c *connection) authenticate(token []byte) (*auth.Identity, error) {
	if len(token) == 0 && c.shown.certified != nil {
		return c.shown.certified, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialTimeout)
	defer cancel()
	defer c.uponEnd(cancel)()
	return c.gateway.auth.Authenticate(ctx, token)
}

// turnDown refuses a credential, for good or because nobody can look at it now.
func (c *connection) turnDown(err error) {
	if errors.Is(err, auth.ErrUnavailable) {
		c.refuseUnasked(wire.ReasonNoLeader, auth.ErrUnavailable.Error())
		c.close(wire.CloseNotReady, auth.ErrUnavailable.Error())
		return
	}
	c.refuseUnasked(wire.ReasonUnauthenticated, err.Error())
	c.close(wire.CloseUnauthenticated, err.Error())
}

func (c *connection) forbid(sentence string) {
	c.refuseUnasked(wire.ReasonForbidden, sentence)
	c.close(wire.CloseForbidden, sentence)
}

// bound is the tenant whose jobs the session may end; empty for any.
func (c *connection) bound() string { return boundOf(c.who.Load()) }

func boundOf(who *auth.Identity) string {
	if who == nil || who.AllTenants() {
		return ""
	}
	return who.Tenant
}

// refusePublish, refuseWork and refuseFollow say what a token, nil where none is
// asked for, does not allow.
func refusePublish(who *auth.Identity, channel []byte) refusal {
	if who != nil && !who.Publish.Match(channel) {
		return refusal{wire.ReasonForbidden, mayNotPublish}
	}
	return refusal{}
}

func refuseWork(who *auth.Identity, channel []byte) refusal {
	switch {
	case who == nil:
		return refusal{}
	case !who.Is(command.RoleWorker):
		return refusal{wire.ReasonForbidden, onlyWorkers}
	case !who.Work.Match(channel):
		return refusal{wire.ReasonForbidden, mayNotWork}
	default:
		return refusal{}
	}
}

// mayMakeGroups tells whether a token, nil where none is asked for, may make a
// group of a channel: the group holds up the events of all tenants.
func mayMakeGroups(who *auth.Identity) bool { return who == nil || who.AllTenants() }

func refuseFollow(who *auth.Identity, channel []byte) refusal {
	if who != nil && !who.Follow.Match(channel) {
		return refusal{wire.ReasonForbidden, mayNotFollow}
	}
	return refusal{}
}

// refuseEmits says what a worker's token does not allow its job to emit.
func refuseEmits(who *auth.Identity, m *wire.Complete) refusal {
	if who == nil {
		return refusal{}
	}
	for i := range m.Emit {
		if r := refusePublish(who, m.Emit[i].Channel); r.any() {
			return r
		}
	}
	return refusal{}
}

// refuseEnding says what a token does not allow of what ends, keeps or renews a
// job: being a worker is enough, the lease is the key to it.
func refuseEnding(who *auth.Identity) refusal {
	if who != nil && !who.Is(command.RoleWorker|command.RoleAdmin) {
		return refusal{wire.ReasonForbidden, onlyWorkers}
	}
	return refusal{}
}

// refuseCancel keeps a session from canceling others' work: one with a client id is
// held to its own by the state.
func (c *connection) refuseCancel() refusal {
	if who := c.who.Load(); who != nil && c.identity.clientID == "" && !who.Is(command.RoleAdmin) {
		return refusal{wire.ReasonForbidden, onlyOwnCancels}
	}
	return refusal{}
}

// denied refuses a request with an id where r is a refusal.
func (c *connection) denied(id uint64, r refusal) bool {
	if r.any() {
		c.refuse(id, r.reason, r.message)
	}
	return r.any()
}
