package wire

// TenantLimits are what a tenant may use, in each partition. What is nil is not said; a
// bound of 0 is none.
type TenantLimits struct {
	// Tenant and Version stand in answers. The version counts changes, 0 is for none.
	Tenant  string `json:"tenant,omitempty"`
	Version uint64 `json:"version,omitempty"`
	// Weight is the tenant's share of turns, 100 is an ordinary one.
	Weight *uint32 `json:"weight,omitempty"`
	// MaxInFlight is how many jobs may be leased at a time, Rate how many events are
	// granted in a second.
	MaxInFlight *uint32 `json:"max_in_flight,omitempty"`
	Rate        *uint32 `json:"rate,omitempty"`
	// MaxBacklogBytes and MaxBacklogEvents bound what is unfinished.
	MaxBacklogBytes  *uint64 `json:"max_backlog_bytes,omitempty"`
	MaxBacklogEvents *uint64 `json:"max_backlog_events,omitempty"`
}
