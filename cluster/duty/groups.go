package duty

import "github.com/batonmq/baton/fsm"

// inGroups are the fresh events of an entry, counted for the group default, in
// each group of their channel for which somebody lends credit or work waits. Who
// lends has seen to it that the group exists, so the groups need not be asked of
// the state; of others it is enough to hear when work waits.
func (b *creditBook) inGroups(fresh []freshEvents) []freshEvents {
	for _, f := range fresh {
		for _, t := range b.channels[f.topic.channel] {
			if t.group != fsm.DefaultGroup {
				fresh = append(fresh, freshEvents{topic: t.topic, events: f.events})
			}
		}
	}
	return fresh
}

// leaveChannel forgets a topic among those of its channel.
func (b *creditBook) leaveChannel(t *topicBook) {
	left := b.channels[t.channel]
	for i, other := range left {
		if other == t {
			left[i] = left[len(left)-1]
			left = left[:len(left)-1]
			break
		}
	}
	if len(left) == 0 {
		delete(b.channels, t.channel)
		return
	}
	b.channels[t.channel] = left
}
