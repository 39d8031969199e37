package gateway

import (
	"context"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// ErrNotFound is returned by Broker.Trace when the tenant has no such lineage.
var ErrNotFound = cluster.ErrNotFound

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
	// Renew extends leases of one partition; where a tenant is named, another's are
	// lost. to.Renewed is called once.
	Renew(partition uint32, tenant string, leases []command.LeaseID, to Renewer, slot uint64)
	// Subscribe starts lending a worker's credit to every partition.
	Subscribe(spec SubscriptionSpec, sink JobSink) Subscription
	// EnsureGroup sees to it that every partition has a group of a channel, which
	// is made if it is new and the wish allows it; to.Reply is called once with slot,
	// when all have it or with the first refusal, maybe within the call.
	EnsureGroup(spec *GroupSpec, to Replier, slot uint64)
	// CancelLineage has every partition carry out an encoded command.CancelLineage;
	// to.Reply is called once with slot, when all have, maybe within the call.
	CancelLineage(encoded []byte, to Replier, slot uint64)
	// Attach connects a socket to its client's stream.
	Attach(spec StreamSpec, sink StreamSink) Stream
	// Follow starts to bring a socket the events of a channel. sink.Began is called
	// once, maybe within the call.
	Follow(spec FollowSpec, sink FollowSink) Follower
	// WriteTokens opens a worker's end of a token stream of a leased job; name is empty
	// for the event's first stream. Where a tenant is named, another's lease is lost.
	WriteTokens(lease command.LeaseID, name, tenant string) TokenWriter
	// ReadTokens begins to bring a socket a token stream. sink.Began is called once
	// where the stream was not announced, maybe within the call.
	ReadTokens(spec TokenSpec, sink cluster.TokenSink) TokenReader
	// AppendLease appends the token of a lease; ParseLease reads one, or
	// returns command.ErrBadLease.
	AppendLease(dst []byte, lease command.LeaseID) []byte
	ParseLease(token []byte) (command.LeaseID, error)
	// Trace is the lineage of a correlation id as JSON; ErrNotFound when no
	// event of the tenant has it. Status is the cluster as JSON.
	Trace(ctx context.Context, tenant, correlationID string) ([]byte, error)
	Status(ctx context.Context) ([]byte, error)
	// DeadLetters is a page of dead letters; cluster.ErrBadCursor for a cursor that
	// no page gave. DeadLettersOf are those of one event, with their data, and Event
	// is one event as JSON; ErrNotFound when there is none.
	DeadLetters(ctx context.Context, want *cluster.Letters) (*cluster.LettersPage, error)
	DeadLettersOf(ctx context.Context, tenant, group string, id command.EventID) ([]cluster.DeadLetter, error)
	Event(ctx context.Context, tenant string, id command.EventID) ([]byte, error)
	// Why is why an event waits as JSON; ErrNotFound when there is none.
	Why(ctx context.Context, tenant string, id command.EventID) ([]byte, error)
	// Client is whether a client is there, and how far it is; cluster.ErrNoClient where
	// nothing is known of it.
	Client(ctx context.Context, tenant, client string) (*cluster.Presence, error)
	// Broadcast notifies several clients; to.Reply is called once with slot, when all
	// are, maybe within the call.
	Broadcast(spec *cluster.BroadcastSpec, to Replier, slot uint64)
	// Channels are a tenant's channels, or one. ChannelSettings are a channel's
	// settings, SetChannel puts others in the place of those of a version; it is a
	// *cluster.RefusedError where there is another one.
	Channels(ctx context.Context, tenant, channel string) ([]cluster.ChannelState, error)
	ChannelSettings(ctx context.Context, channel string) (command.ChannelSettings, error)
	// TenantSettings and SetTenant are the same for what a tenant may use.
	TenantSettings(ctx context.Context, tenant string) (command.TenantSettings, error)
	SetTenant(ctx context.Context, tenant string, expect uint64, settings *command.TenantSettings) (version uint64, err error)
	SetChannel(ctx context.Context, channel string, expect uint64, settings *command.ChannelSettings) (version uint64, err error)
	// Workflows are a tenant's workflows behind a name, Workflow is one and Definition
	// what a version of it says; cluster.ErrNoWorkflow where there is none. PutWorkflow
	// keeps a version, SetAlias moves an alias and RemoveWorkflow removes a version, in
	// every partition; they are a *cluster.RefusedError where the state says no.
	Workflows(ctx context.Context, tenant, after string, limit int) ([]cluster.WorkflowSummary, error)
	Workflow(ctx context.Context, tenant, name string) (*cluster.Workflow, error)
	Definition(ctx context.Context, tenant, name, version string) (*cluster.KeptDefinition, error)
	PutWorkflow(ctx context.Context, put *command.PutWorkflow) (created bool, err error)
	SetAlias(ctx context.Context, set *command.SetAlias) error
	RemoveWorkflow(ctx context.Context, tenant, name, version string) error
	// Credentials are the tenants and API keys; ChangeCredentials has an encoded command
	// about them carried out. It is a *cluster.RefusedError where the state says no.
	Credentials(ctx context.Context) (cluster.Credentials, error)
	ChangeCredentials(ctx context.Context, encoded []byte) (command.Result, error)
	// Runs is a page of runs; cluster.ErrBadRunCursor for a cursor that no page gave. Run
	// is one, cluster.ErrNoRun where the tenant has none of that id. AwaitRun returns
	// when one has ended, or is none.
	Runs(ctx context.Context, want *cluster.Runs) (*cluster.RunsPage, error)
	Run(ctx context.Context, look *cluster.RunLook) (*cluster.RunInfo, error)
	AwaitRun(ctx context.Context, look *cluster.RunLook) error
	// Schedules is a page of schedules, Schedule is one, cluster.ErrNoSchedule where the
	// tenant has none of that id.
	Schedules(ctx context.Context, want *cluster.ScheduleQuery) (*cluster.SchedulesPage, error)
	Schedule(ctx context.Context, tenant, id string) (*cluster.ScheduleInfo, error)
	// Ready is nil once the node belongs to a formed cluster and reaches the
	// leaders of meta and every partition; else an error that says what is
	// missing.
	Ready(ctx context.Context) error
	// Epoch is the epoch of a partition's streams, as clients see it.
	Epoch(partition uint32) string
	// ClientURLs are the client URLs of the cluster's members, this node's first.
	ClientURLs() []string
}

// The words that a gateway and its broker share are the cluster's.
type (
	// Replier receives the answers of Submit.
	Replier = cluster.Replier
	// Renewer receives the answer of Renew.
	Renewer = cluster.Renewer
	// SubscriptionSpec is a worker's subscription.
	SubscriptionSpec = cluster.SubscriptionSpec
	// GroupSpec is a wish for a group of a channel.
	GroupSpec = cluster.GroupSpec
	// JobSink receives what is pushed to a subscription.
	JobSink = cluster.JobSink
	// Subscription is a live subscription.
	Subscription = cluster.Subscription
	// ResumeMode is how a socket wants its client's stream to begin.
	ResumeMode = cluster.ResumeMode
	// StreamSpec is a socket's wish for its client's stream.
	StreamSpec = cluster.StreamSpec
	// Resumed says how much of the wish could be granted.
	Resumed = cluster.Resumed
	// StreamState answers Attach.
	StreamState = cluster.StreamState
	// StreamSink receives a client's stream.
	StreamSink = cluster.StreamSink
	// Stream is an attached stream.
	Stream = cluster.Stream
	// FollowSpec is a socket's wish for the events of a channel.
	FollowSpec = cluster.FollowSpec
	// FollowSink receives the events of a followed channel.
	FollowSink = cluster.FollowSink
	// Follower is a follower's handle.
	Follower = cluster.Follower
	// TokenWriter is a worker's end of a token stream.
	TokenWriter = cluster.TokenWriter
	// TokenSpec is a socket's wish to read a token stream.
	TokenSpec = cluster.TokenSpec
	// TokenReader is a reader's handle.
	TokenReader = cluster.TokenReader
)

// The beginnings of a follower.
const (
	FollowNew      = cluster.FollowNew
	FollowEarliest = cluster.FollowEarliest
	FollowCursor   = cluster.FollowCursor
	FollowTime     = cluster.FollowTime
)

// The resume modes, and what became of them.
const (
	ResumeCursor   = cluster.ResumeCursor
	ResumeSeq      = cluster.ResumeSeq
	ResumeLive     = cluster.ResumeLive
	ResumedNone    = cluster.ResumedNone
	ResumedFull    = cluster.ResumedFull
	ResumedPartial = cluster.ResumedPartial
)
