package command

// Redrive puts a dead letter back in line: its failures are forgotten, its
// attempts count on.
type Redrive struct {
	Route

	Tenant string
	Event  EventID
	// Group is the group in which the event is dead; empty for each of them.
	Group string
	// Once is a random name of the request, so that one that is sent again
	// because its answer was lost is told from a second one.
	Once string
	// Edited means that workers get Payload from now on, and ContentType where
	// it is not empty; the event itself stays as it was published.
	Edited      bool
	ContentType string
	Payload     Payload
}

// Append appends the encoded command.
func (c *Redrive) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindRedrive, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = appendEventID(dst, c.Event)
	dst = AppendString(dst, c.Group)
	dst = AppendString(dst, c.Once)
	dst = AppendBool(dst, c.Edited)
	dst = AppendString(dst, c.ContentType)
	return AppendPayload(dst, c.Payload)
}

// Decode reads the body behind a prefix.
func (c *Redrive) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Event = r.EventID()
	c.Group = r.String()
	c.Once = r.String()
	c.Edited = r.Bool()
	c.ContentType = r.String()
	c.Payload = r.Payload()
}

// Discard gives a dead letter up for good.
type Discard struct {
	Route

	Tenant string
	Event  EventID
	// Group is the group in which the event is dead; empty for each of them.
	Group string
	// Once is a random name of the request: see Redrive.
	Once string
	// Note says why, for those who look at the event later; it may be empty.
	Note string
}

// Append appends the encoded command.
func (c *Discard) Append(dst []byte) []byte {
	dst = appendPrefix(dst, KindDiscard, c.Route)
	dst = AppendString(dst, c.Tenant)
	dst = appendEventID(dst, c.Event)
	dst = AppendString(dst, c.Group)
	dst = AppendString(dst, c.Once)
	if c.Note != "" {
		dst = AppendString(dst, c.Note)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *Discard) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Event = r.EventID()
	c.Group = r.String()
	c.Once = r.String()
	c.Note = r.String()
}
