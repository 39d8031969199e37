package cluster

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// MaxKnownGroups is how many groups a node knows to be in every partition. With
// more it forgets them all, and asks again when somebody subscribes.
const MaxKnownGroups = 16_384

// GroupSpec is a wish for a group of a channel.
type GroupSpec struct {
	Channel, Group string
	// From is where the group begins if it is new.
	From command.GroupFrom
	// Existing means that the group is not made: where there is none, it is Forbidden.
	Existing bool
}

// groupKey is a group of a channel.
type groupKey struct{ channel, group string }

// groupQuestion is what is asked of a group. Who may make it does not wait for the
// answer of who may not.
type groupQuestion struct {
	groupKey

	existing bool
}

// knownGroups is what a node knows of groups. A group is never deleted, so what
// is known stays true.
type knownGroups struct {
	sync.Mutex

	there map[groupKey]struct{}
	asked map[groupQuestion]*ensuring
}

// EnsureGroup sees to it that every partition has a group of a channel, and
// answers when all have, or with the first refusal. A group that exists stays as
// it is, wherever from would have it begin.
//
// The partition of the channel's name is asked first, the others when it has the
// group: it decides where the group begins, whoever else asks for it at the same
// time with another wish, which are too many, and whether there is one that has to
// exist: then the others make it, if it did not come so far when it was made.
func (c *Cluster) EnsureGroup(spec *GroupSpec, to Replier, slot uint64) {
	key, way := groupQuestion{groupKey{spec.Channel, spec.Group}, spec.Existing}, submission{to: to, slot: slot}
	k := &c.known
	k.Lock()
	if _, there := k.there[key.groupKey]; there {
		k.Unlock()
		to.Reply(slot, &command.Result{Duplicate: true})
		return
	}
	if a := k.asked[key]; a != nil {
		a.waiting = append(a.waiting, way)
		k.Unlock()
		return
	}
	a := &ensuring{cluster: c, key: key, waiting: []submission{way}}
	if k.asked == nil {
		k.asked = make(map[groupQuestion]*ensuring)
	}
	k.asked[key] = a
	k.Unlock()
	a.begin(spec.From)
}

// ensuring asks the partitions for one group.
type ensuring struct {
	cluster *Cluster
	key     groupQuestion

	// Guarded by the cluster's knownGroups.
	waiting []submission
	left    uint32
}

func (a *ensuring) begin(from command.GroupFrom) {
	partitions := a.cluster.Partitions()
	if partitions == 0 {
		a.finish(&command.Result{Reason: command.NoLeader, Message: "the node does not belong to a cluster yet"})
		return
	}
	home := command.PartitionOf(command.SlotOf("", a.key.channel), partitions)
	a.ask(home, a.wish(from, a.key.existing), func(result *command.Result) {
		others := partitions - 1
		if result.Reason != command.Done || others == 0 {
			a.finish(result)
			return
		}
		a.cluster.known.Lock()
		a.left = others
		a.cluster.known.Unlock()
		for p := range partitions {
			if p != home {
				a.ask(p, a.wish(command.GroupFrom(result.Offset), false), a.one) //nolint:gosec // It is one.
			}
		}
	})
}

// one is the answer of one of the others.
func (a *ensuring) one(result *command.Result) {
	if result.Reason != command.Done {
		a.finish(result)
		return
	}
	a.cluster.known.Lock()
	a.left--
	last := a.left == 0
	a.cluster.known.Unlock()
	if last {
		a.finish(result)
	}
}

// finish answers everybody; after the first refusal there is nobody left.
func (a *ensuring) finish(result *command.Result) {
	k := &a.cluster.known
	k.Lock()
	waiting := a.waiting
	a.waiting = nil
	if k.asked[a.key] == a {
		delete(k.asked, a.key)
	}
	if result.Reason == command.Done {
		if k.there == nil || len(k.there) >= MaxKnownGroups {
			k.there = make(map[groupKey]struct{})
		}
		k.there[a.key.groupKey] = struct{}{}
	}
	k.Unlock()
	for _, way := range waiting {
		way.to.Reply(way.slot, result)
	}
}

// wish is what a partition is asked for.
func (a *ensuring) wish(from command.GroupFrom, existing bool) *command.CreateGroup {
	return &command.CreateGroup{
		Route: command.Route{SlotMap: command.SlotMapVersion}, Channel: a.key.channel, Group: a.key.group, From: from, Existing: existing,
	}
}

// ask asks one partition's leader.
func (a *ensuring) ask(partition uint32, create *command.CreateGroup, done func(*command.Result)) {
	a.cluster.askPartition(partition, opCommand, create.Append(nil), groupAnswer(done))
}

// groupAnswer is the way back of one partition's answer.
type groupAnswer func(*command.Result)

func (done groupAnswer) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	if how == statusNotLeader || how == statusUnknown {
		result.Message = "not every partition has said that it has the group: subscribe again"
	}
	done(&result)
}
