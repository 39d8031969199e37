package fsm

import (
	"cmp"

	"github.com/batonmq/baton/fsm/command"
)

// configureChannel takes settings that are newer than those the channel has.
// They hold for what happens from then on: a lease keeps the term it was granted
// with.
func (m *Machine) configureChannel(c *command.ConfigureChannel) command.Result {
	switch {
	case c.Channel == "" || c.Settings.Version == 0:
		return refuse(command.BadRequest, "the settings lack a channel or a version")
	case len(c.Channel) > MaxNameBytes:
		return refuse(command.BadRequest, tooLong("channel", c.Channel))
	}
	ch := m.channelOf(m.intern(nameChannel, c.Channel, &m.counters.nextChannel))
	if ch.settings.Version >= c.Settings.Version {
		return command.Result{Duplicate: true, Offset: ch.settings.Version}
	}
	ch.settings = c.Settings
	value := command.AppendChannelSettings(append(m.scratch.value[:0], rowVersion), &ch.settings)
	m.set(keySettings(m.scratch.key[:0], ch.id), value)
	return command.Result{Offset: ch.settings.Version}
}

func (m *Machine) loadSettings(from reader) error {
	prefix := []byte{kindSettings}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		m.channels[u32At(key, 1)].settings = readSettings(value)
		return true, nil
	})
}

// readSettings reads a channel's row of settings.
func readSettings(value []byte) command.ChannelSettings {
	r := openRow(value)
	settings := r.ChannelSettings()
	closeRow(&r)
	return settings
}

// settingsOf are the settings of a job's channel.
func (m *Machine) settingsOf(j *job) *command.ChannelSettings {
	return &m.channels[j.cursor.turns.channel].settings
}

// maxFailures is how many failures a job may have: with the last one it is dead.
func maxFailures(s *command.ChannelSettings) uint32 { return cmp.Or(s.MaxAttempts, DefaultMaxAttempts) }
