package cluster

import (
	"cmp"
	"slices"
	"strconv"
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// BroadcastSpec is a wish to notify several clients of the same.
type BroadcastSpec struct {
	Tenant         string
	IdempotencyKey string
	CorrelationID  string
	CausationID    string
	Name           string
	Payload        command.Payload
	// Clients are whom to notify; one that is named twice is notified once.
	Clients []string
}

// Broadcast notifies clients, each partition's in pieces of at most
// command.MaxBroadcastClients, and answers when all have been. Each piece takes effect
// whole or not at all. After a refusal some may have been notified: the same broadcast
// again, with its idempotency key, notifies the others and nobody twice. Nothing of
// spec is kept beyond the call.
func (c *Cluster) Broadcast(spec *BroadcastSpec, to Replier, slot uint64) {
	partitions := c.Partitions()
	if partitions == 0 {
		to.Reply(slot, &command.Result{Reason: command.NoLeader, Message: "the node does not belong to a cluster yet"})
		return
	}
	pieces := cutBroadcast(spec, partitions)
	all := &broadcasting{to: to, slot: slot, left: len(pieces)}
	all.answer.CorrelationID, all.answer.Duplicate = spec.CorrelationID, true
	for i := range pieces {
		c.askPartition(pieces[i].partition, opCommand, pieces[i].command.Append(nil), all)
	}
}

// broadcastPiece is what one partition is asked for at once.
type broadcastPiece struct {
	partition uint32
	command   command.Broadcast
}

// cutBroadcast is the same for the same clients, in whatever order they stand: a piece
// that is sent again is recognised.
func cutBroadcast(spec *BroadcastSpec, partitions uint32) []broadcastPiece {
	clients := slices.Clone(spec.Clients)
	slices.Sort(clients)
	byPartition := make([][]string, partitions)
	for _, client := range slices.Compact(clients) {
		p := command.PartitionOf(command.SlotOf(spec.Tenant, client), partitions)
		byPartition[p] = append(byPartition[p], client)
	}
	var pieces []broadcastPiece
	for p, all := range byPartition {
		number := 0
		for some := range slices.Chunk(all, command.MaxBroadcastClients) {
			pieces = append(pieces, broadcastPiece{partition: uint32(p), command: command.Broadcast{ //nolint:gosec // Below Slots.
				Route:  command.Route{Slot: command.SlotOf(spec.Tenant, some[0]), SlotMap: command.SlotMapVersion},
				Tenant: spec.Tenant, IdempotencyKey: spec.IdempotencyKey + "/" + strconv.Itoa(number),
				CorrelationID: spec.CorrelationID, CausationID: spec.CausationID, Name: spec.Name, Payload: spec.Payload,
				Clients: some,
			}})
			number++
		}
	}
	return pieces
}

// broadcasting waits for the answers to one broadcast.
type broadcasting struct {
	to   Replier
	slot uint64

	mu     sync.Mutex // guards the rest
	left   int
	answer command.Result
}

func (b *broadcasting) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	if b.last(&result) {
		b.to.Reply(b.slot, &b.answer)
	}
}

// before orders the ids of pieces, so that the same one stands for all of them whoever
// answers first.
func before(a, b command.EventID) bool {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Position, b.Position)) < 0
}

// last takes note of an answer, and tells whether it was the last one: then answer is
// that of all, and nobody changes it any more. What may have been done counts more
// than what was not.
func (b *broadcasting) last(result *command.Result) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case result.Reason == command.Done && b.answer.Reason == command.Done:
		b.answer.Duplicate = b.answer.Duplicate && result.Duplicate
		if b.answer.Event.IsZero() || !result.Event.IsZero() && before(result.Event, b.answer.Event) {
			b.answer.Event, b.answer.Offset = result.Event, result.Offset
		}
	case result.Reason != command.Done && (b.answer.Reason == command.Done || result.Reason == command.OutcomeUnknown):
		b.answer = *result
	}
	b.left--
	return b.left == 0
}
