package command

// ChannelOrder is what a channel's workers may do side by side. Numbers are for
// ever: they are kept in state.
type ChannelOrder uint8

// The orders of a channel.
const (
	// OrderNone: any events are worked on side by side.
	OrderNone ChannelOrder = 0
	// OrderKey: of the events of one key, one at a time is in work in each group,
	// in the order in which they were stored, retries included.
	OrderKey ChannelOrder = 1
)

// LostWorker is what becomes of a worker's jobs when its socket is lost.
type LostWorker uint8

// What may become of them.
const (
	// LostWait: they stay leased, the worker may come back or the leases end.
	LostWait LostWorker = 0
	// LostRequeue: they are lost at once, as if their leases had ended.
	LostRequeue LostWorker = 1
)

// RetainPolicy is what retention does with events that somebody has still to
// work on.
type RetainPolicy uint8

// The policies of retention.
const (
	// RetainUnfinished keeps them, and all behind them.
	RetainUnfinished RetainPolicy = 0
	// RetainNothing deletes them: whoever has not worked on them by then, never
	// will.
	RetainNothing RetainPolicy = 1
)

// ChannelSettings are a channel's policies. A field that is zero has the value of
// a channel without settings.
type ChannelSettings struct {
	// Version is the meta group's count of changes; a higher one is the newer.
	Version uint64
	// LeaseMS is a lease's term where the worker asks for none.
	LeaseMS uint32
	// MaxAttempts is how many failures a job may have, MaxLeaseLosses how many
	// leases may be lost on it; 0 of those is any number.
	MaxAttempts, MaxLeaseLosses uint32
	// BackoffMS is the delay after the first failure; it doubles up to MaxBackoffMS.
	BackoffMS, MaxBackoffMS uint64
	Order                   ChannelOrder
	OnDisconnect            LostWorker
	// FanOut means that nobody works on the channel's events as the group default:
	// they are for followers, and for other groups.
	FanOut bool
	// RetentionMS and RetentionBytes are how long, and how much, done events are
	// kept in each partition.
	RetentionMS, RetentionBytes uint64
	Retain                      RetainPolicy
	// DeadTo is the channel that is told of jobs of the group default that have failed for
	// good, with an event for each; empty for none.
	DeadTo string
}

// AppendChannelSettings appends the settings' fields in their order.
func AppendChannelSettings(dst []byte, s *ChannelSettings) []byte {
	dst = AppendUint(dst, s.Version)
	for _, v := range []uint32{s.LeaseMS, s.MaxAttempts, s.MaxLeaseLosses} {
		dst = AppendUint(dst, uint64(v))
	}
	dst = AppendUint(AppendUint(dst, s.BackoffMS), s.MaxBackoffMS)
	dst = append(dst, byte(s.Order), byte(s.OnDisconnect))
	dst = AppendBool(dst, s.FanOut)
	dst = AppendUint(AppendUint(dst, s.RetentionMS), s.RetentionBytes)
	dst = append(dst, byte(s.Retain))
	if s.DeadTo != "" {
		dst = AppendString(dst, s.DeadTo)
	}
	return dst
}

// ChannelSettings reads what AppendChannelSettings wrote.
func (r *Reader) ChannelSettings() ChannelSettings {
	return ChannelSettings{
		Version: r.Uint(), LeaseMS: r.Uint32(), MaxAttempts: r.Uint32(), MaxLeaseLosses: r.Uint32(),
		BackoffMS: r.Uint(), MaxBackoffMS: r.Uint(),
		Order: ChannelOrder(r.Byte()), OnDisconnect: LostWorker(r.Byte()), FanOut: r.Bool(),
		RetentionMS: r.Uint(), RetentionBytes: r.Uint(), Retain: RetainPolicy(r.Byte()),
		DeadTo: r.String(),
	}
}

// ConfigureChannel brings a channel's settings to a partition. Settings of a
// version that the partition has, or of an older one, change nothing; the answer
// is a duplicate then.
type ConfigureChannel struct {
	Route

	Channel  string
	Settings ChannelSettings
}

// Append appends the encoded command.
func (c *ConfigureChannel) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindConfigureChannel, c.Route), c.Channel)
	return AppendChannelSettings(dst, &c.Settings)
}

// Decode reads the body behind a prefix.
func (c *ConfigureChannel) Decode(r *Reader) {
	c.Channel = r.String()
	c.Settings = r.ChannelSettings()
}

// SetChannel keeps a channel's settings in the meta group, from where every
// partition gets them. The answer's Offset is their version.
type SetChannel struct {
	Route

	Channel string
	// Expect is the version that they replace: another one there is refused. 0 is
	// for a channel that has none yet.
	Expect   uint64
	Settings ChannelSettings
}

// Append appends the encoded command.
func (c *SetChannel) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindSetChannel, c.Route), c.Channel)
	return AppendChannelSettings(AppendUint(dst, c.Expect), &c.Settings)
}

// Decode reads the body behind a prefix.
func (c *SetChannel) Decode(r *Reader) {
	c.Channel = r.String()
	c.Expect = r.Uint()
	c.Settings = r.ChannelSettings()
}
