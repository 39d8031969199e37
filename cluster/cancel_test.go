package cluster

import (
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestCancelLineage: every partition is asked; one that knows the lineage makes the
// answer, and one that could not be asked makes it a refusal.
func TestCancelLineage(t *testing.T) {
	lost := command.Result{Reason: command.NotFound, Message: "nothing of it"}
	for name, test := range map[string]struct {
		answers []command.Result
		want    string
	}{
		"everywhere":       {[]command.Result{{}, {}, {}}, "7 done"},
		"in one":           {[]command.Result{lost, {}, lost}, "7 done"},
		"nowhere":          {[]command.Result{lost, lost, lost}, "7 not_found"},
		"one did not hear": {[]command.Result{{}, {Reason: command.NoLeader}, lost}, "7 no_leader"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, _ := ensures()
			stop := command.CancelLineage{Tenant: "t", CorrelationID: "story"}
			got := &answers{}
			e.CancelLineage(stop.Append(nil), got, 7)
			seqs := make(map[uint32]uint64)
			for _, s := range e.links.take() {
				f := readFrame(s.data)
				if f.kind != frameAsk {
					continue
				}
				seqs[f.group-1] = f.Uint()
				f.Byte()
				f.Uint()
				prefix, r := command.ReadPrefix(f.Rest())
				var c command.CancelLineage
				if c.Decode(&r); prefix.Kind != command.KindCancelLineage || c != stop {
					t.Fatalf("partition %d was asked for %v: %+v", f.group-1, prefix.Kind, c)
				}
			}
			if len(seqs) != 3 {
				t.Fatalf("%d partitions were asked", len(seqs))
			}
			for p := range uint32(3) {
				got.are(t)
				e.says(p, seqs, test.answers[p])
			}
			got.are(t, test.want)
		})
	}
	e := newEdge(0)
	got := &answers{}
	e.CancelLineage(nil, got, 8)
	got.are(t, "8 no_leader")
}
