package fsm

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// priorityOf is a publish of a tenant with a priority.
func priorityOf(tenant string, priority uint32) *command.Publish {
	publish := publishOf(tenant, nil)
	publish.Event.Priority = priority
	return publish
}

// TestPrioritiesStayInTheirTenant: with priorities or without, the tenants take
// the same turns, also over restarts.
func TestPrioritiesStayInTheirTenant(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		plain, classed := newWorld(t, store, group), newWorld(t, store, group)
		for _, w := range []*world{plain, classed} {
			w.apply(true, entryOf(command.Header{}, firstLeader()))
		}
		for range rapid.IntRange(1, 12).Draw(t, "entries") {
			var without, with []interface{ Append([]byte) []byte }
			for range rapid.IntRange(0, 12).Draw(t, "events") {
				tenant := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")
				without = append(without, priorityOf(tenant, 0))
				with = append(with, priorityOf(tenant, rapid.Uint32Range(0, command.MaxPriority).Draw(t, "priority")))
			}
			offer := offerOf("work", uint32(rapid.IntRange(0, 10).Draw(t, "credit")))
			offer.Tenant = rapid.SampledFrom([]string{"", "", "b"}).Draw(t, "limited to")
			header := command.Header{Generation: 1, Offers: []command.Offer{offer}}
			got, want := tenantsOf(classed.apply(true, entryOf(header, with...))[0]), tenantsOf(plain.apply(true, entryOf(header, without...))[0])
			if !slices.Equal(got, want) {
				t.Fatalf("turns of tenants %v, without priorities %v", got, want)
			}
			if rapid.Bool().Draw(t, "reopen") {
				classed.reopen()
			}
		}
	})
}

func tenantsOf(out *Outcome) (tenants []string) {
	for i := range out.Grants {
		tenants = append(tenants, out.Grants[i].Job.Event.Tenant)
	}
	return tenants
}

// TestPrioritiesShare: of two classes of a tenant that both wait, each gets what
// its weight says, 2 to the power of its priority, to within one turn of each; so
// the urgent ones come soon, and the others come.
func TestPrioritiesShare(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, store, group)
		w.apply(true, entryOf(command.Header{}, firstLeader()))
		low := rapid.Uint32Range(0, 4).Draw(t, "low")
		high := rapid.Uint32Range(low+1, 5).Draw(t, "high")
		left := map[uint32]int{}
		publish := func(priority uint32, events int) {
			var commands []interface{ Append([]byte) []byte }
			for range events {
				commands = append(commands, priorityOf("t", priority))
			}
			left[priority] += events
			w.apply(true, entryOf(command.Header{Generation: 1}, commands...))
		}
		grant := func(credit uint32) (granted []uint32) {
			header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", credit)}}
			for _, g := range w.apply(true, entryOf(header))[0].Grants {
				granted = append(granted, g.Job.Event.Priority)
				left[g.Job.Event.Priority]--
			}
			return granted
		}
		// What was granted while one of them waited alone is held against nobody.
		first := rapid.SampledFrom([]uint32{low, high}).Draw(t, "first")
		publish(first, rapid.IntRange(1, 100).Draw(t, "before"))
		grant(uint32(left[first]) - uint32(rapid.IntRange(0, 1).Draw(t, "one waits")))
		publish(low, 200)
		publish(high, 200)
		counts := map[uint32]float64{}
		for left[low] > 1 && left[high] > 1 {
			for _, priority := range grant(1) {
				counts[priority]++
			}
			ahead := counts[low]/float64(uint64(1)<<low) - counts[high]/float64(uint64(1)<<high)
			if room := 2/float64(uint64(1)<<low) + 2/float64(uint64(1)<<high); ahead > room || -ahead > room {
				t.Fatalf("priorities %d and %d got %v: %v ahead", low, high, counts, ahead)
			}
			if rapid.IntRange(0, 20).Draw(t, "reopen") == 0 {
				w.reopen()
			}
		}
	})
}

// BenchmarkPriorities is one publish and grant while a tenant has a backlog in each
// class.
func BenchmarkPriorities(b *testing.B) {
	w := newWorld(b, openStore(b), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	for priority := range uint32(command.MaxPriority + 1) {
		w.apply(true, entryOf(command.Header{Generation: 1}, priorityOf("t", priority), priorityOf("t", priority)))
	}
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", 1)}}
	for i := 0; b.Loop(); i++ {
		w.apply(true, entryOf(header, priorityOf("t", uint32(i%(command.MaxPriority+1)))))
	}
	b.ReportAllocs()
}
