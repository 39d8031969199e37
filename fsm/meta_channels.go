package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// MaxConfiguredChannels is how many channels of a cluster have settings of their
// own.
const MaxConfiguredChannels = 10_000

// ConfiguredChannel is a channel that has settings of its own.
type ConfiguredChannel struct {
	Channel  string
	Settings command.ChannelSettings
}

func findChannel(all []ConfiguredChannel, name string) (at int, found bool) {
	return slices.BinarySearchFunc(all, name, func(have ConfiguredChannel, name string) int {
		return cmp.Compare(have.Channel, name)
	})
}

// setChannel keeps a channel's settings, under the next version. Settings that
// were changed since they were read are not overwritten. A channel that had some
// keeps its row when they are taken back: the partitions have to learn of that too.
func (m *Meta) setChannel(tx *storage.Tx, out *Outcome, c *command.SetChannel) command.Result {
	if wrong := wrongSettings(c); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	at, found := findChannel(m.channels, c.Channel)
	var have uint64
	if found {
		have = m.channels[at].Settings.Version
	}
	switch {
	case len(c.Settings.DeadTo) > MaxNameBytes:
		return refuse(command.BadRequest, tooLong("dead letter channel", c.Settings.DeadTo))
	case m.comesBack(c):
		return refuse(command.BadRequest, fmt.Sprintf("dead letters of %s would come back to it by dead_letter_channel %s", c.Channel, c.Settings.DeadTo))
	case c.Expect != have:
		r := refuse(command.Sequence, fmt.Sprintf("the settings of channel %s have version %d, not %d: read them again", c.Channel, have, c.Expect))
		r.Offset = have
		return r
	case !found && len(m.channels) == MaxConfiguredChannels:
		return refuse(command.TooLarge, fmt.Sprintf("%d channels have settings of their own, no more can", MaxConfiguredChannels))
	}
	m.settingsVersion++
	configured := ConfiguredChannel{Channel: c.Channel, Settings: c.Settings}
	configured.Settings.Version = m.settingsVersion
	if found {
		m.channels[at] = configured
	} else {
		m.channels = slices.Insert(m.channels, at, configured)
	}
	row := command.AppendChannelSettings([]byte{rowVersion}, &configured.Settings)
	must(tx.Set(append([]byte{kindSettings}, c.Channel...), row))
	if out.effects {
		out.Configured = append(out.Configured, configured)
	}
	return command.Result{Offset: m.settingsVersion}
}

// comesBack tells whether a channel's dead letters would be told to itself, by way of
// other channels perhaps. No loop is there yet, so the way ends.
func (m *Meta) comesBack(c *command.SetChannel) bool {
	for to := c.Settings.DeadTo; to != ""; {
		if to == c.Channel {
			return true
		}
		at, found := findChannel(m.channels, to)
		if !found {
			return false
		}
		to = m.channels[at].Settings.DeadTo
	}
	return false
}

// wrongSettings says what is wrong with settings, empty when nothing is.
func wrongSettings(c *command.SetChannel) string {
	s := &c.Settings
	switch {
	case c.Channel == "":
		return "the settings lack a channel"
	case len(c.Channel) > MaxNameBytes:
		return tooLong("channel", c.Channel)
	case s.LeaseMS != 0 && (s.LeaseMS < MinLeaseMS || s.LeaseMS > MaxLeaseMS):
		return fmt.Sprintf("lease_ms must be between %d and %d", MinLeaseMS, MaxLeaseMS)
	case s.MaxAttempts > MaxAttemptsLimit || s.MaxLeaseLosses > MaxAttemptsLimit:
		return fmt.Sprintf("max_attempts and max_lease_losses must be at most %d", MaxAttemptsLimit)
	case s.BackoffMS > maxDelayMS || s.MaxBackoffMS > maxDelayMS:
		return "backoff_ms and max_backoff_ms must be at most 365 days"
	case s.RetentionMS > maxRetentionMS:
		return "retention_ms must be at most 100 years"
	case s.Order > command.OrderKey || s.OnDisconnect > command.LostRequeue || s.Retain > command.RetainNothing:
		return "order, on_disconnect or retain has a value that is not known"
	default:
		return ""
	}
}

func (m *Meta) loadChannels(view *storage.View) error {
	prefix := []byte{kindSettings}
	return view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		r := openRow(value)
		settings := r.ChannelSettings()
		closeRow(&r)
		m.channels = append(m.channels, ConfiguredChannel{Channel: string(key[1:]), Settings: settings})
		m.settingsVersion = max(m.settingsVersion, settings.Version)
		return true, nil
	})
}

// ReadChannelSettings reads a channel's settings in the meta group; zero where it
// has none.
func ReadChannelSettings(view *storage.View, channel string) (settings command.ChannelSettings, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(append([]byte{kindSettings}, channel...))
	if err != nil || !found {
		return settings, err
	}
	r := openRow(value)
	settings = r.ChannelSettings()
	closeRow(&r)
	return settings, nil
}
