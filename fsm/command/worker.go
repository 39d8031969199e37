package command

// Limits of one complete; the wire refuses more than this before it is proposed.
const (
	MaxEmits    = 256
	MaxNotifies = 256
	// MaxLeases is how many leases one Release, Expire or renewal names at most.
	MaxLeases = 1024
)

// Notify is one notification of a complete.
type Notify struct {
	// ClientID is empty for the client whose event the job is.
	ClientID string
	Name     string
	Payload  Payload
}

// Complete acknowledges a lease and, in the same entry, stores what the worker
// emits and notifies.
type Complete struct {
	Route

	Lease    LeaseID
	Result   Payload
	Usage    []byte
	Emits    []Event
	Notifies []Notify
	// Tenant is whose job it must be, or the lease is lost; empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *Complete) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindComplete, c.Route)
	dst = AppendLeaseID(dst, c.Lease)
	dst = AppendPayload(dst, c.Result)
	dst = AppendString(dst, c.Usage)
	dst = AppendUint(dst, uint64(len(c.Emits)))
	for i := range c.Emits {
		dst = AppendEvent(dst, &c.Emits[i])
	}
	dst = AppendUint(dst, uint64(len(c.Notifies)))
	for i := range c.Notifies {
		dst = AppendString(dst, c.Notifies[i].ClientID)
		dst = AppendString(dst, c.Notifies[i].Name)
		dst = AppendPayload(dst, c.Notifies[i].Payload)
	}
	return appendLeaseTenant(dst, c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *Complete) Decode(r *Reader) {
	c.Lease = r.LeaseID()
	c.Result = r.Payload()
	c.Usage = r.Bytes()
	c.Emits = c.Emits[:0]
	for range r.Count(MaxEmits) {
		c.Emits = append(c.Emits, r.Event())
	}
	c.Notifies = c.Notifies[:0]
	for range r.Count(MaxNotifies) {
		c.Notifies = append(c.Notifies, Notify{ClientID: r.String(), Name: r.String(), Payload: r.Payload()})
	}
	c.Tenant = r.String()
}

// Fail ends a lease with an error.
type Fail struct {
	Route

	Lease LeaseID
	// Code, Message and Detail (one JSON value) are the worker's own words.
	Code    string
	Message string
	Detail  []byte
	// Final means that the event must not be tried again.
	Final bool
	// Throttled puts the event off by RetryAfterMS and counts no attempt.
	Throttled    bool
	RetryAfterMS uint64
	// Tenant is whose job it must be, or the lease is lost; empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *Fail) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindFail, c.Route)
	dst = AppendLeaseID(dst, c.Lease)
	dst = AppendString(dst, c.Code)
	dst = AppendString(dst, c.Message)
	dst = AppendString(dst, c.Detail)
	dst = AppendBool(dst, c.Final)
	dst = AppendBool(dst, c.Throttled)
	return appendLeaseTenant(AppendUint(dst, c.RetryAfterMS), c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *Fail) Decode(r *Reader) {
	c.Lease = r.LeaseID()
	c.Code = r.String()
	c.Message = r.String()
	c.Detail = r.Bytes()
	c.Final = r.Bool()
	c.Throttled = r.Bool()
	c.RetryAfterMS = r.Uint()
	c.Tenant = r.String()
}

// Release hands jobs back that were not started; it counts no attempt.
type Release struct {
	Route

	Leases []LeaseID
	// Lost means that nobody handed them back: their worker's socket was lost, in a
	// channel where they are lost with it. They count as expired leases do.
	Lost bool
	// Tenant is whose jobs they must be; others are passed by. Empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *Release) Append(dst []byte) []byte {
	dst = appendLeases(appendPrefix(dst, KindRelease, c.Route), c.Leases)
	if c.Lost || c.Tenant != "" {
		dst = AppendBool(dst, c.Lost)
	}
	return appendLeaseTenant(dst, c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *Release) Decode(r *Reader) {
	c.Leases = r.leases(c.Leases[:0])
	c.Lost = r.Bool()
	c.Tenant = r.String()
}

// Checkpoint keeps a worker's progress with its lease, for the next attempt.
type Checkpoint struct {
	Route

	Lease LeaseID
	// Data is one JSON value.
	Data []byte
	// Tenant is whose job it must be, or the lease is lost; empty for anybody's.
	Tenant string
}

// Append appends the encoded command.
func (c *Checkpoint) Append(dst []byte) []byte {
	dst = AppendLeaseID(appendPrefix(dst, KindCheckpoint, c.Route), c.Lease)
	return appendLeaseTenant(AppendString(dst, c.Data), c.Tenant)
}

// Decode reads the body behind a prefix.
func (c *Checkpoint) Decode(r *Reader) {
	c.Lease = r.LeaseID()
	c.Data = r.Bytes()
	c.Tenant = r.String()
}

// appendLeaseTenant appends whose job a lease must be of, where that is said: a
// command that does not has the bytes it always had.
func appendLeaseTenant(dst []byte, tenant string) []byte {
	if tenant == "" {
		return dst
	}
	return AppendString(dst, tenant)
}

func appendLeases(dst []byte, leases []LeaseID) []byte {
	dst = AppendUint(dst, uint64(len(leases)))
	for _, id := range leases {
		dst = AppendLeaseID(dst, id)
	}
	return dst
}

func (r *Reader) leases(into []LeaseID) []LeaseID {
	for range r.Count(MaxLeases) {
		into = append(into, r.LeaseID())
	}
	return into
}
