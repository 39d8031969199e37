package command

// Park takes a leased job from its worker until it is ended from outside: its
// lease stays in force, without a clock, and whoever has its token may complete,
// fail or release it. A job that nobody ended in time is lost, as an expired one.
type Park struct {
	Route

	Lease LeaseID
	// TimeoutMS is for how long; 0 leaves it to the state.
	TimeoutMS uint64
	// Tenant is whose job it must be, or the lease is lost; empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *Park) Append(dst []byte) []byte {
	dst = AppendUint(AppendLeaseID(appendPrefix(dst, KindPark, c.Route), c.Lease), c.TimeoutMS)
	return appendLeaseTenant(dst, c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *Park) Decode(r *Reader) {
	c.Lease = r.LeaseID()
	c.TimeoutMS = r.Uint()
	c.Tenant = r.String()
}
