package command

// Publish stores one event. IdempotencyKey is always set when it is proposed
// (the gateway makes one up), so that a retry is recognised.
type Publish struct {
	Route

	Event Event
	// MaxUnfinished is how much unfinished work the event's client may have in the
	// partition, as the gateway has it; 0 for any. It stands in the record only
	// where it is not 0.
	MaxUnfinished uint64
	// MaxTenantBytes is how many bytes of data the tenant's unfinished events may have in
	// the partition, as the gateway has it; 0 for any. It stands in the record only where
	// it is not 0.
	MaxTenantBytes uint64
}

// Append appends the encoded command.
func (c *Publish) Append(dst []byte) []byte {
	dst = AppendEvent(appendPrefix(dst, KindPublish, c.Route), &c.Event)
	if c.MaxUnfinished != 0 || c.MaxTenantBytes != 0 {
		dst = AppendUint(dst, c.MaxUnfinished)
	}
	if c.MaxTenantBytes != 0 {
		dst = AppendUint(dst, c.MaxTenantBytes)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *Publish) Decode(r *Reader) {
	c.Event = r.Event()
	c.MaxUnfinished = r.Uint()
	c.MaxTenantBytes = r.Uint()
}

// Ack moves a device's cursor in its client's stream forward to Seq.
type Ack struct {
	Route

	Tenant   string
	ClientID string
	DeviceID string
	Seq      uint64
	// Delivered says when the gateway wrote the notifications to the socket,
	// ascending by Seq, for those it still knows.
	Delivered []Delivery
}

// Delivery is when one notification was written to a socket.
type Delivery struct {
	Seq    uint64
	TimeMS int64
}

// MaxDeliveries is how many delivery times one Ack carries at most.
const MaxDeliveries = 4096

// Append appends the encoded command.
func (c *Ack) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindAck, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = AppendString(dst, c.ClientID)
	dst = AppendString(dst, c.DeviceID)
	dst = AppendUint(dst, c.Seq)
	dst = AppendUint(dst, uint64(len(c.Delivered)))
	for _, d := range c.Delivered {
		dst = AppendUint(dst, d.Seq)
		dst = AppendInt(dst, d.TimeMS)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *Ack) Decode(r *Reader) {
	c.Tenant = r.String()
	c.ClientID = r.String()
	c.DeviceID = r.String()
	c.Seq = r.Uint()
	c.Delivered = c.Delivered[:0]
	for range r.Count(MaxDeliveries) {
		c.Delivered = append(c.Delivered, Delivery{Seq: r.Uint(), TimeMS: r.Int()})
	}
}

// Cancel stops one event: waiting ones are never granted, a leased one's
// worker is told and fenced after GraceMS.
type Cancel struct {
	Route

	Tenant string
	// ClientID, when set, must be the client of the event.
	ClientID string
	Event    EventID
	Reason   string
	GraceMS  uint64
}

// Append appends the encoded command.
func (c *Cancel) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindCancel, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = AppendString(dst, c.ClientID)
	dst = appendEventID(dst, c.Event)
	dst = AppendString(dst, c.Reason)
	return AppendUint(dst, c.GraceMS)
}

// Decode reads the body behind a prefix.
func (c *Cancel) Decode(r *Reader) {
	c.Tenant = r.String()
	c.ClientID = r.String()
	c.Event = r.EventID()
	c.Reason = r.String()
	c.GraceMS = r.Uint()
}

// CancelLineage stops every event of a correlation id: each as Cancel does, and
// what their jobs emit until they have stopped.
type CancelLineage struct {
	Route

	Tenant string
	// ClientID, when set, must be the client whose lineage it is.
	ClientID      string
	CorrelationID string
	Reason        string
	GraceMS       uint64
}

// Append appends the encoded command.
func (c *CancelLineage) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindCancelLineage, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = AppendString(dst, c.ClientID)
	dst = AppendString(dst, c.CorrelationID)
	dst = AppendString(dst, c.Reason)
	return AppendUint(dst, c.GraceMS)
}

// Decode reads the body behind a prefix.
func (c *CancelLineage) Decode(r *Reader) {
	c.Tenant = r.String()
	c.ClientID = r.String()
	c.CorrelationID = r.String()
	c.Reason = r.String()
	c.GraceMS = r.Uint()
}
