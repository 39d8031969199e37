package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// publishOf is a publish of some data to a channel by a tenant's client.
func publishOf(channel, tenant string, data []byte) *command.Publish {
	return &command.Publish{
		Route: command.Route{Slot: command.SlotOf(tenant, "k")},
		Event: command.Event{
			Channel: channel, Tenant: tenant, Key: "k", ClientID: "c",
			Payload: command.Payload{Codec: command.CodecBytes, Bytes: data},
		},
	}
}

func offerOf(channel, tenant string, credit uint32) command.Offer {
	return command.Offer{Channel: channel, Group: DefaultGroup, Tenant: tenant, Node: "n1", Worker: "w", Credit: credit}
}

// TestTurnsAreFair: of two tenants that both wait, neither is ever more than two
// grants ahead of the other, counted from the moment when the later of them began
// to wait: it begins at the clock, which is up to one turn behind the other, and
// may win a tie. What was granted before is neither owed nor held against
// anybody, also over restarts.
func TestTurnsAreFair(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, store, group)
		w.apply(true, entryOf(command.Header{}, firstLeader()))
		tenants := rapid.IntRange(2, 5).Draw(t, "tenants")
		left, since := make([]int, tenants), make([][]int, tenants)
		for range rapid.IntRange(1, 12).Draw(t, "entries") {
			header := command.Header{Generation: 1}
			var commands []interface{ Append([]byte) []byte }
			who, events := rapid.IntRange(0, tenants-1).Draw(t, "who"), rapid.IntRange(0, 15).Draw(t, "events")
			for range events {
				commands = append(commands, publishOf("work", fmt.Sprint(who), nil))
			}
			if left[who] == 0 && events > 0 {
				for other := range since {
					if since[other] != nil {
						since[other][who] = 0
					}
				}
				since[who] = make([]int, tenants)
			}
			left[who] += events
			header.Offers = []command.Offer{offerOf("work", "", uint32(rapid.IntRange(0, 10).Draw(t, "credit")))}
			for _, grant := range w.apply(true, entryOf(header, commands...))[0].Grants {
				got := int(grant.Job.Event.Tenant[0] - '0')
				left[got]--
				for other := range tenants {
					if other == got || left[other] == 0 {
						continue
					}
					// since[x][y] is how often x was served, less y, since both wait.
					since[got][other]++
					since[other][got]--
					if since[got][other] > 2 {
						t.Fatalf("tenant %d is %d turns ahead of %d", got, since[got][other], other)
					}
				}
				if left[got] == 0 {
					since[got] = nil
					for other := range since {
						if since[other] != nil {
							since[other][got] = 0
						}
					}
				}
			}
			if rapid.Bool().Draw(t, "reopen") {
				w.reopen()
			}
		}
	})
}

// TestMemoryHoldsNoData: between entries neither what waits nor what is leased
// keeps its data in memory, since it would pin the entry that it came with; and
// what is granted later has it nevertheless, from the rows.
func TestMemoryHoldsNoData(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	data := bytes.Repeat([]byte("d"), 3000)
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	for range 400 {
		w.apply(true, entryOf(command.Header{Generation: 1}, publishOf("work", "t", data)))
	}
	granted := 0
	for range 20 {
		header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", "", 20)}}
		entry := entryOf(header, publishOf("work", "t", data))
		grants := w.apply(true, entry)[0].Grants
		for i := range grants {
			if !bytes.Equal(grants[i].Job.Event.Payload.Bytes, data) {
				t.Fatalf("grant %d has %d bytes of data", granted+i, len(grants[i].Job.Event.Payload.Bytes))
			}
		}
		granted += len(grants)
		w.holdsNoData(t)
	}
	if granted != 400 {
		t.Fatalf("%d events granted", granted)
	}
}

func (w *world) holdsNoData(t *testing.T) {
	t.Helper()
	held := func(e *event) bool { return e.whole || e.Payload.Bytes != nil || e.Headers != nil }
	for _, j := range w.machine.active {
		if held(j.event) {
			t.Fatalf("the lease of %v holds its data", j.event.id)
		}
	}
	for _, q := range w.machine.queues {
		for _, c := range q.cursors {
			if len(c.upcoming) > upcomingLimit {
				t.Fatalf("%d upcoming events are in memory", len(c.upcoming))
			}
			for _, e := range c.upcoming {
				if held(e) {
					t.Fatalf("the waiting event %v holds its data", e.id)
				}
			}
		}
	}
}

// TestOutcomeStandsAlone: a batch's outcomes are read after its last entry, so
// none may change with a later Apply.
func TestOutcomeStandsAlone(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", "", 1), offerOf("none", "", 7)}}
	entry := func(data string) []byte { return entryOf(header, publishOf("work", "t", []byte(data))) }
	outcome := w.apply(true, entry("one"))[0]
	before := fmt.Sprintf("%+v", *outcome)
	w.apply(true, entry("two"), entryOf(command.Header{Generation: 1}, &command.Complete{
		Lease: outcome.Grants[0].Job.Lease, Emits: []command.Event{{Channel: "next"}}, Notifies: []command.Notify{{Name: "n"}},
	}), entry("three"))
	if after := fmt.Sprintf("%+v", *outcome); after != before {
		t.Fatalf("an outcome changed from\n%s\nto\n%s", before, after)
	}
}
