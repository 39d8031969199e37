package wire

// Words of ChannelSettings.
const (
	OrderNone = "none"
	OrderKey  = "key"

	DisconnectWait    = "wait"
	DisconnectRequeue = "requeue"

	RetainUnfinished = "unfinished"
	RetainNothing    = "nothing"
)

// ChannelSettings are a channel's policies, over HTTP. A field that is null or
// left out is not said: as it was in a PATCH, the default in a PUT. Answers have
// every field. Times are milliseconds, sizes bytes.
type ChannelSettings struct {
	// LeaseMS is a lease's term where the worker asks for none, 100 to 43200000.
	LeaseMS *uint64 `json:"lease_ms,omitempty"`
	// MaxAttempts is how many failures a job may have, MaxLeaseLosses how many
	// leases may be lost on it, 0 for any number; 1000000 at most.
	MaxAttempts    *uint64 `json:"max_attempts,omitempty"`
	MaxLeaseLosses *uint64 `json:"max_lease_losses,omitempty"`
	// BackoffMS is the delay after the first failure, which doubles up to
	// MaxBackoffMS.
	BackoffMS    *uint64 `json:"backoff_ms,omitempty"`
	MaxBackoffMS *uint64 `json:"max_backoff_ms,omitempty"`
	// Order is none or key: one event of a key in work at a time in each group.
	Order *string `json:"order,omitempty"`
	// OnDisconnect is wait or requeue: what becomes of the jobs of a worker whose
	// socket is lost.
	OnDisconnect *string `json:"on_disconnect,omitempty"`
	// FanOut means that the events are for followers and for groups that are made:
	// the group default does not work on them.
	FanOut *bool `json:"fan_out,omitempty"`
	// RetentionMS and RetentionBytes (of each partition, 0 for any size) are how long
	// and how much is kept.
	RetentionMS    *uint64 `json:"retention_ms,omitempty"`
	RetentionBytes *uint64 `json:"retention_bytes,omitempty"`
	// Retain is unfinished or nothing: what retention keeps in spite of its limits.
	Retain *string `json:"retain,omitempty"`
	// DeadLetterChannel is told of events that the group default gave up, by an event for
	// each; empty for none.
	DeadLetterChannel *string `json:"dead_letter_channel,omitempty"`
	// Groups are groups to make, and where they begin: earliest or new.
	Groups map[string]string `json:"groups,omitempty"`
}

// Channel is a channel as a node shows it.
type Channel struct {
	Channel string `json:"channel"`
	// Version counts changes of settings in the cluster; 0 where the channel has
	// none of its own.
	Version  uint64           `json:"version"`
	Settings *ChannelSettings `json:"settings,omitempty"`
	// Stored is how many events of the tenant were ever stored.
	Stored uint64 `json:"stored"`
	// Kept is how many of them retention has left, Bytes how large those are in each
	// replica.
	Kept   uint64         `json:"kept"`
	Bytes  uint64         `json:"bytes"`
	Groups []ChannelGroup `json:"groups"`
}

// ChannelGroup is the work of a tenant in one group of a channel.
type ChannelGroup struct {
	Group   string `json:"group"`
	Waiting uint64 `json:"waiting"`
	Leased  uint64 `json:"leased"`
}

// Channels is a list of channels, without their settings.
type Channels struct {
	Channels []Channel `json:"channels"`
}
