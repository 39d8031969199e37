package command

// TenantSettings are what a tenant may use. A field that is zero bounds nothing.
type TenantSettings struct {
	// Version is the meta group's count of changes; a higher one is the newer.
	Version uint64
	// Weight is the tenant's share of turns beside others that wait, in hundredths of
	// an ordinary one; 0 is 100.
	Weight uint32
	// MaxInFlight is how many of its jobs may be leased at a time in each partition.
	MaxInFlight uint32
	// Rate is how many of its events may be granted in a second in each partition.
	Rate uint32
	// MaxBacklogBytes and MaxBacklogEvents are how much of its may be unfinished in each
	// partition: the next publish is refused.
	MaxBacklogBytes, MaxBacklogEvents uint64
}

const (
	// OrdinaryWeight is the weight of a tenant that has none of its own.
	OrdinaryWeight = 100
	// MaxWeight is the highest weight of a tenant.
	MaxWeight = 10_000
)

// AppendTenantSettings appends the settings' fields in their order.
func AppendTenantSettings(dst []byte, s *TenantSettings) []byte {
	dst = AppendUint(dst, s.Version)
	for _, v := range []uint32{s.Weight, s.MaxInFlight, s.Rate} {
		dst = AppendUint(dst, uint64(v))
	}
	return AppendUint(AppendUint(dst, s.MaxBacklogBytes), s.MaxBacklogEvents)
}

// TenantSettings reads what AppendTenantSettings wrote.
func (r *Reader) TenantSettings() TenantSettings {
	return TenantSettings{
		Version: r.Uint(), Weight: r.Uint32(), MaxInFlight: r.Uint32(), Rate: r.Uint32(),
		MaxBacklogBytes: r.Uint(), MaxBacklogEvents: r.Uint(),
	}
}

// ConfigureTenant brings a tenant's settings to a partition. Settings of a version that
// the partition has, or of an older one, change nothing; the answer is a duplicate then.
type ConfigureTenant struct {
	Route

	Tenant   string
	Settings TenantSettings
}

// Append appends the encoded command.
func (c *ConfigureTenant) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindConfigureTenant, c.Route), c.Tenant)
	return AppendTenantSettings(dst, &c.Settings)
}

// Decode reads the body behind a prefix.
func (c *ConfigureTenant) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Settings = r.TenantSettings()
}

// SetTenant keeps a tenant's settings in the meta group, from where every partition gets
// them. The answer's Offset is their version.
type SetTenant struct {
	Route

	Tenant string
	// Expect is the version that they replace: another one there is refused. 0 is for a
	// tenant that has none yet.
	Expect   uint64
	Settings TenantSettings
}

// Append appends the encoded command.
func (c *SetTenant) Append(dst []byte) []byte {
	dst = AppendUint(AppendString(appendPrefix(dst, KindSetTenant, c.Route), c.Tenant), c.Expect)
	return AppendTenantSettings(dst, &c.Settings)
}

// Decode reads the body behind a prefix.
func (c *SetTenant) Decode(r *Reader) {
	c.Tenant, c.Expect = r.String(), r.Uint()
	c.Settings = r.TenantSettings()
}
