package fsm

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// The rows of a partition, one page. Integers in keys are big endian, so that
// rows sort by number; a name or an id that ends a key needs no length.
//
//	c                                        counters: see counters
//	n  kind(1) name                          interned name -> id(4)
//	i  kind(1) id(4)                         interned name -> name
//	g  channel(4) group(4)                   a group of a channel: see groupRow
//	C  channel(4)                            a channel's settings: see command.AppendChannelSettings
//	q  queue(4)                              sub-queue: see queueRow
//	o  group(4) queue(4)                     cursor of a group in a sub-queue: see cursorRow
//	e  queue(4) position(8)                  event: see eventRow
//	a  group(4) queue(4) position(8)         job below the frontier, leased or ready: see jobRow
//	p  group(4) queue(4) position(8)         job set aside: delayed, in line behind its key or for a limit, parked, dead, canceled, lapsed: see jobRow
//	b  group(4) channel(4) tenant(4) digest(16) position(8)  a job in the line of its key -> queue(4)
//	z  group(4) channel(4) tenant(4) digest(16)  the key's holder -> position(uvarint)
//	r  group(4) queue(4) position(8)         edited data of a redriven job: see revisionRow
//	G  tenant(4)                             a tenant's settings: see tenantRow
//	v  group(4) queue(4) position(8)         void: at or above the frontier, to be skipped
//	Q  tenant(4) digest(16)                  a key of a limit that jobs share: see limitRow, with awayRow or homeRow
//	B  tenant(4) digest(16) position(8) group(4)  a job in its line -> queue(4)
//	E  due(8) tenant(4) digest(16)           its timer
//	t  due(8) group(4) queue(4) position(8)  timer of a job -> fence(uvarint) of its lease, 0 for a delay
//	d  bucket(4) tenant(4) digest(16)        idempotency: see dedupeRow
//	x  tenant(4) digest(16)                  client sequence -> last(uvarint)
//	l  tenant(4) digest(16) position(8)      an event named by its correlation id -> queue(4)
//	L  tenant(4) lineage(16)                 what is open of a lineage, see lineageID: see lineageRow
//	L  0(4) tenant(4) lineage(16)            how it was canceled: see cancelRow
//	U  tenant(4) client                      how much of a client's is open -> count(uvarint)
//	U  tenant(4)                             how many bytes of a tenant's are -> bytes(uvarint)
//	h  queue(4) position(8) fence(8)         history of an attempt: see attemptRow
//	k  queue(4) position(8) stream(8) seq(8) device  acknowledged notification: see ackRow
//	R  queue(4)                              what retention has deleted: see retainRow
//	I  queue(4) position(8)                  event that retention has passed by, because somebody has it in work
//	Z                                        how far the sweeps are: see sweepRow
//	s  tenant(4) client                      a client's stream: see streamRow
//	m  stream(8) seq(8)                      notification: see command.AppendNotification
//	y  target(4) number(8)                   relay to another partition -> bytes so far(uvarint), then command.AppendRelayRow
//	u  target(4)                             that relay as a whole: see outboxRow
//	w  source(4) epoch(4)                    relay from another partition -> last number applied(uvarint)
//	j  day(4) tenant(4) digest(16) stream(8) seq(8)  notification of another partition's event, by correlation id: see arrivalRow
//	j  … seq(8) device                       its acknowledgement: see ackRow
//	D  'd' number(4)                         a version of a workflow: see definitionRow
//	D  't' number(4)                         its definition, as canonical JSON
//	D  'n' number(4)                         how many runs of it are live -> count(uvarint), where there are any
//	A  tenant(4) name                        the aliases of a workflow: see workflowRow
//	X  tenant(4) ^position(8)                a run, by its event's position, the newest first: see runRow
//	J  tenant(4) digest(16) position(8)      a run that ends with its client's connection -> client
//	V  position(8)                           a run that is paused
//	O  position(8) what(1) …                 what is kept beside a run: see runOutput and those after it
//	T  due(8) what(1) …                      timer of a run, see keyRunTimer, or of what is kept for a time
//	Y  tenant(4) digest(16)                  a step's result that is used again -> expires(varint), payload
//	M  tenant(4) digest(16) 0                who waits for a message: see waiterRow
//	M  tenant(4) digest(16) 1 number(8)      a message that waits: see messageRow
//	S  's' tenant(4) id                       what a schedule says: see command.AppendSchedule
//	S  'i' tenant(4) id                       how far it is: see scheduleRow
//	f  channel(4) tenant(4) name             a named follower; tenant 0 is all of them -> position(uvarint), up to which all is handled
//
// Every row begins with a version byte (rowVersion); a reader refuses another.
const (
	kindCounters       = 'c'
	kindName           = 'n'
	kindNameOf         = 'i'
	kindGroup          = 'g'
	kindSettings       = 'C'
	kindQueue          = 'q'
	kindCursor         = 'o'
	kindEvent          = 'e'
	kindActive         = 'a'
	kindParked         = 'p'
	kindBlocked        = 'b'
	kindBusy           = 'z'
	kindLimit          = 'Q'
	kindInLine         = 'B'
	kindLimitTimer     = 'E'
	kindTenantSettings = 'G'
	kindRevision       = 'r'
	kindVoid           = 'v'
	kindTimer          = 't'
	kindDedupe         = 'd'
	kindSequence       = 'x'
	kindLineage        = 'l'
	kindOpen           = 'L'
	kindUnfinished     = 'U'
	kindAttempt        = 'h'
	kindAck            = 'k'
	kindStream         = 's'
	kindNotification   = 'm'
	kindRelay          = 'y'
	kindOutbox         = 'u'
	kindInbox          = 'w'
	kindArrival        = 'j'
	kindRetain         = 'R'
	kindIsland         = 'I'
	kindSweep          = 'Z'
	kindFollower       = 'f'
	kindDefinition     = 'D'
	kindAliases        = 'A'
	kindRun            = 'X'
	kindRunPart        = 'O'
	kindRunTimer       = 'T'
	kindBoundRun       = 'J'
	kindMemo           = 'Y'
	kindPausedRun      = 'V'
	kindMessage        = 'M'
	kindSchedule       = 'S'
)

// What the rows of a version of a workflow say of it. A run's start writes how many are
// live, and not the definition again.
const (
	definitionHead = 'd'
	definitionText = 't'
	definitionLive = 'n'
)

// What the rows of a schedule say of it: its times write how far it is, and not its input
// again.
const (
	scheduleSays = 's'
	scheduleIs   = 'i'
)

// rowVersion is the version byte of every row there is so far.
const rowVersion = 1

// Kinds of interned names.
const (
	nameChannel = 'c'
	nameGroup   = 'g'
	nameTenant  = 't'
)

// jobKey names one event in one group: the key of its job, wherever it stands.
type jobKey struct {
	group    uint32
	queue    uint32
	position uint64
}

// digest is the first 16 bytes of a SHA-256: a fixed-size name for strings
// that clients choose.
type digest [16]byte

func digestOf(parts ...string) digest {
	var room [256]byte
	text := room[:0]
	for _, part := range parts {
		text = appendU32(text, uint32(len(part))) //nolint:gosec // Bounded by MaxCommandBytes.
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return digest(sum[:16])
}

func appendU32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func appendU64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

func keyCounters(dst []byte) []byte { return append(dst, kindCounters) }

func keyName(dst []byte, kind byte, name string) []byte {
	return append(append(dst, kindName, kind), name...)
}

func keyNameOf(dst []byte, kind byte, id uint32) []byte {
	return appendU32(append(dst, kindNameOf, kind), id)
}

func keyGroup(dst []byte, channel, group uint32) []byte {
	return appendU32(appendU32(append(dst, kindGroup), channel), group)
}

func keySettings(dst []byte, channel uint32) []byte {
	return appendU32(append(dst, kindSettings), channel)
}

func keyQueue(dst []byte, queue uint32) []byte { return appendU32(append(dst, kindQueue), queue) }

func keyCursor(dst []byte, group, queue uint32) []byte {
	return appendU32(appendU32(append(dst, kindCursor), group), queue)
}

func keyEvent(dst []byte, queue uint32, position uint64) []byte {
	return keyPlace(dst, kindEvent, queue, position)
}

// keyJob is the key of a row of a job: kindActive, kindParked, kindRevision or
// kindVoid.
func keyJob(dst []byte, kind byte, key jobKey) []byte {
	dst = appendU32(appendU32(append(dst, kind), key.group), key.queue)
	return appendU64(dst, key.position)
}

// busyKeyBytes is the length of a key of keyBusy.
const busyKeyBytes = 1 + 3*4 + 16

func keyBusy(dst []byte, channel uint32, line keyLine) []byte {
	return appendLine(append(dst, kindBusy), channel, line)
}

func keyBlocked(dst []byte, channel uint32, line keyLine, position uint64) []byte {
	return appendU64(appendLine(append(dst, kindBlocked), channel, line), position)
}

func appendLine(dst []byte, channel uint32, line keyLine) []byte {
	dst = appendU32(appendU32(appendU32(dst, line.group), channel), line.tenant)
	return append(dst, line.of[:]...)
}

func keyLimit(dst []byte, id limitID) []byte { return appendLimitID(append(dst, kindLimit), id) }

// keyLimitLine begins the keys of those in a limit's line.
func keyLimitLine(dst []byte, id limitID) []byte { return appendLimitID(append(dst, kindInLine), id) }

func keyInLine(dst []byte, id limitID, position uint64, group uint32) []byte {
	return appendU32(appendU64(keyLimitLine(dst, id), position), group)
}

func keyLimitTimer(dst []byte, dueMS int64, id limitID) []byte {
	return appendLimitID(appendU64(append(dst, kindLimitTimer), uint64(dueMS)), id) //nolint:gosec // Due times are not negative.
}

func keyTenantSettings(dst []byte, tenant uint32) []byte {
	return appendU32(append(dst, kindTenantSettings), tenant)
}

func appendLimitID(dst []byte, id limitID) []byte {
	return append(appendU32(dst, id.tenant), id.of[:]...)
}

func keyTimer(dst []byte, dueMS int64, key jobKey) []byte {
	dst = appendU64(append(dst, kindTimer), uint64(dueMS)) //nolint:gosec // Due times are not negative.
	return appendU64(appendU32(appendU32(dst, key.group), key.queue), key.position)
}

func keyDedupe(dst []byte, bucket, tenant uint32, of digest) []byte {
	return append(appendU32(appendU32(append(dst, kindDedupe), bucket), tenant), of[:]...)
}

func keySequence(dst []byte, tenant uint32, of digest) []byte {
	return append(appendU32(append(dst, kindSequence), tenant), of[:]...)
}

func keyLineage(dst []byte, tenant uint32, of digest, position uint64) []byte {
	return appendU64(append(appendU32(append(dst, kindLineage), tenant), of[:]...), position)
}

// keyOpen is the key of what is open of a lineage, keyCanceled of how it was
// canceled: no tenant has the id 0.
func keyOpen(dst []byte, id lineageID) []byte {
	return append(appendU32(append(dst, kindOpen), id.tenant), id.of[:]...)
}

func keyCanceled(dst []byte, id lineageID) []byte {
	return append(appendU32(appendU32(append(dst, kindOpen), 0), id.tenant), id.of[:]...)
}

func keyUnfinished(dst []byte, tenant uint32, client string) []byte {
	return append(appendU32(append(dst, kindUnfinished), tenant), client...)
}

// keyPlace begins the keys of what belongs to an event: kindEvent, kindAttempt,
// kindAck or kindIsland.
func keyPlace(dst []byte, kind byte, queue uint32, position uint64) []byte {
	return appendU64(appendU32(append(dst, kind), queue), position)
}

func keyAttempt(dst []byte, queue uint32, position, fence uint64) []byte {
	return appendU64(keyPlace(dst, kindAttempt, queue, position), fence)
}

func keyAck(dst []byte, of command.EventID, stream, seq uint64, device string) []byte {
	return append(appendU64(appendU64(keyPlace(dst, kindAck, of.Queue, of.Position), stream), seq), device...)
}

func keyRetain(dst []byte, queue uint32) []byte { return appendU32(append(dst, kindRetain), queue) }

func keyStream(dst []byte, tenant uint32, client string) []byte {
	return append(appendU32(append(dst, kindStream), tenant), client...)
}

func keyNotification(dst []byte, stream, seq uint64) []byte {
	return appendU64(appendU64(append(dst, kindNotification), stream), seq)
}

func keyRelay(dst []byte, target uint32, number uint64) []byte {
	return appendU64(appendU32(append(dst, kindRelay), target), number)
}

func keyOutbox(dst []byte, target uint32) []byte { return appendU32(append(dst, kindOutbox), target) }

func keyInbox(dst []byte, source, epoch uint32) []byte {
	return appendU32(appendU32(append(dst, kindInbox), source), epoch)
}

func arrivalDay(dst []byte, day uint32) []byte { return appendU32(append(dst, kindArrival), day) }

func arrivalPrefix(dst []byte, day, tenant uint32, of digest) []byte {
	return append(appendU32(arrivalDay(dst, day), tenant), of[:]...)
}

// keyArrival ends a key that arrivalPrefix began.
func keyArrival(prefix []byte, stream, seq uint64) []byte {
	return appendU64(appendU64(prefix, stream), seq)
}

func keyFollower(dst []byte, channel, tenant uint32, name string) []byte {
	return append(appendU32(appendU32(append(dst, kindFollower), channel), tenant), name...)
}

// keyDefinition is the key of a row of a version: definitionHead, definitionText or
// definitionLive.
func keyDefinition(dst []byte, what byte, number uint32) []byte {
	return appendU32(append(dst, kindDefinition, what), number)
}

func keyAliases(dst []byte, tenant uint32, name string) []byte {
	return append(appendU32(append(dst, kindAliases), tenant), name...)
}

// keyRun is the key of a run.
func keyRun(dst []byte, tenant uint32, position uint64) []byte {
	return appendU64(appendU32(append(dst, kindRun), tenant), ^position)
}

// keyRunPart begins the keys of what is kept beside a run.
func keyRunPart(dst []byte, position uint64, what byte) []byte {
	return append(appendU64(append(dst, kindRunPart), position), what)
}

func keyRunEvent(dst []byte, position uint64, what byte, of command.EventID) []byte {
	return appendU64(appendU32(keyRunPart(dst, position, what), of.Queue), of.Position)
}

func keyUnknown(dst []byte, position uint64, step, iteration, item uint32) []byte {
	return appendU32(appendU32(appendU32(keyRunPart(dst, position, runUnknown), step), iteration), item)
}

// keyBound is the key of a run that is canceled when its client has gone.
func keyBound(dst []byte, tenant uint32, client string, position uint64) []byte {
	of := digestOf("client", client)
	return appendU64(append(appendU32(append(dst, kindBoundRun), tenant), of[:]...), position)
}

// keyDead is the key of the job that has died of a run's present step, or of its item.
func keyDead(dst []byte, position uint64, item uint32) []byte {
	return appendU32(keyRunPart(dst, position, runDead), item)
}

func keyPausedRun(dst []byte, position uint64) []byte {
	return appendU64(append(dst, kindPausedRun), position)
}

func keyMemo(dst []byte, tenant uint32, of digest) []byte {
	return append(appendU32(append(dst, kindMemo), tenant), of[:]...)
}

// keyWaiter is the key of who waits for a message, keyMessage of one that waits.
func keyWaiter(dst []byte, tenant uint32, of digest) []byte {
	return append(append(appendU32(append(dst, kindMessage), tenant), of[:]...), 0)
}

func keyMessage(dst []byte, tenant uint32, of digest, number uint64) []byte {
	return appendU64(append(append(appendU32(append(dst, kindMessage), tenant), of[:]...), 1), number)
}

// keySchedule is the key of a row of a schedule: scheduleSays or scheduleIs.
func keySchedule(dst []byte, what byte, tenant uint32, id string) []byte {
	return append(appendU32(append(dst, kindSchedule, what), tenant), id...)
}

// u32At is a number of a key, or of a value of fixed size. One that ends before
// it is damaged.
func u32At(b []byte, at int) uint32 {
	if at < 0 || len(b) < at+4 {
		invariants.Failf("a key or value of %d bytes has no number at byte %d", len(b), at)
	}
	return binary.BigEndian.Uint32(b[at:])
}

func u64At(b []byte, at int) uint64 {
	if at < 0 || len(b) < at+8 {
		invariants.Failf("a key or value of %d bytes has no number at byte %d", len(b), at)
	}
	return binary.BigEndian.Uint64(b[at:])
}

// readJobKey reads the group, queue and position that end a key.
func readJobKey(key []byte) jobKey {
	at := len(key) - 16
	return jobKey{group: u32At(key, at), queue: u32At(key, at+4), position: u64At(key, at+8)}
}

// after is the first key behind every key that begins with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
