package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// MaxListedChannels is how many channels one partition lists.
const MaxListedChannels = 10_000

// ChannelState is what one partition has of a channel, for one tenant.
type ChannelState struct {
	Channel string `json:"channel"`
	// Stored is how many events ever were.
	Stored uint64 `json:"stored"`
	// Kept is how many retention has not deleted or passed by, Bytes how large they
	// are in each replica.
	Kept  uint64 `json:"kept"`
	Bytes uint64 `json:"bytes"`
	// Settings is the version of the channel's settings here, 0 for none.
	Settings uint64         `json:"settings,omitempty"`
	Groups   []ChannelGroup `json:"groups"`
}

// ChannelGroup is the work of one group of a channel.
type ChannelGroup struct {
	Group string `json:"group"`
	// Waiting is what waits for credit, Leased what workers hold.
	Waiting uint64 `json:"waiting"`
	Leased  uint64 `json:"leased"`
}

// ReadChannels reads a channel as a tenant sees it, or all channels that have
// events of the tenant where none is named, by name.
func ReadChannels(view *storage.View, tenant, channel string) (states []ChannelState, err error) {
	defer invariants.Recover(&err)
	l, err := newLetterReader(view)
	if err != nil {
		return nil, err
	}
	c := &channelReader{lineageReader: l, states: make(map[uint32]*ChannelState)}
	if c.of, err = lookUpTenant(view, tenant); err != nil {
		return nil, err
	}
	if channel != "" {
		id, err := lookUpName(view, nameChannel, channel)
		if err != nil || id == 0 {
			return nil, err
		}
		c.only = id
		if _, err := c.state(id); err != nil {
			return nil, err
		}
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	for _, state := range c.states {
		states = append(states, *state)
	}
	slices.SortFunc(states, func(a, b ChannelState) int { return cmp.Compare(a.Channel, b.Channel) })
	return states[:min(len(states), MaxListedChannels)], c.names.err
}

// channelReader adds up the sub-queues of channels.
type channelReader struct {
	*lineageReader

	// of is the tenant, only the one channel that is asked for, 0 for all.
	of, only uint32
	states   map[uint32]*ChannelState
}

func (c *channelReader) read() error {
	type subQueue struct {
		id  uint32
		row queueRow
	}
	var queues []subQueue
	prefix := []byte{kindQueue}
	err := c.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		q := subQueue{id: u32At(key, 1)}
		q.row.read(value)
		if q.row.tenant == c.of && (c.only == 0 || c.only == q.row.channel) {
			queues = append(queues, q)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for i := range queues {
		if err := c.add(queues[i].id, &queues[i].row); err != nil {
			return err
		}
	}
	return nil
}

// state is a channel's, with its groups, begun when it is first met.
func (c *channelReader) state(id uint32) (*ChannelState, error) {
	if state := c.states[id]; state != nil {
		return state, nil
	}
	state := &ChannelState{Channel: c.names.text(nameChannel, id)}
	prefix := appendU32([]byte{kindGroup}, id)
	err := c.view.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		state.Groups = append(state.Groups, ChannelGroup{Group: c.names.text(nameGroup, u32At(key, 5))})
		c.groups[id] = append(c.groups[id], u32At(key, 5))
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	value, found, err := c.view.Get(keySettings(nil, id))
	if found {
		r := openRow(value)
		settings := r.ChannelSettings()
		state.Settings = settings.Version
	}
	c.states[id] = state
	return state, err
}

// add adds a sub-queue to its channel.
func (c *channelReader) add(id uint32, q *queueRow) error {
	state, err := c.state(q.channel)
	if err != nil {
		return err
	}
	gone, err := readRetained(c.view, id)
	if err != nil {
		return err
	}
	state.Stored += q.enqueued
	state.Kept += q.enqueued - gone.events
	state.Bytes += q.bytes - min(q.bytes, gone.bytes)
	for i, group := range c.groups[q.channel] {
		if err := c.addWork(&state.Groups[i], group, id, q); err != nil {
			return err
		}
	}
	return nil
}

func (c *channelReader) addWork(to *ChannelGroup, group, queue uint32, q *queueRow) error {
	var cursor cursorRow
	value, found, err := c.view.Get(keyCursor(nil, group, queue))
	if err != nil {
		return err
	}
	if found {
		cursor.read(value)
	}
	to.Waiting += q.enqueued - cursor.consumed
	prefix := appendU32(appendU32([]byte{kindActive}, group), queue)
	return c.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		var j jobRow
		if j.read(value); j.state == jobLeased {
			to.Leased++
		} else {
			to.Waiting++
		}
		return true, nil
	})
}

// EffectiveSettings are settings with the values that zero fields stand for.
func EffectiveSettings(s command.ChannelSettings) command.ChannelSettings {
	s.LeaseMS = cmp.Or(s.LeaseMS, DefaultLeaseMS)
	s.MaxAttempts = maxFailures(&s)
	s.BackoffMS = cmp.Or(s.BackoffMS, uint64(DefaultBackoff.Milliseconds()))                            //nolint:gosec // It is positive.
	s.MaxBackoffMS = max(s.BackoffMS, cmp.Or(s.MaxBackoffMS, uint64(DefaultMaxBackoff.Milliseconds()))) //nolint:gosec // It is positive.
	s.RetentionMS = cmp.Or(s.RetentionMS, DefaultRetentionMS)
	return s
}
