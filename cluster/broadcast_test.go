package cluster

import (
	"fmt"
	"slices"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// kept keeps answers whole.
type kept []command.Result

// Reply implements Replier.
func (k *kept) Reply(_ uint64, result *command.Result) { *k = append(*k, *result) }

// broadcasts are the broadcasts that partitions were asked for since the last look.
func (e *edge) broadcasts(t *testing.T) (asked []command.Broadcast, partitions []uint32, seqs []uint64) {
	t.Helper()
	for _, s := range e.links.take() {
		f := readFrame(s.data)
		if f.kind != frameAsk {
			continue
		}
		seqs = append(seqs, f.Uint())
		f.Byte()
		f.Uint()
		prefix, r := command.ReadPrefix(f.Rest())
		var c command.Broadcast
		if c.Decode(&r); prefix.Kind != command.KindBroadcast || r.Err() != nil {
			t.Fatalf("partition %d was asked for %v: %v", f.group-1, prefix.Kind, r.Err())
		}
		asked, partitions = append(asked, c), append(partitions, f.group-1)
	}
	return asked, partitions, seqs
}

// crowd is a broadcast to many clients, some named twice.
func crowd(many int) *BroadcastSpec {
	spec := &BroadcastSpec{Tenant: "t", IdempotencyKey: "once", CorrelationID: "news", Name: "news"}
	for i := range many {
		spec.Clients = append(spec.Clients, fmt.Sprint("client-", i), fmt.Sprint("client-", i/2))
	}
	return spec
}

// TestBroadcastReachesEachClientOnce: each client stands in one piece, in the partition
// of its stream, and no piece is larger than the state takes.
func TestBroadcastReachesEachClientOnce(t *testing.T) {
	const many = 2000
	e, _, _ := ensures()
	e.Broadcast(crowd(many), &kept{}, 1)
	asked, partitions, _ := e.broadcasts(t)
	clients, keys := make(map[string]bool), make(map[string]bool)
	for i, c := range asked {
		if c.Name != "news" || c.CorrelationID != "news" || c.Tenant != "t" || len(c.Clients) > command.MaxBroadcastClients {
			t.Fatalf("%d clients of %s/%s/%s in one piece", len(c.Clients), c.Tenant, c.CorrelationID, c.Name)
		}
		if key := fmt.Sprint(partitions[i], c.IdempotencyKey); keys[key] {
			t.Fatalf("two pieces of partition %d are called %s", partitions[i], c.IdempotencyKey)
		} else {
			keys[key] = true
		}
		for _, client := range c.Clients {
			if clients[client] {
				t.Fatalf("%s is notified twice", client)
			}
			clients[client] = true
			if p := command.PartitionOf(command.SlotOf("t", client), 3); p != partitions[i] {
				t.Fatalf("%s is of partition %d, and partition %d was asked", client, p, partitions[i])
			}
		}
	}
	if len(clients) != many {
		t.Fatalf("%d of %d clients are notified", len(clients), many)
	}
}

// TestBroadcastIsCutAlike: in another order, the pieces are the same, and so is what
// the state recognises.
func TestBroadcastIsCutAlike(t *testing.T) {
	spec := crowd(2000)
	first := cutBroadcast(spec, 3)
	slices.Reverse(spec.Clients)
	for i, piece := range cutBroadcast(spec, 3) {
		if string(piece.command.Append(nil)) != string(first[i].command.Append(nil)) {
			t.Fatalf("piece %d is another one", i)
		}
	}
}

// TestBroadcastAnswers: once, when every partition has answered; what may have been
// done counts more than what was not.
func TestBroadcastAnswers(t *testing.T) {
	first, second := command.EventID{Partition: 1, Position: 5}, command.EventID{Partition: 2, Position: 6}
	for name, test := range map[string]struct {
		answers []command.Result
		want    command.Result
	}{
		"done": {
			[]command.Result{{Event: second}, {Event: first, Duplicate: true}, {Event: second, Duplicate: true}},
			command.Result{Event: first, CorrelationID: "news"},
		},
		"duplicates": {
			[]command.Result{{Event: first, Duplicate: true}, {Event: second, Duplicate: true}, {Duplicate: true}},
			command.Result{Event: first, CorrelationID: "news", Duplicate: true},
		},
		"refused by one": {
			[]command.Result{{}, {Reason: command.IdempotencyConflict}, {}},
			command.Result{Reason: command.IdempotencyConflict},
		},
		"not known of one": {
			[]command.Result{{Reason: command.NoLeader}, {Reason: command.OutcomeUnknown}, {Reason: command.NoLeader}},
			command.Result{Reason: command.OutcomeUnknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, _ := ensures()
			got := &kept{}
			e.Broadcast(crowd(50), got, 1)
			_, partitions, seqs := e.broadcasts(t)
			if len(seqs) != 3 {
				t.Fatalf("%d pieces", len(seqs))
			}
			for i, p := range partitions {
				if len(*got) != 0 {
					t.Fatal("it was answered early")
				}
				e.says(p, map[uint32]uint64{p: seqs[i]}, test.answers[i])
			}
			if len(*got) != 1 || (*got)[0].Reason != test.want.Reason || (*got)[0].Event != test.want.Event ||
				(*got)[0].Duplicate != test.want.Duplicate || (*got)[0].CorrelationID != test.want.CorrelationID {
				t.Fatalf("the answers are %+v", *got)
			}
		})
	}
	got := &kept{}
	newEdge(0).Broadcast(crowd(1), got, 1)
	if len(*got) != 1 || (*got)[0].Reason != command.NoLeader {
		t.Fatalf("without a cluster the answers are %+v", *got)
	}
}
