package command

// GroupFrom is where a new group begins. Numbers are for ever: they are kept in
// state.
type GroupFrom uint8

// The beginnings of a group.
const (
	// FromNew begins with the first event that is stored after the group.
	FromNew GroupFrom = 0
	// FromEarliest begins with the oldest event that is kept.
	FromEarliest GroupFrom = 1
)

// CreateGroup gives a channel another group, which gets each of its events once.
// A group that exists stays as it is; the answer is a duplicate then. Its Offset
// is the GroupFrom that the group has, whichever was asked for.
type CreateGroup struct {
	Route

	Channel string
	Group   string
	From    GroupFrom
	// Existing means that the group is not made: where there is none, it is refused.
	Existing bool
}

// Append appends the encoded command.
func (c *CreateGroup) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindCreateGroup, c.Route), c.Channel)
	dst = AppendString(dst, c.Group)
	dst = append(dst, byte(c.From))
	if c.Existing {
		dst = AppendBool(dst, c.Existing)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *CreateGroup) Decode(r *Reader) {
	c.Channel = r.String()
	c.Group = r.String()
	c.From = GroupFrom(r.Byte())
	c.Existing = r.Bool()
}
