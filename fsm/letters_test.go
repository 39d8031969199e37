package fsm

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestLettersArePaged: whatever else is parked between them, and however little
// a page may have or look at, the pages of a tenant's dead letters are all of
// them, once, in the order in which their events were stored.
func TestLettersArePaged(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, store, group)
		w.apply(true, entryOf(command.Header{}, firstLeader()))
		want := buryMany(t, w)
		query := LetterQuery{
			Tenant: "t", Channel: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "channel"),
			Limit: rapid.IntRange(1, 6).Draw(t, "limit"), look: rapid.IntRange(1, 6).Draw(t, "look"),
		}
		var got []string
		w.read(func(view *storage.View) {
			for more := true; more; {
				page, err := ReadDeadLetters(view, &query)
				check(t, err)
				if len(page.Letters) > query.Limit || len(page.Places) != len(page.Letters) {
					t.Fatalf("%d letters, %d places on a page of %d", len(page.Letters), len(page.Places), query.Limit)
				}
				if page.More && page.Next.compare(query.After) <= 0 {
					t.Fatalf("the page behind %+v leads to %+v", query.After, page.Next)
				}
				for i := range page.Letters {
					got = append(got, page.Letters[i].EventID)
				}
				query.After, more = page.Next, page.More
			}
		})
		if g, w := fmt.Sprint(got), fmt.Sprint(want[query.Channel]); g != w {
			t.Fatalf("pages have\n%s\nwant\n%s", g, w)
		}
	})
}

// buryMany stores events of two tenants in two channels, has each of them
// granted, and ends them in different ways. It returns the dead ones of tenant
// t, by channel and under the empty name all.
func buryMany(t *rapid.T, w *world) map[string][]string {
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("a", 100), offerOf("b", 100)}}
	var publishes []interface{ Append([]byte) []byte }
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		p := publishOf(rapid.SampledFrom([]string{"t", "t", "t", "u"}).Draw(t, "tenant"), []byte("x"))
		p.Event.Channel = rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "channel")
		publishes = append(publishes, p)
	}
	grants := w.apply(true, entryOf(header, publishes...))[0].Grants
	var ends []interface{ Append([]byte) []byte }
	dead := make(map[uint64]bool)
	for i := range grants {
		lease := grants[i].Job.Lease
		switch rapid.IntRange(0, 3).Draw(t, "end") {
		case 0:
			ends = append(ends, &command.Complete{Lease: lease})
		case 1:
			ends = append(ends, &command.Fail{Lease: lease})
		default:
			ends = append(ends, &command.Fail{Lease: lease, Final: true})
			dead[lease.Event.Position] = true
		}
	}
	w.apply(true, entryOf(command.Header{Generation: 1}, ends...))
	want := make(map[string][]string)
	for position := range uint64(len(grants)) {
		for i := range grants {
			job := &grants[i].Job
			if id := job.Lease.Event; id.Position == position+1 && dead[id.Position] && job.Event.Tenant == "t" {
				want[""] = append(want[""], id.String())
				want[job.Event.Channel] = append(want[job.Event.Channel], id.String())
			}
		}
	}
	return want
}
