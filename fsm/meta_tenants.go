package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// MaxConfiguredTenants is how many tenants of a cluster have settings of their own.
const MaxConfiguredTenants = 100_000

// ConfiguredTenant is a tenant that has settings of its own.
type ConfiguredTenant struct {
	Tenant   string
	Settings command.TenantSettings
}

func keyQuota(tenant string) []byte { return append([]byte{kindQuota}, tenant...) }

// setTenant keeps a tenant's settings, as setChannel does a channel's.
func (m *Meta) setTenant(tx *storage.Tx, out *Outcome, c *command.SetTenant) command.Result {
	switch {
	case c.Tenant == "":
		return refuse(command.BadRequest, "the settings lack a tenant")
	case len(c.Tenant) > MaxNameBytes:
		return refuse(command.BadRequest, tooLong("tenant", c.Tenant))
	case c.Settings.Weight > command.MaxWeight:
		return refuse(command.BadRequest, fmt.Sprintf("weight must be at most %d", command.MaxWeight))
	}
	at, found := slices.BinarySearchFunc(m.tenants, c.Tenant, func(have ConfiguredTenant, name string) int {
		return cmp.Compare(have.Tenant, name)
	})
	var have uint64
	if found {
		have = m.tenants[at].Settings.Version
	}
	switch {
	case c.Expect != have:
		r := refuse(command.Sequence, fmt.Sprintf("the settings of tenant %s have version %d, not %d: read them again", c.Tenant, have, c.Expect))
		r.Offset = have
		return r
	case !found && len(m.tenants) == MaxConfiguredTenants:
		return refuse(command.TooLarge, fmt.Sprintf("%d tenants have settings of their own, no more can", MaxConfiguredTenants))
	}
	m.tenantsVersion++
	configured := ConfiguredTenant{Tenant: c.Tenant, Settings: c.Settings}
	configured.Settings.Version = m.tenantsVersion
	if found {
		m.tenants[at] = configured
	} else {
		m.tenants = slices.Insert(m.tenants, at, configured)
	}
	must(tx.Set(keyQuota(c.Tenant), command.AppendTenantSettings([]byte{rowVersion}, &configured.Settings)))
	if out.effects {
		out.Tenants = append(out.Tenants, configured)
	}
	return command.Result{Offset: m.tenantsVersion}
}

func (m *Meta) loadTenants(view *storage.View) error {
	prefix := []byte{kindQuota}
	return view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		settings := readTenantSettings(value)
		m.tenants = append(m.tenants, ConfiguredTenant{Tenant: string(key[1:]), Settings: settings})
		m.tenantsVersion = max(m.tenantsVersion, settings.Version)
		return true, nil
	})
}

func readTenantSettings(value []byte) command.TenantSettings {
	r := openRow(value)
	settings := r.TenantSettings()
	closeRow(&r)
	return settings
}

// ReadTenantSettings reads a tenant's settings in the meta group; zero where it has none.
func ReadTenantSettings(view *storage.View, tenant string) (settings command.TenantSettings, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(keyQuota(tenant))
	if err != nil || !found {
		return settings, err
	}
	return readTenantSettings(value), nil
}
