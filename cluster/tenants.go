package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// TenantSettings are a tenant's settings as the meta group keeps them, zero where it has
// none.
func (c *Cluster) TenantSettings(ctx context.Context, tenant string) (settings command.TenantSettings, err error) {
	body, err := c.ofMeta(ctx, opTenant, command.AppendString(nil, tenant))
	if err != nil {
		return settings, err
	}
	if err := json.Unmarshal(body, &settings); err != nil {
		return settings, fmt.Errorf("read a tenant's settings: %w", err)
	}
	return settings, nil
}

// SetTenant keeps a tenant's settings in the meta group, in the place of the version that
// is expected there, and returns when every partition has them: see SetChannel.
func (c *Cluster) SetTenant(ctx context.Context, tenant string, expect uint64, settings *command.TenantSettings) (version uint64, err error) {
	set := command.SetTenant{Tenant: tenant, Expect: expect, Settings: *settings}
	result, err := c.commandMeta(ctx, set.Append(nil))
	if err != nil {
		return 0, err
	}
	configure := command.ConfigureTenant{Route: ofAnySlot(), Tenant: tenant, Settings: *settings}
	configure.Settings.Version = result.Offset
	if err := c.commandAll(ctx, configure.Append(nil)); err != nil {
		return 0, notEverywhere(err)
	}
	return result.Offset, nil
}
