package cluster

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// CancelLineage has every partition carry out an encoded command.CancelLineage, and
// answers when all have. Not found is the answer only if no partition knows the
// lineage; a partition that could not be asked is one that may not have canceled,
// and its refusal the answer.
func (c *Cluster) CancelLineage(encoded []byte, to Replier, slot uint64) {
	partitions := c.Partitions()
	if partitions == 0 {
		to.Reply(slot, &command.Result{Reason: command.NoLeader, Message: "the node does not belong to a cluster yet"})
		return
	}
	all := &canceling{to: to, slot: slot, left: partitions}
	all.worst.Reason = command.NotFound
	for p := range partitions {
		c.askPartition(p, opCommand, encoded, all)
	}
}

// canceling waits for the partitions' answers to one cancel.
type canceling struct {
	to   Replier
	slot uint64

	mu    sync.Mutex // guards the rest
	left  uint32
	known bool
	worst command.Result
}

func (a *canceling) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	if how == statusUnknown {
		result.Message = "not every partition has said that it canceled: cancel again"
	}
	if a.last(&result) {
		a.to.Reply(a.slot, &a.worst)
	}
}

// last takes note of an answer, and tells whether it was the last one: then worst
// is the answer of all, and nobody changes it any more.
func (a *canceling) last(result *command.Result) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case result.Reason == command.Done:
		a.known = true
	case result.Reason != command.NotFound || a.worst.Reason == command.NotFound:
		a.worst = *result
	}
	a.left--
	if a.left == 0 && a.known && a.worst.Reason == command.NotFound {
		a.worst = command.Result{}
	}
	return a.left == 0
}
