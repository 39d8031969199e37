package cluster

// Bounds of a group's log.
const (
	// DefaultLogBytes is how large a group's log may grow between truncations, and how
	// much of it stays for slow followers: the numbers of entries shrink where entries
	// are large. It is counted by the mean size of entries, before compression.
	DefaultLogBytes = 64 << 20
	// minLogEntries stay however large they are: a follower that misses a heartbeat
	// or two must not need a snapshot.
	minLogEntries = 256
)

// logEntries are how many entries a group's log may grow by, and how many stay,
// when they have a mean size.
func (t Tuning) logEntries(mean uint64) (grow, stay uint64) {
	if mean == 0 {
		return t.SnapshotEntries, t.TrailingEntries
	}
	fit := max(t.LogBytes/mean, minLogEntries)
	return min(t.SnapshotEntries, fit), min(t.TrailingEntries, fit)
}

// boundLog has Raft truncate its log by bytes. Raft itself counts entries, and takes
// other numbers while it runs.
func (g *Group) boundLog() {
	grow, stay := g.config.tuning.withDefaults().logEntries(g.log.MeanBytes())
	have := g.raft.ReloadableConfig()
	if near(have.SnapshotThreshold, grow) && near(have.TrailingLogs, stay) {
		return
	}
	have.SnapshotThreshold, have.TrailingLogs = grow, stay
	if err := g.raft.ReloadConfig(have); err != nil {
		g.config.logger.Error("cannot bound the log", "group", g.config.id, "error", err)
	}
}

// near tells whether a number is within an eighth of another.
func near(have, want uint64) bool { return have-want/8 <= want && want <= have+want/8 }

// LogBytes is about how large the logs of this node's groups are together.
func (c *Cluster) LogBytes() (total uint64) {
	for _, g := range c.allGroups() {
		total += g.log.Entries() * g.log.MeanBytes()
	}
	return total
}
