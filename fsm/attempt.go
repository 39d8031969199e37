package fsm

import (
	"github.com/batonmq/baton/fsm/command"
)

// ending is how an attempt ended.
type ending uint8

const (
	endCompleted ending = 1
	endFailed    ending = 2
	endExpired   ending = 3
	endReleased  ending = 4
	// endFenced: a canceled job's worker did not stop within its grace.
	endFenced    ending = 5
	endThrottled ending = 6
	// endRedriven and endDiscarded are what became of a dead letter: see keepEnd.
	endRedriven  ending = 7
	endDiscarded ending = 8
)

// word is the ending's stable word, in lineages and for workers.
func (e ending) word() string {
	switch e {
	case endCompleted:
		return "completed"
	case endFailed:
		return "failed"
	case endExpired:
		return "expired"
	case endReleased:
		return "released"
	case endFenced:
		return "canceled"
	case endThrottled:
		return "throttled"
	case endRedriven:
		return LetterRedriven
	case endDiscarded:
		return LetterDiscarded
	default:
		return "unknown"
	}
}

// attemptRow is the history of one grant: what the lineage shows of it, and
// the kept answer of its ending, so that a repeated complete is answered as the
// first was.
type attemptRow struct {
	how                ending
	attempt            uint32
	group              uint32
	worker, node       string
	grantedMS, endedMS int64
	// code and message are a failure's.
	code, message string
	detail        []byte
	emitted       []command.EventID
	notified      []notifiedMark
	result        command.Payload
	usage         []byte
	relayed       []relayedMark
	// parkedMS is when the attempt was parked, in the row only where it was.
	parkedMS int64
}

// relayedMark names what an attempt sent to another partition: a notification,
// or an event where it has no name and client.
type relayedMark struct {
	target       uint32
	client, name string
}

// notifiedMark names a notification that an attempt made.
type notifiedMark struct {
	client string
	stream uint64
	seq    uint64
	name   string
}

func (a *attemptRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion, byte(a.how))
	dst = command.AppendUint(dst, uint64(a.attempt))
	dst = command.AppendUint(dst, uint64(a.group))
	dst = command.AppendString(dst, a.worker)
	dst = command.AppendString(dst, a.node)
	dst = command.AppendInt(dst, a.grantedMS)
	dst = command.AppendInt(dst, a.endedMS)
	dst = command.AppendString(dst, a.code)
	dst = command.AppendString(dst, a.message)
	dst = command.AppendString(dst, a.detail)
	dst = command.AppendUint(dst, uint64(len(a.emitted)))
	for _, id := range a.emitted {
		dst = command.AppendEventID(dst, id)
	}
	dst = command.AppendUint(dst, uint64(len(a.notified)))
	for i := range a.notified {
		n := &a.notified[i]
		dst = command.AppendString(dst, n.client)
		dst = command.AppendUint(dst, n.stream)
		dst = command.AppendUint(dst, n.seq)
		dst = command.AppendString(dst, n.name)
	}
	dst = command.AppendPayload(dst, a.result)
	dst = command.AppendString(dst, a.usage)
	dst = command.AppendUint(dst, uint64(len(a.relayed)))
	for i := range a.relayed {
		dst = command.AppendUint(dst, uint64(a.relayed[i].target))
		dst = command.AppendString(dst, a.relayed[i].client)
		dst = command.AppendString(dst, a.relayed[i].name)
	}
	if a.parkedMS != 0 {
		dst = command.AppendInt(dst, a.parkedMS)
	}
	return dst
}

// readAttempt reads a row; payloads alias value.
func readAttempt(value []byte) attemptRow {
	r := openRow(value)
	a := attemptRow{
		how: ending(r.Byte()), attempt: r.Uint32(), group: r.Uint32(),
		worker: r.String(), node: r.String(), grantedMS: r.Int(), endedMS: r.Int(),
		code: r.String(), message: r.String(), detail: r.Bytes(),
	}
	for range r.Count(command.MaxEmits) {
		a.emitted = append(a.emitted, r.EventID())
	}
	for range r.Count(command.MaxNotifies) {
		a.notified = append(a.notified, notifiedMark{client: r.String(), stream: r.Uint(), seq: r.Uint(), name: r.String()})
	}
	a.result = r.Payload()
	a.usage = r.Bytes()
	for range r.Count(command.MaxEmits + command.MaxNotifies) {
		a.relayed = append(a.relayed, relayedMark{target: r.Uint32(), client: r.String(), name: r.String()})
	}
	a.parkedMS = r.Int()
	closeRow(&r)
	return a
}

// attempt is the history of one grant, if it ended.
func (m *Machine) attempt(of command.EventID, fence uint64) (attemptRow, bool) {
	value, found := m.get(keyAttempt(m.scratch.key[:0], of.Queue, of.Position, fence))
	if !found {
		return attemptRow{}, false
	}
	return readAttempt(value), true
}
