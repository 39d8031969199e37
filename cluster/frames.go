package cluster

import (
	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm/command"
)

// Frames between nodes, one page. A frame is kind(1), group(uvarint),
// generation(uvarint), then the fields below; see command for strings and the
// rest. group is 0 for meta and partition+1 for a partition.
//
//	ask          seq op(1) subscription body...      edge -> leader
//	lazy         body...                             edge -> leader
//	answer       seq status(1) body...               leader -> edge
//	lead         leader(string)                      leader -> all
//	register     subscription channel group tenant worker lease_ms credit held{LeaseID} ordinal
//	lend         subscription credit                 edge -> leader
//	recall       subscription credit                 edge -> leader
//	unregister   subscription                        edge -> leader
//	registered   subscription ordinal                leader -> edge
//	want         subscription                        leader -> edge
//	returned     subscription credit                 leader -> edge
//	job          subscription job                    leader -> edge
//	canceljob    subscription LeaseID reason grace   leader -> edge
//	attach       stream tenant client device from(1) epoch seq acked window again synced hold
//	streamready  stream                              edge -> leader
//	acked        stream seq                          edge -> leader
//	detach       stream                              edge -> leader
//	attached     stream head oldest next resumed(1)  leader -> edge
//	notify       stream redelivered notification     leader -> edge
//	gap          stream from to reason               leader -> edge
//	synced       stream seq                          leader -> edge
//	follow       follower tenant channel after told events   edge -> leader
//	unfollow     follower                            edge -> leader
//	events       follower after trimmed {followed}   leader -> edge
//
// Frames of token streams go over the connections for chunks, and may be lost:
//
//	write        source LeaseID name kind(1) offset base final data tenant   edge -> leader
//	took         source status(1) end                leader -> edge
//	read         reader turn EventID name fence attempt offset done settled   edge -> leader
//	unread       reader                              edge -> leader
//	piece        reader turn fence attempt offset kind(1) final gone correlation data   leader -> edge
//	announce     tenant client EventID name          leader -> leader of the client's stream
//	announced    stream EventID name                 that leader -> edge
type frameKind byte

const (
	frameAsk frameKind = iota + 1
	frameLazy
	frameAnswer
	frameLead
	frameRegister
	frameLend
	frameRecall
	frameUnregister
	frameRegistered
	frameWant
	frameReturned
	frameJob
	frameCancelJob
	frameAttach
	frameStreamReady
	frameAcked
	frameDetach
	frameAttached
	frameNotify
	frameGap
	frameSynced
	frameFollow
	frameUnfollow
	frameEvents
	frameWrite
	frameTook
	frameRead
	frameUnread
	framePiece
	frameAnnounce
	frameAnnounced
)

// op is what an ask asks for.
type op byte

const (
	// opCommand: body is an encoded command, the answer's a Result.
	opCommand op = iota + 1
	// opRenew: body is leases and the tenant whose they must be, the answer's a term in milliseconds for each.
	opRenew
	// opTrace: body is tenant and correlation id, the answer's a JSON lineage.
	opTrace
	// opLetters: body is a query of dead letters, the answer's a JSON page.
	opLetters
	// opEvent: body is tenant and event id, the answer's a JSON event or null.
	opEvent
	// opMembers is of the meta group: the answer is a JSON list of members.
	opMembers
	// opSettings is of the meta group: body is a channel, the answer's its
	// settings as JSON.
	opSettings
	// opChannels: body is tenant and channel or nothing, the answer's a JSON list of
	// channels.
	opChannels
	// opFollow: body is FollowStart(1) tenant channel time, the answer's the position
	// behind which a follower begins, and up to which events are deleted.
	opFollow
	// opCredentials is of the meta group: body is the version that is known, the
	// answer's what has changed since, as JSON.
	opCredentials
	// opClient: body is tenant and client, the answer's a JSON Presence.
	opClient
	// opWorkflows is of the meta group: body is tenant, the name behind which to begin and
	// how many at most, the answer's a JSON list of WorkflowSummary.
	opWorkflows
	// opWorkflow is of the meta group: body is tenant and name, the answer's a JSON Workflow
	// or null.
	opWorkflow
	// opDefinition is of the meta group: body is tenant, name and version, the answer's a
	// JSON KeptDefinition or null.
	opDefinition
	// opDefinitions: the answer is a JSON list of the WorkflowParts that a partition has.
	opDefinitions
	// opWhy: body is tenant and event id, the answer's a JSON Why or null.
	opWhy
	// opRun: body is tenant, run and whether briefly, the answer's a JSON run or null.
	opRun
	// opRuns: body is a query of runs, the answer's a JSON page.
	opRuns
	// opRunEnd: body is tenant, run and for how many milliseconds to wait for its end at
	// most, the answer's whether it has ended(1).
	opRunEnd
	// opTenant is of the meta group: body is a tenant, the answer's its settings as JSON.
	opTenant
	// opSchedule: body is tenant and id, the answer's a JSON schedule or null.
	opSchedule
	// opSchedules: body is a query of schedules, the answer's a JSON page.
	opSchedules
)

// status is how an ask was answered.
type status byte

const (
	// statusDone: the body is the answer.
	statusDone status = iota + 1
	// statusNotLeader: certainly not applied; ask the leader, or ask again.
	statusNotLeader
	// statusUnknown: it may or may not be applied; ask again.
	statusUnknown
	// statusOverloaded: certainly not applied; the leader's queue is full.
	statusOverloaded
)

func appendFrame(dst []byte, kind frameKind, group uint32, generation uint64) []byte {
	dst = append(dst, byte(kind))
	dst = command.AppendUint(dst, uint64(group))
	return command.AppendUint(dst, generation)
}

// frame is the head of a received frame, with a reader at its fields.
type frame struct {
	command.Reader

	kind       frameKind
	group      uint32
	generation uint64
}

func readFrame(data []byte) frame {
	f := frame{Reader: command.NewReader(data)}
	f.kind = frameKind(f.Byte())
	f.group = f.Uint32()
	f.generation = f.Uint()
	return f
}

func appendRegistration(dst []byte, r *duty.Registration) []byte {
	dst = command.AppendUint(dst, r.Subscription)
	dst = command.AppendString(dst, r.Channel)
	dst = command.AppendString(dst, r.Group)
	dst = command.AppendString(dst, r.Tenant)
	dst = command.AppendString(dst, r.Worker)
	dst = command.AppendUint(dst, uint64(r.LeaseMS))
	dst = command.AppendUint(dst, uint64(r.Credit))
	return command.AppendUint(appendLeaseIDs(dst, r.Held), r.Ordinal)
}

func readRegistration(f *frame, node string) duty.Registration {
	return duty.Registration{
		Node: node, Subscription: f.Uint(), Channel: f.String(), Group: f.String(), Tenant: f.String(),
		Worker: f.String(), LeaseMS: f.Uint32(), Credit: f.Uint32(), Held: readLeaseIDs(&f.Reader), Ordinal: f.Uint(),
	}
}

// maxHeldLeases bounds the leases that one frame lists: a subscription's credit.
const maxHeldLeases = 1 << 20

func appendLeaseIDs(dst []byte, ids []command.LeaseID) []byte {
	dst = command.AppendUint(dst, uint64(len(ids)))
	for _, id := range ids {
		dst = command.AppendLeaseID(dst, id)
	}
	return dst
}

func readLeaseIDs(r *command.Reader) []command.LeaseID {
	count := r.Count(maxHeldLeases)
	ids := make([]command.LeaseID, 0, count)
	for range count {
		ids = append(ids, r.LeaseID())
	}
	return ids
}

func appendAttachment(dst []byte, a *duty.Attachment) []byte {
	dst = command.AppendUint(dst, a.Stream)
	dst = command.AppendString(dst, a.Tenant)
	dst = command.AppendString(dst, a.ClientID)
	dst = command.AppendString(dst, a.DeviceID)
	dst = append(dst, byte(a.From))
	dst = command.AppendString(dst, a.Epoch)
	dst = command.AppendUint(dst, a.Seq)
	dst = command.AppendUint(dst, a.Acked)
	dst = command.AppendUint(dst, uint64(a.Window))
	dst = command.AppendBool(dst, a.Again)
	dst = command.AppendBool(dst, a.Synced)
	return command.AppendBool(dst, a.Hold)
}

func readAttachment(f *frame, node string) duty.Attachment {
	return duty.Attachment{
		Node: node, Stream: f.Uint(), Tenant: f.String(), ClientID: f.String(), DeviceID: f.String(),
		From: duty.From(f.Byte()), Epoch: f.String(), Seq: f.Uint(), Acked: f.Uint(), Window: f.Uint32(),
		Again: f.Bool(), Synced: f.Bool(), Hold: f.Bool(),
	}
}
