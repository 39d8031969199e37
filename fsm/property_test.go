package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// publishOf is a publish of some data by a tenant's client.
func publishOf(tenant string, data []byte) *command.Publish {
	return &command.Publish{
		Route: command.Route{Slot: command.SlotOf(tenant, "k")},
		Event: command.Event{
			Channel: "work", Tenant: tenant, Key: "k", ClientID: "c",
			Payload: command.Payload{Codec: command.CodecBytes, Bytes: data},
		},
	}
}

func offerOf(channel string, credit uint32) command.Offer {
	return command.Offer{Channel: channel, Group: DefaultGroup, Node: "n1", Worker: "w", Credit: credit}
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
		r := race{left: make([]int, tenants), ahead: make([][]int, tenants)}
		for i := range r.ahead {
			r.ahead[i] = make([]int, tenants)
		}
		for range rapid.IntRange(1, 12).Draw(t, "entries") {
			var commands []interface{ Append([]byte) []byte }
			who, events := rapid.IntRange(0, tenants-1).Draw(t, "who"), rapid.IntRange(0, 15).Draw(t, "events")
			for range events {
				commands = append(commands, publishOf(fmt.Sprint(who), nil))
			}
			r.arrive(who, events)
			header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", uint32(rapid.IntRange(0, 10).Draw(t, "credit")))}}
			for _, grant := range w.apply(true, entryOf(header, commands...))[0].Grants {
				if got := int(grant.Job.Event.Tenant[0] - '0'); r.serve(got) > 2 {
					t.Fatalf("tenant %d is more than two turns ahead: %v, left %v", got, r.ahead[got], r.left)
				}
			}
			if rapid.Bool().Draw(t, "reopen") {
				w.reopen()
			}
		}
	})
}

// race counts turns: left is what each tenant has waiting, ahead[a][b] how many
// turns a got more than b since both wait.
type race struct {
	left  []int
	ahead [][]int
}

func (r *race) arrive(who, events int) {
	if r.left[who] == 0 && events > 0 {
		for other := range r.left {
			r.ahead[who][other], r.ahead[other][who] = 0, 0
		}
	}
	r.left[who] += events
}

// serve returns how far the tenant is ahead of the least served that waits.
func (r *race) serve(who int) (ahead int) {
	r.left[who]--
	for other := range r.left {
		if other != who && r.left[other] > 0 {
			r.ahead[who][other]++
			r.ahead[other][who]--
			ahead = max(ahead, r.ahead[who][other])
		}
	}
	return ahead
}

// TestMemoryHoldsNoData: between entries neither what waits nor what is leased
// keeps its data in memory, since it would pin the entry that it came with; and
// what is granted later has it nevertheless, from the rows.
func TestMemoryHoldsNoData(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	data := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%04d", i)), 800) }
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	for i := range 400 {
		w.apply(true, entryOf(command.Header{Generation: 1}, publishOf("t", data(i))))
	}
	granted := 0
	for i := range 20 {
		header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", 20)}}
		entry := entryOf(header, publishOf("t", data(400+i)))
		grants := w.apply(true, entry)[0].Grants
		for at := range grants {
			if got := grants[at].Job.Event.Payload.Bytes; !bytes.Equal(got, data(granted+at)) {
				t.Fatalf("grant %d has %d bytes of data, %.4q…", granted+at, len(got), got)
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
	header := command.Header{Generation: 1, Offers: []command.Offer{offerOf("work", 1), offerOf("none", 7)}}
	entry := func(data string) []byte { return entryOf(header, publishOf("t", []byte(data))) }
	outcome := w.apply(true, entry("one"))[0]
	before := fmt.Sprintf("%+v", *outcome)
	w.apply(true, entry("two"), entryOf(command.Header{Generation: 1}, &command.Complete{
		Lease: outcome.Grants[0].Job.Lease, Emits: []command.Event{{Channel: "next"}}, Notifies: []command.Notify{{Name: "n"}},
	}), entry("three"))
	if after := fmt.Sprintf("%+v", *outcome); after != before {
		t.Fatalf("an outcome changed from\n%s\nto\n%s", before, after)
	}
}

// TestTenantsAreRemembered: the id of a tenant is looked up once, and that of one that is
// not there yet not remembered.
func TestTenantsAreRemembered(t *testing.T) {
	w := newWorld(t, openStore(t), new(uint32))
	w.apply(true, entryOf(command.Header{}, firstLeader()))
	known := make(KnownTenants)
	head := func() (head uint64) {
		w.read(func(view *storage.View) {
			info, err := ReadStream(view, known, "t", "ann", "")
			check(t, err)
			head = info.Head
		})
		return head
	}
	if head() != 0 || len(known) != 0 {
		t.Fatalf("known are %v", known)
	}
	news := command.Broadcast{Tenant: "t", IdempotencyKey: "k", CorrelationID: "c", Name: "n", Clients: []string{"ann"}}
	w.apply(true, entryOf(command.Header{Generation: 1}, &news))
	if head() != 1 || known["t"] == 0 {
		t.Fatalf("known are %v", known)
	}
	known["t"]++ // What is remembered is not looked up.
	if head() != 0 {
		t.Fatal("the tenant was looked up again")
	}
}
