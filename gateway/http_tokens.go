package gateway

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// listTenants answers the tenants; default is always among them.
func (g *Gateway) listTenants(w http.ResponseWriter, r *http.Request) {
	all, err := g.broker.Credentials(r.Context())
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	list := wire.Tenants{Tenants: []wire.Tenant{{Tenant: defaultTenant}}}
	for _, tenant := range all.Tenants {
		list.Tenants = append(list.Tenants, wire.Tenant{Tenant: tenant.Name, CreatedAt: tenant.CreatedMS})
	}
	g.answerLook(w, &list, nil)
}

// createTenant makes a tenant; one that is there stays.
func (g *Gateway) createTenant(w http.ResponseWriter, r *http.Request) {
	var said wire.Tenant
	if bad := readStrictly(w, r, "body", &said); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	note(r, slog.String("created", clip(said.Tenant, 255)))
	result, err := g.broker.ChangeCredentials(r.Context(), (&command.PutTenant{Tenant: said.Tenant}).Append(nil))
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	g.answerLook(w, tenantAnswer{Tenant: said.Tenant, Duplicate: result.Duplicate}, nil)
}

// deleteTenant takes a tenant out, and revokes its tokens.
func (g *Gateway) deleteTenant(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("tenant")
	result, err := g.broker.ChangeCredentials(r.Context(), (&command.DeleteTenant{Tenant: name}).Append(nil))
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	g.answerLook(w, tenantAnswer{Tenant: name, Revoked: result.Offset}, nil)
}

type tenantAnswer struct {
	Tenant    string `json:"tenant"`
	Duplicate bool   `json:"duplicate,omitempty"`
	// Revoked is how many tokens were revoked with it.
	Revoked uint64 `json:"revoked,omitempty"`
}

// listTokens answers the API keys: those of one tenant, or all to who may see all.
func (g *Gateway) listTokens(w http.ResponseWriter, r *http.Request) {
	all, err := g.broker.Credentials(r.Context())
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	of := boundOf(whoOf(r))
	if of == "" {
		of = r.URL.Query().Get("tenant")
	}
	list := wire.Tokens{Tokens: []wire.Token{}}
	for i := range all.Keys {
		if of == "" || all.Keys[i].Tenant == of {
			list.Tokens = append(list.Tokens, tokenOf(&all.Keys[i]))
		}
	}
	g.answerLook(w, &list, nil)
}

// tokenOf is a key as a list has it: without what proves it.
func tokenOf(key *command.Key) wire.Token {
	return wire.Token{
		ID: key.ID, Name: key.Name, Tenant: key.Tenant, ClientID: key.ClientID, Roles: key.Roles.Names(),
		Publish: key.Publish, Work: key.Work, Follow: key.Follow, CreatedBy: key.CreatedBy,
		CreatedAt: key.CreatedMS, ExpiresAt: key.ExpiresMS, RevokedAt: key.RevokedMS,
	}
}

// createToken makes an API key. Its text is in this answer and nowhere else, ever.
func (g *Gateway) createToken(w http.ResponseWriter, r *http.Request) {
	var said wire.Token
	bad := readStrictly(w, r, "body", &said)
	var key *command.Key
	if !bad.any() {
		key, bad = keyOf(&said, whoOf(r))
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	var text string
	text, key.ID, key.Hash = auth.NewKey()
	note(r, slog.String("token", key.ID), slog.String("of", clip(key.Tenant, 255)), slog.String("roles", key.Roles.String()))
	if _, err := g.broker.ChangeCredentials(r.Context(), (&command.PutKey{Key: *key}).Append(nil)); err != nil {
		g.refuseSettings(w, err)
		return
	}
	answer := tokenOf(key)
	answer.Token = text
	g.answerLook(w, &answer, nil)
}

// keyOf is the key that a request asks for, or why it cannot be made.
func keyOf(said *wire.Token, who *auth.Identity) (*command.Key, refusal) {
	key := &command.Key{
		Name: said.Name, Tenant: said.Tenant, ClientID: said.ClientID, Publish: said.Publish, Work: said.Work, Follow: said.Follow,
		CreatedBy: clip(nameOf(who), command.MaxCredentialText), ExpiresMS: said.ExpiresAt,
	}
	if key.Tenant == "" {
		key.Tenant = defaultTenant
		if of := boundOf(who); of != "" {
			key.Tenant = of
		}
	}
	for _, name := range said.Roles {
		role, ok := command.ParseRole(name)
		if !ok {
			return nil, refusal{wire.ReasonBadRequest, "roles are client, worker and admin"}
		}
		key.Roles |= role
	}
	if who != nil && !who.InTenant(key.Tenant) {
		return nil, refusal{wire.ReasonForbidden, notItsTenant}
	}
	return key, wrongToken(said, key)
}

// wrongToken says what is wrong with what a request for a key says.
func wrongToken(said *wire.Token, key *command.Key) refusal {
	switch {
	case said.Token != "" || said.ID != "" || said.CreatedAt != 0 || said.CreatedBy != "" || said.RevokedAt != 0:
		return refusal{wire.ReasonBadRequest, "id, token, created_at, created_by and revoked_at are not for the request to say"}
	case key.Roles == 0:
		return refusal{wire.ReasonBadRequest, "roles must name at least one of client, worker and admin"}
	case key.Roles&command.RoleClient != 0 && key.ClientID == "":
		return refusal{wire.ReasonBadRequest, "the role client needs a client_id: the client's, or * for a backend that serves any"}
	case key.Roles&command.RoleClient == 0 && key.ClientID != "":
		return refusal{wire.ReasonBadRequest, "a client_id needs the role client"}
	case key.ExpiresMS != 0 && key.ExpiresMS <= time.Now().UnixMilli():
		return refusal{wire.ReasonBadRequest, "expires_at lies in the past: it is in Unix milliseconds"}
	}
	for _, patterns := range [][]string{key.Publish, key.Work, key.Follow} {
		if err := auth.CheckPatterns(patterns); err != nil {
			return refusal{wire.ReasonBadRequest, err.Error()}
		}
	}
	return refusal{}
}

// revokeToken ends a key. To who may see one tenant's, another's is not there.
func (g *Gateway) revokeToken(w http.ResponseWriter, r *http.Request) {
	revoke := command.RevokeKey{ID: r.PathValue("id"), Tenant: boundOf(whoOf(r))}
	result, err := g.broker.ChangeCredentials(r.Context(), revoke.Append(nil))
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	g.answerLook(w, revokedAnswer{ID: revoke.ID, Duplicate: result.Duplicate}, nil)
}

type revokedAnswer struct {
	ID        string `json:"id"`
	Duplicate bool   `json:"duplicate,omitempty"`
}
