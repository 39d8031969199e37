package cluster

import (
	"testing"
	"time"

	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
)

// leads has this node serve a generation of a group.
func (e *edge) leadsGroup(group uint32) {
	g := &Group{config: groupConfig{id: group}}
	g.serving.Store(1)
	e.mu.groups[group] = g
}

// TestLeadershipGoesBackWhereItBegan: a node that leads what another one should
// hands it over when both have been there for a while, one group at a time, and
// leaves a group alone for a while afterwards.
func TestLeadershipGoesBackWhereItBegan(t *testing.T) {
	e := newEdge(5)
	e.formation.Store(&members.Formation{
		Partitions: 5, Replicas: 3, Members: []command.Member{{ID: "n1"}, {ID: "n2"}, {ID: "n3"}},
	})
	for group := range uint32(6) { // Groups 0 and 3 begin here, 1 and 4 on n2, 2 and 5 on n3.
		e.leadsGroup(group)
	}
	begin := time.Now()
	e.mu.linked["n2"] = begin
	b := newBalancer()
	moved := map[uint32]string{}
	look := func(after time.Duration) int {
		g, to := b.next(begin.Add(after), e.Cluster)
		if g == nil {
			return 0
		}
		moved[g.config.id] = string(to)
		return 1
	}
	if look(6*time.Second)+look(7*time.Second)+look(12*time.Second) != 0 {
		t.Fatalf("moved before it is known to last: %v", moved)
	}
	count := 0
	for second := 17; second < 60; second++ {
		count += look(time.Duration(second) * time.Second)
	}
	if count != 2 || moved[1] != "n2" || moved[4] != "n2" {
		t.Fatalf("moved %v in %d turns", moved, count)
	}
	e.mu.groups[1].serving.Store(0) // It moved; the other one did not.
	for second := 60; second < 120; second++ {
		count += look(time.Duration(second) * time.Second)
	}
	if count != 3 {
		t.Errorf("a group that did not move is tried again once in a minute, and not %d times", count-2)
	}
	e.mu.linked["n3"] = begin.Add(2 * time.Minute)
	for second := 120; second < 129; second++ {
		look(time.Duration(second) * time.Second)
	}
	if moved[2] != "" || moved[5] != "" {
		t.Errorf("moved to a node that came a moment ago: %v", moved)
	}
}
