package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// showTenantLimits answers what a tenant may use.
func (g *Gateway) showTenantLimits(w http.ResponseWriter, r *http.Request) {
	g.answerTenantLimits(w, r, nil)
}

// replaceTenantLimits gives a tenant the limits of the body and no others.
func (g *Gateway) replaceTenantLimits(w http.ResponseWriter, r *http.Request) {
	g.setTenantLimits(w, r, func(command.TenantSettings) command.TenantSettings { return command.TenantSettings{} })
}

// changeTenantLimits changes the limits that the body has.
func (g *Gateway) changeTenantLimits(w http.ResponseWriter, r *http.Request) {
	g.setTenantLimits(w, r, func(have command.TenantSettings) command.TenantSettings { return have })
}

// resetTenantLimits takes a tenant's limits back.
func (g *Gateway) resetTenantLimits(w http.ResponseWriter, r *http.Request) {
	g.answerTenantLimits(w, r, func(command.TenantSettings) command.TenantSettings { return command.TenantSettings{} })
}

// setTenantLimits changes a tenant's limits, as the body says, from what begin makes of
// those that there are.
func (g *Gateway) setTenantLimits(w http.ResponseWriter, r *http.Request, begin func(command.TenantSettings) command.TenantSettings) {
	var said wire.TenantLimits
	if bad := readTenantLimits(w, r, &said); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	g.answerTenantLimits(w, r, func(have command.TenantSettings) command.TenantSettings {
		next := begin(have)
		sayTenantLimits(&next, &said)
		return next
	})
}

// answerTenantLimits stores what change makes of a tenant's limits, or nothing for nil, and
// answers with them.
func (g *Gateway) answerTenantLimits(w http.ResponseWriter, r *http.Request, change func(command.TenantSettings) command.TenantSettings) {
	tenant := r.PathValue("tenant")
	if len(tenant) > wire.MaxNameBytes {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "the tenant's name is too long"})
		return
	}
	settings, err := g.storeTenantLimits(r.Context(), tenant, change)
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	body, err := json.Marshal(shownTenantLimits(tenant, &settings))
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	writeJSON(w, body)
}

// storeTenantLimits reads a tenant's limits, has them changed and stores them until nobody
// else did so in between.
func (g *Gateway) storeTenantLimits(
	ctx context.Context, tenant string, change func(command.TenantSettings) command.TenantSettings,
) (settings command.TenantSettings, err error) {
	read := func() (command.TenantSettings, error) { return g.broker.TenantSettings(ctx, tenant) }
	if change == nil {
		return read()
	}
	return storeAlone(read, change, func(have, next *command.TenantSettings) (err error) {
		next.Version, err = g.broker.SetTenant(ctx, tenant, have.Version, next)
		return err
	})
}

// readTenantLimits reads the body of a change of a tenant's limits.
func readTenantLimits(w http.ResponseWriter, r *http.Request, said *wire.TenantLimits) refusal {
	if bad := readStrictly(w, r, "limits", said); bad.any() {
		return bad
	}
	if said.Weight != nil && (*said.Weight == 0 || *said.Weight > command.MaxWeight) {
		return refusal{wire.ReasonBadRequest, "weight must be between 1 and 10000"}
	}
	return refusal{}
}

// sayTenantLimits takes over what is said.
func sayTenantLimits(s *command.TenantSettings, said *wire.TenantLimits) {
	for _, of := range []struct{ to, from *uint32 }{{&s.Weight, said.Weight}, {&s.MaxInFlight, said.MaxInFlight}, {&s.Rate, said.Rate}} {
		if of.from != nil {
			*of.to = *of.from
		}
	}
	if said.MaxBacklogBytes != nil {
		s.MaxBacklogBytes = *said.MaxBacklogBytes
	}
	if said.MaxBacklogEvents != nil {
		s.MaxBacklogEvents = *said.MaxBacklogEvents
	}
}

func shownTenantLimits(tenant string, s *command.TenantSettings) *wire.TenantLimits {
	weight := cmp.Or(s.Weight, command.OrdinaryWeight)
	return &wire.TenantLimits{
		Tenant: tenant, Version: s.Version, Weight: &weight, MaxInFlight: &s.MaxInFlight, Rate: &s.Rate,
		MaxBacklogBytes: &s.MaxBacklogBytes, MaxBacklogEvents: &s.MaxBacklogEvents,
	}
}
