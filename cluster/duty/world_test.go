package duty

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// world is a partition on its leader: real rows and a real machine, a log that
// the test packs and lands by hand, and a clock that stands still.
type world struct {
	gateways

	tb      tester
	store   *storage.Store
	state   *storage.State
	machine *fsm.Machine
	index   uint64
	now     time.Time
	epoch   string
	duty    *Duty
	// partition is which one of partitions it is.
	partition, partitions uint32

	// relays are the batches on their way to other partitions; full means that
	// none is taken.
	relays []relayed
	full   bool

	// proposed and woken are what the duties asked the batcher for.
	proposed [][]byte
	woken    bool
	// feeding means that followers are to be fed.
	feeding bool
	// flying are the entries that are proposed and not applied; landed are
	// applied, and Done was not told.
	flying, landed []flight
}

// flight is an entry on its way.
type flight struct {
	packed Packed
	data   []byte
}

// tester is what a test of either kind offers.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

type appender interface{ Append(dst []byte) []byte }

func openStore(tb testing.TB) *storage.Store {
	tb.Helper()
	store, err := storage.Open("data", storage.Options{
		FS: storage.NewCrashFS().FS(), CacheBytes: 4 << 20, MemTableBytes: 16 << 20,
		OnFatal: func(err error) { tb.Errorf("storage failed: %v", err) },
	})
	check(tb, err)
	tb.Cleanup(func() { check(tb, store.Close()) })
	return store
}

func check(tb tester, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

// newWorld is a world with a leader of generation 1 and nothing else.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := openWorld(tb, openStore(tb), 1)
	w.lead()
	return w
}

// openWorld is the world of the only partition, that nobody leads yet, in an
// unused group of the store.
func openWorld(tb tester, store *storage.Store, group uint32) *world {
	tb.Helper()
	return openPartition(tb, store, group, 0, 1)
}

// openPartition is the world of one of several partitions.
func openPartition(tb tester, store *storage.Store, group, partition, partitions uint32) *world {
	tb.Helper()
	state, err := store.OpenState(group)
	check(tb, err)
	w := &world{tb: tb, store: store, state: state, now: time.UnixMilli(1_000_000), epoch: "e1"}
	w.partition, w.partitions = partition, partitions
	w.deaf = make(map[string]bool)
	view := state.View()
	w.machine, err = fsm.Open(view)
	check(tb, err)
	check(tb, view.Close())
	w.duty = New(Config{
		Partition: partition, Node: "n1", State: state, Epoch: func() string { return w.epoch }, Pusher: w, Proposer: w,
		Relayer: w, Feed: func() { w.feeding = true }, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
	})
	return w
}

// Propose implements Proposer.
func (w *world) Propose(encoded []byte) { w.proposed = append(w.proposed, encoded) }

// Wake implements Proposer.
func (w *world) Wake() { w.woken = true }

// apply applies an entry to the rows and returns its outcome.
func (w *world) apply(data []byte) *fsm.Outcome {
	w.tb.Helper()
	tx := w.state.Begin()
	defer tx.Discard()
	w.index++
	tx.BeginEntry(w.index, 1)
	outcome, err := w.machine.Apply(tx, data, true)
	check(w.tb, err)
	tx.EndEntry()
	check(w.tb, tx.Commit())
	return outcome
}

// lead makes this node the leader of a new generation, as the group does.
func (w *world) lead() {
	w.tb.Helper()
	start := command.LeaderStart{Node: "n1", Partition: w.partition, Partitions: w.partitions, Epoch: 1}
	outcome := w.apply(command.AppendEntry(nil, &command.Header{TimeMS: w.now.UnixMilli()}, [][]byte{start.Append(nil)}))
	w.duty.Lead(outcome.Started)
	w.duty.Applied(outcome)
}

// pack proposes an entry of the commands and of what the duties proposed.
func (w *world) pack(commands ...appender) {
	encoded := w.proposed
	w.proposed, w.woken = nil, false
	for _, c := range commands {
		encoded = append(encoded, c.Append(nil))
	}
	packed := w.duty.Pack(encoded)
	header := command.Header{Generation: packed.Generation, TimeMS: w.now.UnixMilli(), Offers: packed.Offers}
	w.flying = append(w.flying, flight{packed, command.AppendEntry(nil, &header, encoded)})
}

// land applies the first entry that flies; answer tells its fate afterwards.
func (w *world) land() {
	w.tb.Helper()
	first := w.flying[0]
	w.flying = w.flying[1:]
	outcome := w.apply(first.data)
	w.landed = append(w.landed, first)
	for i := range outcome.Ended {
		w.jobs = slices.DeleteFunc(w.jobs, func(d delivery) bool { return d.job.Lease == outcome.Ended[i].Lease })
	}
	w.duty.Applied(outcome)
}

func (w *world) answer() {
	w.duty.Done(&w.landed[0].packed, true)
	w.landed = w.landed[1:]
}

// lose has the log refuse the last entry that flies.
func (w *world) lose() {
	last := len(w.flying) - 1
	w.duty.Done(&w.flying[last].packed, false)
	w.flying = w.flying[:last]
}

// rest lets everything happen that the duties ask for, on a clock that stands.
func (w *world) rest() {
	w.tb.Helper()
	for range 100 {
		w.duty.Tick(w.now)
		if w.woken || len(w.proposed) > 0 {
			w.pack()
		}
		if len(w.flying) == 0 && len(w.landed) == 0 {
			return
		}
		for len(w.flying) > 0 {
			w.land()
		}
		for len(w.landed) > 0 {
			w.answer()
		}
	}
	w.tb.Fatalf("the duties never come to rest")
}

// do makes an entry of commands, and then all that follows from it.
func (w *world) do(commands ...appender) {
	w.tb.Helper()
	w.pack(commands...)
	w.rest()
}

// hears wants exactly these lines to have been pushed since the last look.
func (w *world) hears(want ...string) {
	w.tb.Helper()
	heard := w.heard
	w.heard = nil
	if !slices.Equal(heard, want) {
		w.tb.Fatalf("gateways heard\n  %s\nwant\n  %s", strings.Join(heard, "\n  "), strings.Join(want, "\n  "))
	}
}

// publish is an event of a channel, named by its data.
func publish(channel, tenant, name string) *command.Publish {
	return &command.Publish{
		Route: command.Route{Slot: command.SlotOf(tenant, "k")},
		Event: command.Event{
			Channel: channel, Tenant: tenant, Key: "k", ClientID: "ann",
			Payload: command.Payload{Codec: command.CodecBytes, Bytes: []byte(name)},
		},
	}
}

// lent is a registration of a subscription that takes any tenant's work.
func lent(node string, subscription uint64, credit uint32) *Registration {
	return &Registration{
		Node: node, Subscription: subscription, Channel: "work", Group: fsm.DefaultGroup, Worker: "w", LeaseMS: 1000, Credit: credit,
	}
}

// notify has a worker send notifications to the client ann.
func (w *world) notify(count int) {
	w.tb.Helper()
	heard := w.heard
	mill := &Registration{Node: "mill", Subscription: 1, Channel: "mill", Group: fsm.DefaultGroup, LeaseMS: 1000, Credit: 1}
	w.duty.Register(mill)
	w.do(publish("mill", "t", "grain"))
	complete := command.Complete{Lease: w.jobs[len(w.jobs)-1].job.Lease}
	for i := range count {
		complete.Notifies = append(complete.Notifies, command.Notify{Name: fmt.Sprint(i)})
	}
	w.do(&complete)
	w.duty.Unregister("mill", 1)
	for _, line := range w.heard[len(heard):] {
		if !strings.HasPrefix(line, "mill/") {
			heard = append(heard, line)
		}
	}
	w.heard = heard
}

// acknowledge moves a device's cursor of the client ann, in the rows.
func (w *world) acknowledge(device string, seq uint64) {
	w.tb.Helper()
	w.do(&command.Ack{Tenant: "t", ClientID: "ann", DeviceID: device, Seq: seq})
}
