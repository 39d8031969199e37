package command

// FollowBegin is what a CommitFollower does to a name. Numbers are for ever:
// they are kept in the log.
type FollowBegin uint8

// What a CommitFollower does.
const (
	// FollowCommit moves the name's offset forward to Position.
	FollowCommit FollowBegin = 0
	// FollowBeginAt lets a new name begin behind Position; one that there is stays
	// where it is.
	FollowBeginAt FollowBegin = 1
	// FollowBeginNew lets a new name begin with the first event that is stored after
	// it; one that there is stays where it is.
	FollowBeginNew FollowBegin = 2
)

// CommitFollower keeps how far a named follower of a channel is: everything up to
// Position is handled. The answer's Offset is where the name stands then.
type CommitFollower struct {
	Route

	// Tenant is whose events are followed; empty means all.
	Tenant   string
	Channel  string
	Name     string
	Position uint64
	Begin    FollowBegin
}

// Append appends the encoded command.
func (c *CommitFollower) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindCommitFollower, c.Route), c.Tenant)
	dst = AppendString(dst, c.Channel)
	dst = AppendString(dst, c.Name)
	dst = AppendUint(dst, c.Position)
	return append(dst, byte(c.Begin))
}

// Decode reads the body behind a prefix.
func (c *CommitFollower) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Channel = r.String()
	c.Name = r.String()
	c.Position = r.Uint()
	c.Begin = FollowBegin(r.Byte())
}

// Followed is a stored event on its way to a follower.
type Followed struct {
	ID EventID
	// CorrelationID and CausationID are resolved: never empty.
	CorrelationID string
	CausationID   string
	// StoredMS is when it was stored, by the state's time; DeliverMS before when it
	// is not worked on, 0 for at once.
	StoredMS  int64
	DeliverMS int64
	Event     Event
}

// AppendFollowed appends the event's fields in their order.
func AppendFollowed(dst []byte, f *Followed) []byte {
	dst = AppendEventID(dst, f.ID)
	dst = AppendString(dst, f.CorrelationID)
	dst = AppendString(dst, f.CausationID)
	dst = AppendInt(dst, f.StoredMS)
	dst = AppendInt(dst, f.DeliverMS)
	return AppendEvent(dst, &f.Event)
}

// Followed reads what AppendFollowed wrote; payload and headers alias the record.
func (r *Reader) Followed() Followed {
	return Followed{
		ID:            r.EventID(),
		CorrelationID: r.String(),
		CausationID:   r.String(),
		StoredMS:      r.Int(),
		DeliverMS:     r.Int(),
		Event:         r.Event(),
	}
}
