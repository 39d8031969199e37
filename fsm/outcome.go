package fsm

import "github.com/batonmq/baton/fsm/command"

// Outcome is what an entry did: the answers to its commands, and what its
// leader has to act on after the commit. Followers fill in Results only.
type Outcome struct {
	effects bool

	// Results answer the entry's commands, in order.
	Results []command.Result
	// Grants are the jobs to push to workers.
	Grants []Grant
	// Leftover is the credit of the entry's offers that was not used.
	Leftover []command.Offer
	// Ended are the leases that are over, or parked, for the lease clock.
	Ended []Ended
	// Canceling are leased jobs whose workers are to be told to stop.
	Canceling []Canceling
	// Notified are new notifications for attached clients.
	Notified []Notified
	// Acked are cursors that moved.
	Acked []Acked
	// Backlogs are the groups whose waiting work changed, with what waits now.
	Backlogs []Backlog
	// Stored are the sub-queues that events were stored in, for followers: those of
	// several classes stand here several times.
	Stored []Stored
	// Relays are the relays to other partitions that changed, as they stand now.
	Relays []RelayState
	// Started is set by a LeaderStart.
	Started *Started
	// Led are the ways that runs have gone for the first time since the Machine was opened.
	Led []Led
	// Bound are clients that begin, or cease, to have runs which end with their connection.
	Bound []BoundClient
	// Runs are the runs that changed.
	Runs []RunChange
	// Letters are the dead letters that were made, redriven or discarded.
	Letters []LetterChange
	// Limits is what is in use of limits that jobs share.
	Limits LimitUse
	// Members are the admitted members, when a meta command changed them.
	Members []command.Member
	// Configured are the channels whose settings a meta command changed, or all
	// where its leader starts.
	Configured []ConfiguredChannel
	// Tenants are the tenants whose settings a meta command changed, or all where its
	// leader starts.
	Tenants []ConfiguredTenant
	// Workflows are what a meta command changed of workflows, or all of them where its
	// leader starts.
	Workflows []WorkflowPart
	// Unswept means that more is kept no longer than this entry deleted.
	Unswept bool
	// NextDueMS is when the next timer is due, in Unix milliseconds, or far in
	// the future.
	NextDueMS int64
}

// LimitUse is what is in use of all limits, of all tenants, in one partition.
type LimitUse struct {
	// Keys are the keys of limits that have their home here and that something is known
	// of, Paused those of them that are paused since a job was throttled, or begin gently
	// after that.
	Keys, Paused uint64
	// InFlight are the places that jobs of this partition have, in each of their limits;
	// Waiting are its jobs that stand in lines.
	InFlight, Waiting uint64
}

// LetterChange is a dead letter that was made, or that is none any more.
type LetterChange struct {
	// Channel is that of its event.
	Channel string
	// What is its reason where it was made, else LetterRedriven or LetterDiscarded.
	What string
}

// What became of dead letters.
const (
	LetterRedriven  = "redriven"
	LetterDiscarded = "discarded"
)

// Led is a way that a run has gone: the end of a job of one channel, or an event of it
// that began the run, has put a job into another one. A leader that knows the ways of
// runs attaches credit for where they go to.
type Led struct {
	From, To string
	// Queue is the sub-queue of what it came of.
	Queue uint32
}

// Grant is a lease given to a subscription.
type Grant struct {
	Holder Holder
	Job    command.Job
}

// Ended is a lease that is over, or whose worker parked it.
type Ended struct {
	Lease  command.LeaseID
	Holder Holder
	// Lost means that the worker did not end it: it expired or was fenced.
	Lost bool
	// Reason is the word for the worker when Lost.
	Reason string
}

// Canceling is a leased job that is to stop within GraceMS.
type Canceling struct {
	Lease   command.LeaseID
	Holder  Holder
	Reason  string
	GraceMS uint64
}

// Notified is a new entry of a client's stream.
type Notified struct {
	Tenant, ClientID string
	Notification     command.Notification
}

// Acked is a device's cursor that moved to Seq.
type Acked struct {
	Tenant, ClientID, DeviceID string
	Seq                        uint64
}

// Backlog is how much of a group's work waits for credit.
type Backlog struct {
	Channel, Group string
	// Total is the waiting work of all tenants.
	Total uint64
	// Tenants are the waiting tenants, with their counts, by name.
	Tenants []TenantBacklog
	// Partial means that more than maxBacklogTenants wait: then Tenants are those
	// whose count this entry changed, 0 included, and the others stand as they
	// were told before. A Started's backlogs are never partial.
	Partial bool
}

// TenantBacklog is one tenant's share of a Backlog.
type TenantBacklog struct {
	Tenant  string
	Waiting uint64
}

// Stored is where an entry stored events: the channel, and whose they are.
type Stored struct {
	Channel, Tenant string
}

// Lease is a lease in force.
type Lease struct {
	ID     command.LeaseID
	Holder Holder
	// Tenant is whose event it is.
	Tenant  string
	LeaseMS uint32
}

// RelayState is where the relay to one other partition stands.
type RelayState struct {
	Target uint32
	// First is the oldest row that is kept, Last the newest ever written: nothing
	// is kept when First is beyond it.
	First, Last uint64
	// Bytes is how large the kept rows are together.
	Bytes uint64
}

// Started is the state a new leader begins with.
type Started struct {
	Node       string
	Generation uint64
	// Epoch is the group's epoch, under which its relays' rows are numbered.
	Epoch    uint32
	Leases   []Lease
	Backlogs []Backlog
	// Relays are all relays to other partitions.
	Relays []RelayState
	// Bound are the clients that have runs which end with their connection.
	Bound []BoundClient
}

func newOutcome(effects bool, commands int) *Outcome {
	return &Outcome{effects: effects, Results: make([]command.Result, 0, commands)}
}
