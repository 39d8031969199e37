package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// MaxEndNotices is how many events of a lineage, in the partition where it began,
// may ask to be told of its end; the publish of another one is refused.
const MaxEndNotices = 64

// lineageRow is what is open of a lineage in this partition. There is a row only
// while something is.
type lineageRow struct {
	// open counts the events that have not ended, in each group that had them when
	// they were stored.
	open uint64
	// failed and stopped tell that something of it failed, or was canceled.
	failed, stopped bool
	// publishers is whose lineage it is here: see addPublisher.
	publishers publishers
	client     string
	// parent is the partition whose event began the lineage here, and which is told
	// of its end; without one it began here.
	relayed bool
	parent  relaySource
	// targets are the partitions from which the end of events is awaited that were
	// sent there, in the order of their numbers.
	targets []relayTarget
	// notices are who is to be told of the end.
	notices []endNotice
}

// publishers says who published events of a lineage here.
type publishers uint8

const (
	// publishedByNobody: they came by relays alone.
	publishedByNobody publishers = 0
	publishedByOne    publishers = 1
	publishedBySome   publishers = 2
)

// relaySource is a partition that an event came from by a relay.
type relaySource struct{ partition, epoch uint32 }

// relayTarget counts the events that one partition was sent and that have not
// ended there.
type relayTarget struct {
	partition uint32
	open      uint64
}

// endNotice is one wish to be told of a lineage's end.
type endNotice struct {
	client, name string
	event        command.EventID
}

// The flags of a lineage's row.
const (
	lineageFailed  = 1
	lineageStopped = 2
	lineageRelayed = 4
)

// maxTargets bounds a row's targets: there are no more partitions.
const maxTargets = command.Slots

func (l *lineageRow) append(dst []byte) []byte {
	flags := byte(0)
	for _, flag := range []struct {
		set bool
		bit byte
	}{{l.failed, lineageFailed}, {l.stopped, lineageStopped}, {l.relayed, lineageRelayed}} {
		if flag.set {
			flags |= flag.bit
		}
	}
	dst = command.AppendUint(append(dst, rowVersion, flags), l.open)
	dst = command.AppendString(append(dst, byte(l.publishers)), l.client)
	if l.relayed {
		dst = command.AppendUint(command.AppendUint(dst, uint64(l.parent.partition)), uint64(l.parent.epoch))
	}
	if len(l.targets)+len(l.notices) == 0 {
		return dst
	}
	dst = command.AppendUint(dst, uint64(len(l.targets)))
	for _, t := range l.targets {
		dst = command.AppendUint(command.AppendUint(dst, uint64(t.partition)), t.open)
	}
	dst = command.AppendUint(dst, uint64(len(l.notices)))
	for i := range l.notices {
		n := &l.notices[i]
		dst = command.AppendString(command.AppendString(dst, n.client), n.name)
		dst = command.AppendEventID(dst, n.event)
	}
	return dst
}

func (l *lineageRow) read(value []byte) {
	r := openRow(value)
	flags := r.Byte()
	l.failed, l.stopped, l.relayed = flags&lineageFailed != 0, flags&lineageStopped != 0, flags&lineageRelayed != 0
	l.open = r.Uint()
	l.publishers, l.client = publishers(r.Byte()), r.String()
	if l.relayed {
		l.parent = relaySource{partition: r.Uint32(), epoch: r.Uint32()}
	}
	for range r.Count(maxTargets) {
		l.targets = append(l.targets, relayTarget{partition: r.Uint32(), open: r.Uint()})
	}
	for range r.Count(MaxEndNotices) {
		l.notices = append(l.notices, endNotice{client: r.String(), name: r.String(), event: r.EventID()})
	}
	closeRow(&r)
}

// outstanding tells whether the end of anything that was sent is awaited.
func (l *lineageRow) outstanding() bool { return len(l.targets) > 0 }

// addPublisher takes note of who published into the lineage, "" for nobody with a
// name.
func (l *lineageRow) addPublisher(client string) {
	switch {
	case l.publishers == publishedByNobody:
		l.publishers, l.client = publishedByOne, client
	case l.publishers == publishedByOne && l.client != client:
		l.publishers, l.client = publishedBySome, ""
	}
}

// of tells whether a client may cancel what is here, "" being everybody's master.
// A part of a lineage that came by relays alone is canceled by who cancels where
// it came from.
func (l *lineageRow) of(client string) bool {
	return client == "" || (l.publishers == publishedByOne && l.client == client)
}

// sharedWith tells whether somebody else than a client published here.
func (l *lineageRow) sharedWith(client string) bool {
	return client != "" && l.publishers != publishedByNobody && !l.of(client)
}

// sendTo counts an event that is sent to a partition, told one that has ended there;
// the latter returns false where none is awaited.
func (l *lineageRow) sendTo(partition uint32) {
	at, found := l.target(partition)
	if !found {
		l.targets = slices.Insert(l.targets, at, relayTarget{partition: partition})
	}
	l.targets[at].open++
}

func (l *lineageRow) told(partition uint32) bool {
	at, found := l.target(partition)
	if !found {
		return false
	}
	if l.targets[at].open--; l.targets[at].open == 0 {
		l.targets = slices.Delete(l.targets, at, at+1)
	}
	return true
}

func (l *lineageRow) target(partition uint32) (at int, found bool) {
	return slices.BinarySearchFunc(l.targets, partition, func(t relayTarget, partition uint32) int {
		return cmp.Compare(t.partition, partition)
	})
}

// cancelRow is how a lineage was canceled, for what it still does. There is a row
// only beside the lineage's own.
type cancelRow struct {
	client, reason string
	graceMS        uint64
}

func (c *cancelRow) append(dst []byte) []byte {
	dst = command.AppendString(command.AppendString(append(dst, rowVersion), c.client), c.reason)
	return command.AppendUint(dst, c.graceMS)
}

func (c *cancelRow) read(value []byte) {
	r := openRow(value)
	c.client, c.reason, c.graceMS = r.String(), r.String(), r.Uint()
	closeRow(&r)
}
