package gateway

import (
	"context"
	"errors"

	"github.com/batonmq/baton/fsm/command"
)

// ErrNotFound is returned by Broker.Trace when the tenant has no such lineage.
var ErrNotFound = errors.New("gateway: no such lineage")

// Broker is what a gateway needs of the cluster behind it. Calls never block
// on the network; answers come through the sinks, from goroutines of the
// broker that must not be held up. The broker retries behind the caller's back
// through leader changes and lost links, in the order of the calls for each
// partition, for ten seconds; then a submission is answered with NoLeader
// (certainly not applied) or OutcomeUnknown.
type Broker interface {
	// Partitions is how many partitions the cluster has; 0 until it is formed.
	Partitions() uint32
	// Submit forwards one encoded command to the leader of partition. The bytes
	// are copied. to.Reply is called exactly once with slot.
	Submit(partition uint32, encoded []byte, to Replier, slot uint64)
	// SubmitLazy forwards a command nobody waits for (an Ack): it rides with
	// the partition's next entry, or starts one within a bounded time.
	SubmitLazy(partition uint32, encoded []byte)
	// Renew extends leases of one partition; to.Renewed is called once.
	Renew(partition uint32, leases []command.LeaseID, to Renewer, slot uint64)
	// Subscribe starts lending a worker's credit to every partition.
	Subscribe(spec SubscriptionSpec, sink JobSink) Subscription
	// Attach connects a socket to its client's stream.
	Attach(spec StreamSpec, sink StreamSink) Stream
	// AppendLease appends the token of a lease; ParseLease reads one, or
	// returns command.ErrBadLease.
	AppendLease(dst []byte, lease command.LeaseID) []byte
	ParseLease(token []byte) (command.LeaseID, error)
	// Trace is the lineage of a correlation id as JSON; ErrNotFound when no
	// event of the tenant has it. Status is the cluster as JSON.
	Trace(ctx context.Context, tenant, correlationID string) ([]byte, error)
	Status(ctx context.Context) ([]byte, error)
	// Ready is nil once the node belongs to a formed cluster and reaches the
	// leaders of meta and every partition; else an error that says what is
	// missing.
	Ready(ctx context.Context) error
	// Epoch is the epoch of a partition's streams, as clients see it.
	Epoch(partition uint32) string
	// ClientURLs are the client URLs of the cluster's members, this node's first.
	ClientURLs() []string
}

// Replier receives the answers of Submit. result and what it points to are
// valid only during the call.
type Replier interface {
	Reply(slot uint64, result *command.Result)
}

// Renewer receives the answer of Renew: for each lease in order, the term that
// begins now in milliseconds, 0 for a lease that is lost. A nil slice means that
// no leader could be asked in time: nothing is known.
type Renewer interface {
	Renewed(slot uint64, leases []command.LeaseID, termsMS []uint32)
}

// SubscriptionSpec is a worker's subscription.
type SubscriptionSpec struct {
	Channel string
	Group   string
	// Tenant limits the subscription to one tenant; empty means all.
	Tenant string
	// Worker is the name for the lineage.
	Worker string
	// LeaseMS is the lease asked for, 0 for the channel's.
	LeaseMS uint32
	// Credit is how many jobs may be outstanding.
	Credit uint32
}

// JobSink receives what is pushed to a subscription. Arguments are valid only
// during the call; calls for one subscription come one at a time.
type JobSink interface {
	// Job is a granted job, which counts against the credit until its lease
	// ends.
	Job(job *command.Job)
	// CancelJob asks the worker to stop. graceMS 0 means that the lease is
	// gone already, and its place in the credit free again.
	CancelJob(lease command.LeaseID, reason string, graceMS uint64)
}

// Subscription is a live subscription. Its methods never block.
type Subscription interface {
	// SetCredit sets how many jobs may be outstanding; 0 pauses.
	SetCredit(credit uint32)
	// End submits a command that ends a lease of this subscription (Complete,
	// Fail, Release); the lease's place in the credit opens with it.
	End(lease command.LeaseID, encoded []byte, to Replier, slot uint64)
	// Lost opens the place of a lease that a renewal found lost.
	Lost(lease command.LeaseID)
	// Close withdraws the credit. Jobs stay leased until they are ended,
	// released or their time is over; no call reaches the sink afterwards.
	Close()
}

// ResumeMode is how a socket wants its client's stream to begin.
type ResumeMode uint8

// The resume modes.
const (
	// ResumeCursor replays what follows the device's stored cursor.
	ResumeCursor ResumeMode = iota
	// ResumeSeq replays what follows StreamSpec.Seq of StreamSpec.Epoch.
	ResumeSeq
	// ResumeLive starts at the end.
	ResumeLive
)

// StreamSpec is a socket's wish for its client's stream.
type StreamSpec struct {
	Tenant   string
	ClientID string
	DeviceID string
	Resume   ResumeMode
	Epoch    string
	Seq      uint64
	// Window is how many notifications may be out and not acknowledged.
	Window uint32
	// Hold keeps deliveries back until Stream.Ready.
	Hold bool
}

// Resumed says how much of the wish could be granted.
type Resumed uint8

// What became of a resume.
const (
	// ResumedNone means that the stream begins where the cursor or the end is.
	ResumedNone Resumed = iota
	// ResumedFull means that everything after the wanted seq follows.
	ResumedFull
	// ResumedPartial means that a gap comes first.
	ResumedPartial
)

// StreamState answers Attach.
type StreamState struct {
	// Epoch, Head (the last seq given out, 0 for none) and Oldest (the first
	// retained, Head+1 when nothing is) are the stream's.
	Epoch   string
	Head    uint64
	Oldest  uint64
	Resumed Resumed
	// Reason is Done, or why the stream cannot be had now.
	Reason command.Reason
}

// StreamSink receives a client's stream. Calls for one stream come one at a
// time, in order: Attached once, then the rest. Arguments are valid only during
// the call. A leader change is invisible here: nothing comes twice.
type StreamSink interface {
	Attached(state StreamState)
	Notification(notification *command.Notification, redelivered bool)
	// Gap declares that seqs from "from" to "to" (both included) are not to be had.
	Gap(from, to uint64, reason string)
	// Synced says that the replay is over: live from seq.
	Synced(seq uint64)
}

// Stream is an attached stream. Its methods never block.
type Stream interface {
	// Ready lets deliveries begin after StreamSpec.Hold.
	Ready()
	// Ack moves the device's cursor to seq, and opens the window.
	Ack(seq uint64, delivered []command.Delivery)
	// Close detaches; no call reaches the sink afterwards.
	Close()
}
