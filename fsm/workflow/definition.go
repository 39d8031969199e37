package workflow

// Limits of a definition. What is larger is refused when it is deployed.
const (
	// MaxDefinitionBytes bounds a definition's text, and its canonical form.
	MaxDefinitionBytes = 256 << 10
	// MaxSteps is how many steps a definition may have.
	MaxSteps = 500
	// MaxEdges is how many edges a step may have in next, and how many in catch.
	MaxEdges = 64
	// MaxNameBytes bounds the names of workflows, steps, limits and messages.
	MaxNameBytes = 128
	// MaxExpressionBytes bounds one expression, MaxExpressionCost what evaluating it
	// may cost, in the units of CEL's cost model; an expression that can cost more by its
	// types is refused, one that does when it runs is an incident of its run.
	MaxExpressionBytes = 4096
	MaxExpressionCost  = 100_000
	// MaxMapItems is how many items a map may run over.
	MaxMapItems = 10_000
	// MaxList is how long the lists of a definition may be that have no limit of their own,
	// as error codes or the parts of a wait, and MaxLimits how many limits it may have.
	MaxList   = 64
	MaxLimits = 256
	// MaxProblems is how many problems a refusal names.
	MaxProblems = 100
	// MaxLoops is the highest bound that an edge back may have.
	MaxLoops = 1000
)

// Definition is a workflow that was checked and compiled. It does not change, and may
// be used by several goroutines.
type Definition struct {
	Name string
	// Version is the first 16 bytes of the SHA-256 of Canonical, as hex: equal
	// definitions have one version, whatever their text looked like.
	Version string
	// Canonical is the definition as JSON with sorted keys and no defaults left out
	// that would change what it means: what Compile makes the same Definition of.
	Canonical []byte

	// On are the channels whose events start a run. The event's key is the run's key, and
	// its idempotency key the start's.
	On []string
	// Key is the run's partition key where it is not that of its event; nil where it is.
	Key *Expr
	// OnDuplicate tells what a start under an idempotency key answers that was used before.
	OnDuplicate Duplicate
	// TimeoutMS is for how long a run may go on, 0 for ever.
	TimeoutMS int64
	// CancelOnDisconnect means that a run is canceled when its client's last device leaves.
	CancelOnDisconnect bool
	// Limits are the limits that steps use, by name in ascending order.
	Limits []Limit
	// Steps are by name in ascending order, so that their numbers are those of every text
	// of this version. A run begins with First.
	Steps []Step
	First int
	// OnFailure is what becomes of a run whose step failed for good.
	OnFailure FailurePolicy
	// Parallel means that compensations of independent entries (a map's items) may run
	// side by side.
	Parallel bool
	// OnHandlerFailure is what becomes of a run whose compensation failed for good.
	OnHandlerFailure HandlerPolicy
	// Finally runs at a run's end, however it ends; they are emits and notifies only.
	Finally []Action
	// Budget bounds what a run may use.
	Budget Budget
}

// Duplicate is what becomes of a start whose idempotency key was used before.
type Duplicate uint8

// What may become of it.
const (
	// Attach answers with the run that there is.
	Attach Duplicate = iota
	// Reject refuses it.
	Reject
)

// FailurePolicy is what becomes of a run whose step has failed for good.
type FailurePolicy uint8

// The policies of a failure.
const (
	// FailRun ends the run as failed.
	FailRun FailurePolicy = iota
	// Compensate runs what is registered, the last first, and ends it as compensated.
	Compensate
	// Incident stops it until an operator says how it goes on.
	Incident
)

// HandlerPolicy is what becomes of a run whose compensation has failed for good.
type HandlerPolicy uint8

// The policies of a compensation's failure.
const (
	// HandlerIncident stops the run there until an operator says how it goes on.
	HandlerIncident HandlerPolicy = iota
	// HandlerContinue goes on with the next entry.
	HandlerContinue
	// HandlerAbort ends the run as partially compensated.
	HandlerAbort
)

// Kind is what a step does.
type Kind uint8

// The kinds of steps.
const (
	// Task is worked on by a worker of a channel.
	Task Kind = iota + 1
	// Wait waits for messages or a time.
	Wait
	// Call starts a run of another workflow and waits for its end.
	Call
	// Act emits, notifies or sets, and goes on at once.
	Act
	// Fail ends the run with an error.
	Fail
)

// Step is one step of a definition.
type Step struct {
	Name string
	Kind Kind
	// Line is where it stands in the text it was read from, 0 in a canonical one.
	Line int
	// Input is what the step is given; nil for the output of the step before, the data
	// of the start for the first, and the item for each of a map.
	Input *Expr
	// Next are the edges, tried in their order; the last has no guard. None means that
	// the run ends here with Output.
	Next []Edge
	// Output is the run's result where it ends here; nil for the step's output.
	Output *Expr
	// Catch are edges for errors by their code, tried in their order before OnFailure.
	Catch []Catch
	// TimeoutMS is for how long the step may go on, all its attempts together; 0 for ever.
	TimeoutMS int64

	// Of a Task.

	Channel string
	Policy  Policy
	// Map runs the step for each item of a list; nil for once.
	Map *Map
	// Uses are the limits that each job takes part in.
	Uses []Use
	// Priority is the class of its jobs, 0 to 9.
	Priority int
	// Stream means that workers stream tokens to the client while they run.
	Stream bool
	// Compensation undoes the step; nil where nothing does.
	Compensation *Compensation
	// Pivot discards what was registered before, with the step's acknowledgement.
	Pivot bool
	// Memo is a key under which the result is kept and used again; nil for not.
	Memo *Memo
	// Dynamic lets the step's worker emit further steps; nil for not.
	Dynamic *Dynamic

	// Of the others.

	Wait    *Waiting
	Call    *Calling
	Actions []Action
	Error   *Failure
}

// Edge leads to a step.
type Edge struct {
	// When is the guard; nil for always.
	When *Expr
	// To is the step's number in Steps.
	To int
	// Max is how often a run may take an edge that leads back; 0 for one that does not.
	Max int
}

// Catch leads from an error to a step.
type Catch struct {
	// Codes are the errors' codes; none means any.
	Codes []string
	To    int
	Max   int
}

// Policy is how a task's job is tried. What is 0 is as the channel says.
type Policy struct {
	LeaseMS         int64
	ScheduleToStart int64 // in milliseconds, as are the others
	StartToClose    int64
	MaxAttempts     int
	LeaseLosses     int
	BackoffMS       int64
	MaxBackoffMS    int64
	// Factor is what a delay is multiplied by after each failure, in hundredths.
	Factor int
	// FullJitter takes each delay at random between nothing and the whole of it.
	FullJitter bool
	// RetryOn are the only codes that are tried again, GiveUpOn those that are not.
	RetryOn, GiveUpOn []string
}

// Map runs a task for each item of a list.
type Map struct {
	Over        *Expr
	MaxParallel int
	Join        Join
	// N is how many must succeed with JoinN.
	N int
	// TolerateCount and TolerateShare, in hundredths of a percent, are how many items may
	// fail; what is larger counts.
	TolerateCount int
	TolerateShare int
	// DeadlineMS ends the map with what there is then; 0 for never.
	DeadlineMS int64
}

// Join is what a map waits for.
type Join uint8

// The joins.
const (
	// JoinAll waits for all, and fails with the first beyond what is tolerated.
	JoinAll Join = iota
	// JoinAny waits for one that succeeds.
	JoinAny
	// JoinN waits for N that do.
	JoinN
	// JoinSettled waits for all, and never fails.
	JoinSettled
)

// Limit is shared by the jobs of all runs that use it with the same key.
type Limit struct {
	Name string
	// Key says what shares it; nil for everything of the tenant.
	Key *Expr
	// MaxInFlight is how many jobs may be leased, 0 for any number.
	MaxInFlight int
	// Rates are by unit in ascending order.
	Rates []Rate
	// Adaptive lowers and raises MaxInFlight by what is throttled, but not below
	// MinInFlight, which is 0 for what does not adapt.
	Adaptive    bool
	MinInFlight int
}

// Rate is how much of a unit a limit lets through.
type Rate struct {
	// Unit is calls, tokens, cost or another that costs name.
	Unit  string
	Count int64
	PerMS int64
}

// Use is a step's part in a limit.
type Use struct {
	// Limit is its number in Limits.
	Limit int
	// Costs are what a job is charged of each unit when it is granted, by unit in
	// ascending order; calls are one.
	Costs []Cost
}

// Cost is what a job costs of a unit.
type Cost struct {
	Unit   string
	Amount *Expr
}

// Compensation undoes a step.
type Compensation struct {
	Channel string
	// Input is evaluated with the step's acknowledgement; nil for its output.
	Input *Expr
	// OnStarted registers it when the step is granted, before it is known what came of it.
	OnStarted bool
	Policy    Policy
}

// Memo keeps results by what they were made of.
type Memo struct {
	// Key may be of any type: it is compared as JSON.
	Key   *Expr
	TTLMS int64
}

// Dynamic is what a step's worker may emit into the run.
type Dynamic struct {
	Allow     []string
	MaxDepth  int
	MaxEvents int
}

// Waiting is what a step waits for.
type Waiting struct {
	// All waits for all of them, not for the first.
	All   bool
	Parts []WaitPart
}

// WaitPart is a message or a timer.
type WaitPart struct {
	// Message is the message's name, empty for a timer.
	Message string
	// Key is the message's key.
	Key *Expr
	// AfterMS is a timer of a fixed length, Until an expression for a time (a timestamp,
	// RFC 3339 text or Unix milliseconds), After one for a length (a duration, its text or
	// milliseconds).
	AfterMS      int64
	Until, After *Expr
}

// Calling starts a run of another workflow.
type Calling struct {
	// Workflow is its name, Alias the alias or version; prod without one.
	Workflow, Alias string
	Key             *Expr
	// Detach goes on without waiting for the end.
	Detach bool
}

// Action is something that a run does at once.
type Action struct {
	Emit   *Emit
	Notify *Notify
	Set    *Set
}

// Emit publishes an event.
type Emit struct {
	Channel string
	Data    *Expr
	Key     *Expr
	Client  *Expr
	DelayMS int64
}

// Notify notifies a client, that of the run where it names none.
type Notify struct {
	Client *Expr
	Name   string
	Data   *Expr
}

// Set gives a variable of the run a value.
type Set struct {
	Name  string
	Value *Expr
}

// Failure is an error that a step ends the run with.
type Failure struct {
	Code    string
	Message *Expr
}

// Budget bounds a run. What is 0 is not bounded.
type Budget struct {
	Steps  int64
	Tokens int64
	// MicroCost is in millionths of what cost is counted in.
	MicroCost int64
}
