package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// need is what a route asks of a credential.
type need uint8

const (
	needToken      need = iota // any credential
	needWorker                 // the role worker, or admin
	needAdmin                  // the role admin
	needAllTenants             // the role admin, for all tenants
)

type whoKey struct{}

// whoOf is who sent a request; nil where the node asks for no token.
func whoOf(r *http.Request) *auth.Identity {
	who, _ := r.Context().Value(whoKey{}).(*auth.Identity)
	return who
}

// allow lets in who has what a route needs. What is asked for comes after: an answer
// to who may not know is the same whatever there is.
func (g *Gateway) allow(what need, next http.HandlerFunc) http.HandlerFunc {
	return g.knows(g.having(what, next))
}

// knows finds out who asks.
func (g *Gateway) knows(next http.HandlerFunc) http.HandlerFunc {
	if g.auth == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := g.whoAsks(r)
		if err != nil {
			g.refuseWho(w, err)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
	}
}

// having refuses who has not what a route needs.
func (g *Gateway) having(what need, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if who := whoOf(r); who != nil {
			if bad := lacks(who, what, r); bad.any() {
				g.refuseHTTP(w, bad)
				return
			}
		}
		next(w, r)
	}
}

func (g *Gateway) whoAsks(r *http.Request) (*auth.Identity, error) {
	token := bearerOf(r)
	if len(token) == 0 {
		if who, err := certified(r.TLS); who != nil || err != nil {
			return who, err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), credentialTimeout)
	defer cancel()
	return g.auth.Authenticate(ctx, token)
}

func (g *Gateway) refuseWho(w http.ResponseWriter, err error) {
	if errors.Is(err, auth.ErrUnavailable) {
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, auth.ErrUnavailable.Error()})
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="baton"`)
	g.refuseHTTP(w, refusal{wire.ReasonUnauthenticated, err.Error()})
}

// lacks says what a credential lacks for a route.
func lacks(who *auth.Identity, what need, r *http.Request) refusal {
	tenant := r.URL.Query().Get("tenant")
	switch {
	case tenant != "" && !who.InTenant(tenant):
		return refusal{wire.ReasonForbidden, notItsTenant}
	case what == needWorker && !who.Is(command.RoleWorker|command.RoleAdmin):
		return refusal{wire.ReasonForbidden, onlyWorkers}
	case what >= needAdmin && !who.Is(command.RoleAdmin):
		return refusal{wire.ReasonForbidden, onlyAdmins}
	case what == needAllTenants && !who.AllTenants():
		return refusal{wire.ReasonForbidden, onlyAllTenants}
	default:
		return refusal{}
	}
}

// bearerOf is the token in a request's header, nil for none.
func bearerOf(r *http.Request) []byte {
	const scheme = "bearer "
	given := r.Header.Get("Authorization")
	if len(given) <= len(scheme) || !strings.EqualFold(given[:len(scheme)], scheme) {
		return nil
	}
	return []byte(strings.TrimSpace(given[len(scheme):]))
}

// certified is who a verified client certificate is of, nil for none.
func certified(state *tls.ConnectionState) (*auth.Identity, error) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil, nil
	}
	return auth.OfCertificate(state.VerifiedChains[0][0])
}

// tenantOf is the tenant that a request is about: the token's, or the one it names.
func tenantOf(r *http.Request) string {
	if tenant := boundOf(whoOf(r)); tenant != "" {
		return tenant
	}
	if tenant := r.URL.Query().Get("tenant"); tenant != "" {
		return tenant
	}
	return defaultTenant
}

// ofWhom sets whose a published event is, or says why it cannot be.
func ofWhom(who *auth.Identity, m *wire.Emit, event *command.Event) refusal {
	if bad := inWhoseName(who, m, event); bad.any() {
		return bad
	}
	return refusePublish(who, m.Channel)
}

// inWhoseName is ofWhom for what is not published to a channel.
func inWhoseName(who *auth.Identity, m *wire.Emit, event *command.Event) refusal {
	event.Tenant, event.ClientID = alias(m.Tenant), alias(m.ClientID)
	if event.Tenant == "" {
		event.Tenant = defaultTenant
	}
	if who == nil {
		return refusal{}
	}
	if tenant := boundOf(who); tenant != "" {
		if len(m.Tenant) > 0 && alias(m.Tenant) != tenant {
			return refusal{wire.ReasonForbidden, notItsTenant}
		}
		event.Tenant = tenant
	}
	switch {
	case who.ForOthers():
	case event.ClientID != "" && !who.AsClient(event.ClientID):
		return refusal{wire.ReasonForbidden, onlyWithClients}
	case who.Is(command.RoleClient):
		event.ClientID = who.ClientID
	}
	return refusal{}
}
