package command

import "fmt"

const (
	// MaxMembers is how many members a cluster has at most.
	MaxMembers = 64
	// MaxMemberID is the bytes of a member's id, which begins with its name.
	MaxMemberID = 255
	// MaxMemberText is the bytes of each address that a member advertises, and of
	// its version.
	MaxMemberText = 1024
)

// Member is one admitted node.
type Member struct {
	// ID is Name and the incarnation of its data directory: a wiped node comes
	// back as another member.
	ID   string
	Name string
	// PeerAddress, GossipAddress and ClientURL are what it advertises.
	PeerAddress   string
	GossipAddress string
	ClientURL     string
	Version       string
	// AdmittedMS is when it became a member.
	AdmittedMS int64
}

// Invalid says why the member cannot be kept; empty when it can.
func (m *Member) Invalid() string {
	if m.ID == "" || len(m.ID) > MaxMemberID || len(m.Name) > MaxMemberID {
		return fmt.Sprintf("a member's id has 1 to %d bytes, and so has its name", MaxMemberID)
	}
	for _, text := range []string{m.PeerAddress, m.GossipAddress, m.ClientURL, m.Version} {
		if len(text) > MaxMemberText {
			return fmt.Sprintf("a member's address has at most %d bytes", MaxMemberText)
		}
	}
	return ""
}

func appendMember(dst []byte, m *Member) []byte {
	dst = AppendString(dst, m.ID)
	dst = AppendString(dst, m.Name)
	dst = AppendString(dst, m.PeerAddress)
	dst = AppendString(dst, m.GossipAddress)
	dst = AppendString(dst, m.ClientURL)
	dst = AppendString(dst, m.Version)
	return AppendInt(dst, m.AdmittedMS)
}

// AppendMember appends the member's fields in their order.
func AppendMember(dst []byte, m *Member) []byte { return appendMember(dst, m) }

// Member reads what AppendMember wrote.
func (r *Reader) Member() Member {
	return Member{
		ID:            r.String(),
		Name:          r.String(),
		PeerAddress:   r.String(),
		GossipAddress: r.String(),
		ClientURL:     r.String(),
		Version:       r.String(),
		AdmittedMS:    r.Int(),
	}
}

// FormCluster is the first command of the meta group: what a cluster is made of.
type FormCluster struct {
	Route

	ClusterID  string
	Partitions uint32
	Replicas   uint32
	// LeaseKey authenticates lease tokens.
	LeaseKey []byte
	Members  []Member
}

// Append appends the encoded command.
func (c *FormCluster) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindFormCluster, c.Route), c.ClusterID)
	dst = AppendUint(dst, uint64(c.Partitions))
	dst = AppendUint(dst, uint64(c.Replicas))
	dst = AppendString(dst, c.LeaseKey)
	dst = AppendUint(dst, uint64(len(c.Members)))
	for i := range c.Members {
		dst = appendMember(dst, &c.Members[i])
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *FormCluster) Decode(r *Reader) {
	c.ClusterID = r.String()
	c.Partitions = r.Uint32()
	c.Replicas = r.Uint32()
	c.LeaseKey = r.Bytes()
	c.Members = c.Members[:0]
	for range r.Count(MaxMembers) {
		c.Members = append(c.Members, r.Member())
	}
}

// AdmitMember adds a member, or brings its addresses up to date.
type AdmitMember struct {
	Route

	Member Member
}

// Append appends the encoded command.
func (c *AdmitMember) Append(dst []byte) []byte {
	return appendMember(appendPrefix(dst, KindAdmitMember, c.Route), &c.Member)
}

// Decode reads the body behind a prefix.
func (c *AdmitMember) Decode(r *Reader) { c.Member = r.Member() }

// SetReplicas says which members are to hold a group's replicas.
type SetReplicas struct {
	Route

	Group   uint32
	Members []string
}

// Append appends the encoded command.
func (c *SetReplicas) Append(dst []byte) []byte {
	dst = AppendUint(appendPrefix(dst, KindSetReplicas, c.Route), uint64(c.Group))
	dst = AppendUint(dst, uint64(len(c.Members)))
	for _, id := range c.Members {
		dst = AppendString(dst, id)
	}
	return dst
}

// Decode reads the body behind a prefix.
func (c *SetReplicas) Decode(r *Reader) {
	c.Group = r.Uint32()
	c.Members = c.Members[:0]
	for range r.Count(MaxMembers) {
		c.Members = append(c.Members, r.String())
	}
}
