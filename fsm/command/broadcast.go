package command

// MaxBroadcastClients is how many clients one Broadcast notifies at most: applying it
// holds up the partition for that many streams.
const MaxBroadcastClients = 256

// Broadcast notifies several clients of one partition of the same thing, which no job
// made. IdempotencyKey is always set when it is proposed, and CorrelationID too.
type Broadcast struct {
	Route

	Tenant         string
	IdempotencyKey string
	CorrelationID  string
	// CausationID is empty where the broadcast is its own cause.
	CausationID string
	Name        string
	Payload     Payload
	// Clients have their streams in the partition.
	Clients []string
}

// Append appends the encoded command.
func (c *Broadcast) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindBroadcast, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = AppendString(dst, c.IdempotencyKey)
	dst = AppendString(dst, c.CorrelationID)
	dst = AppendString(dst, c.CausationID)
	dst = AppendString(dst, c.Name)
	dst = AppendPayload(dst, c.Payload)
	dst = AppendUint(dst, uint64(len(c.Clients)))
	for _, client := range c.Clients {
		dst = AppendString(dst, client)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *Broadcast) Decode(r *Reader) {
	c.Tenant = r.String()
	c.IdempotencyKey = r.String()
	c.CorrelationID = r.String()
	c.CausationID = r.String()
	c.Name = r.String()
	c.Payload = r.Payload()
	c.Clients = c.Clients[:0]
	for range r.Count(MaxBroadcastClients) {
		c.Clients = append(c.Clients, r.String())
	}
}
