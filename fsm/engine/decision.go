package engine

import "github.com/batonmq/baton/fsm/command"

// DecisionKind says what is to be done.
type DecisionKind uint8

// What a run decides.
const (
	// StartJob stores a job of a step.
	StartJob DecisionKind = iota + 1
	// StartChild begins a run of another workflow.
	StartChild
	// StopJobs cancels all jobs and child runs of the run that have not ended.
	StopJobs
	// KeepOutput keeps a step's output for expressions, KeepItems a map's items,
	// KeepItem what came of one.
	KeepOutput
	KeepItems
	KeepItem
	// KeepMemo keeps a result under a memo's key.
	KeepMemo
	// Register keeps a compensation's entry, Forget all that were registered, StartUndo
	// carries one out.
	Register
	Forget
	StartUndo
	// Emit publishes an event, Notify notifies a client.
	Emit
	Notify
	// SetTimer and ClearTimer are of what becomes due at DueMS.
	SetTimer
	ClearTimer
	// Await waits for a message, Unawait does not any more.
	Await
	Unawait
	// RedriveJob puts a dead job back in line, with Data for its input where it has some.
	RedriveJob
	// KeepHeld keeps the input of the step that a paused run holds.
	KeepHeld
	// End is the run's end, with Data as its result.
	End
	// ForgetItem forgets what came of an item: it is tried again.
	ForgetItem
)

// Decision is one thing to be done. Which fields are set follows from its kind.
type Decision struct {
	Kind                  DecisionKind
	Step, Iteration, Item uint32
	// Channel is where a job or event goes. Name is a notification's, a message's or a
	// workflow's; Alias a workflow's.
	Channel, Name, Alias string
	// Key is an event's, a message's or a memo's; Client whom a notification is for, and
	// whose an event is; empty for the run's.
	Key, Client string
	Data        command.Payload
	// List are a map's items as JSON.
	List     [][]byte
	Uses     []command.Use
	Priority uint32
	DelayMS  uint64
	Timer    TimerKind
	DueMS    int64
	Part     uint32
	// Entry is a compensation's number. Unknown means that it is not known whether what it
	// undoes has happened.
	Entry   uint32
	Unknown bool
	// Detach means that nobody waits for the child run.
	Detach bool
	// Code is an item's error; TTLMS for how long a memo is kept.
	Code  string
	TTLMS int64
}

// TimerKind says what becomes due. Numbers are for ever: they are kept in keys.
type TimerKind uint8

// The timers of a run.
const (
	TimerRun   TimerKind = 1
	TimerStep  TimerKind = 2
	TimerWait  TimerKind = 3
	TimerItems TimerKind = 4
)

// Facts is what a run's owner lends to a decision: what is kept beside the run.
type Facts interface {
	// NowMS is the time, in Unix milliseconds.
	NowMS() int64
	// Variable is the JSON of event and tenant, and of what the owner knows of run: its id,
	// workflow and version, without the closing brace's fields that the run itself has.
	Event() []byte
	RunID() string
	Tenant() string
	// Output is the output of a step's last visit that was kept, Item a map's item,
	// counted from 1, ItemOutput what came of one, Memo what is kept under a key, Held
	// what KeepHeld kept, Entry whether a compensation's entry is there, and of which step.
	Output(step uint32) (command.Payload, bool)
	Item(item uint32) []byte
	ItemOutput(item uint32) (output command.Payload, code string, found bool)
	Memo(key string) (command.Payload, bool)
	Held() command.Payload
	Entry(number uint32) (Entry, bool)
	// Unknown is the entry that was registered when a job was granted, 0 for none.
	Unknown(step, iteration, item uint32) uint32
	// Dead tells whether a job of a step has died and can be put back in line, DeadUndo
	// whether a compensation has.
	Dead(step, iteration, item uint32) bool
	DeadUndo(entry uint32) bool
	// Pending is the happening that an incident keeps.
	Pending() (Happening, bool)
}

// Entry is a compensation that was registered.
type Entry struct {
	Step, Iteration, Item uint32
	Unknown               bool
	Input                 command.Payload
}
