package engine

import "github.com/batonmq/baton/fsm/command"

// HappeningKind says what happened. Numbers are for ever: one that an incident keeps is a
// row.
type HappeningKind uint8

// What happens to a run.
const (
	// Began: the run is new.
	Began HappeningKind = 1
	// Done: a step's job, or child run, has succeeded.
	Done HappeningKind = 2
	// Died: a step's job, or child run, has failed for good.
	Died HappeningKind = 3
	// Stopped: a step's job was canceled, or fenced.
	Stopped HappeningKind = 4
	// Granted: a step's job was given to a worker.
	Granted HappeningKind = 5
	// Message: a message came that the run waits for.
	Message HappeningKind = 6
	// WaitDue: a wait's timer has fired.
	WaitDue HappeningKind = 7
	// StepDue, RunDue and ItemsDue: a step, the run, or a map has taken too long.
	StepDue  HappeningKind = 8
	RunDue   HappeningKind = 9
	ItemsDue HappeningKind = 10
	// Conflict: another run waits for the message already.
	Conflict HappeningKind = 11
	// Cancel, Pause, Resume, Retry, Skip and GiveUp are what operators ask for. Reenter
	// begins a run that has ended anew at a step.
	Cancel  HappeningKind = 12
	Pause   HappeningKind = 13
	Resume  HappeningKind = 14
	Retry   HappeningKind = 15
	Skip    HappeningKind = 16
	GiveUp  HappeningKind = 17
	Reenter HappeningKind = 18
	// Undone and UndoDied: a compensation has succeeded, or failed for good.
	Undone   HappeningKind = 19
	UndoDied HappeningKind = 20
	// Revived: a dead job was put back in line.
	Revived HappeningKind = 21
	// Follow and Enter are what is left of a happening when an incident came of what
	// followed: to leave the present step with its output, which is a message where Part is
	// not 0, and to go on at a step with its input.
	Follow HappeningKind = 22
	Enter  HappeningKind = 23
)

// Happening is one thing that happened to a run.
type Happening struct {
	Kind HappeningKind
	// Step, Iteration and Item say whose job it was, or which step it is about.
	Step, Iteration, Item uint32
	// Output is a job's result, a message's data, or what an operator gives.
	Output command.Payload
	// Input is what the job had, with Granted.
	Input command.Payload
	// Usage is what the job used, as the worker's JSON.
	Usage []byte
	// Code and Message tell of an error, or why it is canceled.
	Code, Message string
	// Part is the part of a wait that it is about, Entry the compensation.
	Part  uint32
	Entry uint32
	// NoUndo cancels without compensating.
	NoUndo bool
	// Spawned counts the jobs that a dynamic step's job has emitted.
	Spawned uint32
	// Again means that an item's end was taken note of before: an incident came of what
	// followed.
	Again bool
}
