package gateway

import (
	"errors"
	"time"

	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// refresh puts a fresh token in the place of the session's. The session stays what
// it is, so the token must allow all of that: its tenant, its client, its
// subscriptions and follows. A token that does not changes nothing.
func (c *connection) refresh(m *wire.Auth) {
	if c.gateway.auth == nil {
		c.unavailable(m.ID, "auth is not available: this node runs without authentication")
		return
	}
	who, err := c.authenticate(m.Token)
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		c.refuse(m.ID, wire.ReasonNoLeader, auth.ErrUnavailable.Error())
		return
	case err != nil:
		c.refuse(m.ID, wire.ReasonUnauthenticated, err.Error())
		return
	}
	if c.denied(m.ID, c.refuseChange(who)) {
		return
	}
	c.who.Store(who)
	c.watchCredential()
	c.sendOK(&wire.OK{ID: m.ID, TokenExpiresMs: expiresMs(who)})
}

// refuseChange says what of the session another token does not allow.
func (c *connection) refuseChange(who *auth.Identity) refusal {
	switch {
	case !c.identity.limited && !who.AllTenants(), !who.InTenant(c.identity.tenant):
		return refusal{wire.ReasonForbidden, notItsTenant}
	case c.identity.clientID != "" && !who.AsClient(c.identity.clientID):
		return refusal{wire.ReasonForbidden, notItsClient}
	}
	t := c.tables()
	if r := t.subscriptions.refused(who); r.any() {
		return r
	}
	if r := t.followers.refused(who); r.any() {
		return r
	}
	return t.listeners.refused(who)
}

// refused says which subscription a token does not allow.
func (t *subscriptionTable) refused(who *auth.Identity) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		if r := refuseWork(who, aliasBytes(s.channel)); r.any() {
			return r
		}
	}
	return refusal{}
}

// refused says which follow a token does not allow.
func (t *followerTable) refused(who *auth.Identity) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.all {
		if r := refuseFollow(who, aliasBytes(f.channel)); r.any() {
			return r
		}
	}
	return refusal{}
}

// checkCredential closes a session whose credential is not good any more, and says
// when that will be by itself. A revocation is seen by sweepCredentials.
func (c *connection) checkCredential(next *deadline) {
	who := c.who.Load()
	if who == nil || who.KeyID == "" && who.Expires.IsZero() {
		return
	}
	if ended := c.gateway.auth.Ended(who); ended != "" {
		c.refuseUnasked(wire.ReasonUnauthenticated, ended)
		c.close(wire.CloseUnauthenticated, ended)
		return
	}
	if !who.Expires.IsZero() {
		next.at(max(time.Until(who.Expires), wheelTick))
	}
}

// watchCredential looks at the credential that a session has from now on: it may have
// been revoked since it was shown, and may end before anything else is due.
func (c *connection) watchCredential() {
	next := deadline{soonest: longestCheck}
	c.checkCredential(&next)
	if next.soonest < longestCheck {
		c.gateway.wheel.add(c, next.soonest)
	}
}

// sweepCredentials looks at all sessions' credentials when this node's copy of the API
// keys has changed; seen is the version that was looked at last.
func (g *Gateway) sweepCredentials(seen uint64) uint64 {
	version := g.auth.KeysVersion()
	if version == seen {
		return seen
	}
	var next deadline
	for _, c := range g.allConnections() {
		c.checkCredential(&next)
	}
	return version
}

// expiresMs is how long a credential is good for; 0 for ever.
func expiresMs(who *auth.Identity) int64 {
	if who == nil || who.Expires.IsZero() {
		return 0
	}
	return max(time.Until(who.Expires).Milliseconds(), 1)
}
