package command

// LeaderStart raises the generation: the first command of a new leader. Its
// duties begin when it is applied on the leader itself.
type LeaderStart struct {
	Route

	// Node is the new leader.
	Node string
	// Partition, Partitions and Epoch are this group's place in the cluster;
	// the first LeaderStart fixes them, a later one must agree.
	Partition  uint32
	Partitions uint32
	Epoch      uint32
}

// Append appends the encoded command.
func (c *LeaderStart) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindLeaderStart, c.Route), c.Node)
	dst = AppendUint(dst, uint64(c.Partition))
	dst = AppendUint(dst, uint64(c.Partitions))
	return AppendUint(dst, uint64(c.Epoch))
}

// Decode reads the body behind a prefix.
func (c *LeaderStart) Decode(r *Reader) {
	c.Node = r.String()
	c.Partition = r.Uint32()
	c.Partitions = r.Uint32()
	c.Epoch = r.Uint32()
}

// Expire takes leases away whose time is over, as the leader of Generation saw
// it. Each is checked again in apply: same fence, or nothing happens.
type Expire struct {
	Route

	Generation uint64
	Leases     []LeaseID
}

// Append appends the encoded command.
func (c *Expire) Append(dst []byte) []byte {
	dst = AppendUint(appendPrefix(dst, KindExpire, c.Route), c.Generation)
	return appendLeases(dst, c.Leases)
}

// Decode reads the body behind a prefix.
func (c *Expire) Decode(r *Reader) {
	c.Generation = r.Uint()
	c.Leases = r.leases(c.Leases[:0])
}
