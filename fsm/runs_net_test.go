package fsm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/storage"
)

// TestRunsOnce: runs that call each other over partitions, wait for messages whose home is
// elsewhere, emit elsewhere and are canceled from anywhere, by relays that lose, repeat
// and delay, with restarts in between. Each passes each of its steps once, is told once of
// each child's end, and a message goes to one of them or waits. At the end nothing is open
// anywhere. Each partition's log, replayed otherwise, gives the same rows and chain.
func TestRunsOnce(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		n := newRunsNet(newRelayNet(t, store, group))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n.act()
			n.checkRuns()
		}
		n.finish()
		for _, p := range n.partitions {
			replayOtherwise(t, newWorld(t, store, group), p.world, p.entries)
		}
	})
}

// walkRuns leads one partition through random lives of runs, and returns its entries.
func walkRuns(t *rapid.T, w *world) [][]byte {
	p := newRelayEnd(w, 0)
	p.key = "k0"
	p.start(1)
	n := newRunsNet(&relayNet{t: t, partitions: []*relayEnd{p}})
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		n.act()
	}
	return p.entries
}

// netWorkflows are what the runs of a net do. What is emitted says which run has passed
// which step.
var netWorkflows = []string{`
workflow: leaf
start: {on: [leaf]}
defaults: {retry: {max_attempts: 2}}
steps:
  work:   {channel: work, compensate: {channel: next}, next: passed}
  passed: {emit: {channel: next, key: event.data.to, data: "{'passed': run.id + '/leaf'}"}, end: true}
on_failure: {compensate: reverse}
`, `
workflow: tree
timeout: 1h
on_failure: {compensate: parallel, on_handler_failure: continue}
steps:
  call:   {call: {workflow: leaf, key: event.data.to}, input: event.data, catch: [{codes: [boom], to: items}], next: called}
  called: {emit: {channel: next, key: event.data.to, data: "{'passed': run.id + '/called'}"}, next: wait}
  wait:   {wait: {any_of: [{message: m, key: event.data.key}, {timer: 10m}]}, next: waited}
  waited: {emit: {channel: next, key: event.data.to, data: "{'passed': run.id + '/waited', 'message': message}"}, next: [{when: event.data.deep > 0, to: deeper}, {to: items}]}
  deeper: {call: {workflow: tree, key: event.data.to}, input: "{'to': event.data.to, 'key': event.data.key, 'deep': event.data.deep - 1}", next: items}
  items:  {channel: work, map: {over: "[1, 2, 3]", max_parallel: 2, tolerate: 1}, compensate: {channel: next, on: started}, next: aside}
  aside:  {call: {workflow: leaf, key: event.data.to, detach: true}, input: event.data, end: true}
`, `
workflow: stop
defaults: {retry: {max_attempts: 1}}
on_failure: incident
steps:
  one:  {channel: work, timeout: 5m, next: both}
  both: {wait: {all_of: [{message: m, key: event.data.key}, {message: n, key: event.data.to}]}, next: two}
  two:  {emit: {channel: next, key: event.data.to, data: "{'passed': run.id + '/two', 'message': message.m}"}, next: call}
  call: {call: {workflow: leaf, key: event.data.to}, input: event.data, end: true}
`}

// runsNet is a few partitions with runs.
type runsNet struct {
	*lineageNet

	// messages are those that were sent, by their number; names what was started.
	messages map[int]*netMessage
	names    []string
}

type netMessage struct {
	number    int
	expiresMS int64
}

func newRunsNet(of *relayNet) *runsNet {
	n := &runsNet{lineageNet: &lineageNet{relayNet: of}, messages: make(map[int]*netMessage)}
	for _, text := range netWorkflows {
		d, problems := workflow.Parse([]byte(text))
		if d == nil {
			n.t.Fatalf("%+v", problems)
		}
		n.names = append(n.names, d.Name)
		for _, p := range n.partitions {
			p.put(0, &command.InstallDefinition{Tenant: "t", Name: d.Name, Version: d.Version, Canonical: d.Canonical, On: d.On},
				&command.InstallAliases{Tenant: "t", Name: d.Name, Count: 1, Aliases: []command.WorkflowAlias{
					{Alias: DefaultAlias, Targets: []command.WorkflowTarget{{Version: d.Version, Share: command.WholeShare}}},
				}})
		}
	}
	return n
}

func (n *runsNet) any(name string) *relayEnd { return rapid.SampledFrom(n.partitions).Draw(n.t, name) }

func (n *runsNet) act() {
	at := n.any("at")
	switch rapid.SampledFrom([]string{
		"start", "publish", "work", "work", "work", "work", "message", "message", "control", "control", "cancel", "hear", "time",
		"net", "net", "net", "net", "net", "net",
	}).Draw(n.t, "act") {
	case "start":
		n.begin(at)
	case "publish":
		at.put(1, &command.Publish{Route: at.route(), Event: n.event(at, "leaf")})
	case "work":
		n.work(at)
	case "message":
		n.message()
	case "control":
		n.control(at)
	case "cancel":
		if len(n.lineages) > 0 {
			n.cancel(rapid.SampledFrom(n.lineages).Draw(n.t, "lineage"))
		}
	case "hear":
		n.hear()
	case "time":
		n.pass(rapid.SampledFrom([]int64{100, 6000, 70_000, 700_000}).Draw(n.t, "elapsed"))
	case "net":
		n.transport(at)
	}
}

func (p *relayEnd) route() command.Route { return command.Route{Slot: command.SlotOf("t", p.key)} }

func (n *runsNet) event(at *relayEnd, channel string) command.Event {
	data := fmt.Sprintf(`{"to":%q,"key":%q,"deep":%d}`, n.any("to").key, rapid.SampledFrom([]string{"a", "b"}).Draw(n.t, "message key"), rapid.IntRange(0, 2).Draw(n.t, "deep"))
	return command.Event{
		Channel: channel, Tenant: "t", Key: at.key, ClientID: n.any("client").key,
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(data)},
	}
}

// begin starts a run, sometimes one that was started before.
func (n *runsNet) begin(at *relayEnd) {
	c := &command.StartRun{Route: at.route(), Workflow: rapid.SampledFrom(n.names).Draw(n.t, "workflow"), Event: n.event(at, "")}
	c.Event.IdempotencyKey = rapid.SampledFrom([]string{"", "once"}).Draw(n.t, "idempotency")
	r := at.put(uint32(rapid.IntRange(0, 2).Draw(n.t, "credit")), c).Results[0]
	if r.Reason == command.Done && !r.Duplicate {
		n.lineages = append(n.lineages, &netLineage{id: r.Event.String(), event: r.Event, client: c.Event.ClientID, home: at})
	}
}

// work ends what is leased, one way or another.
func (n *runsNet) work(at *relayEnd) {
	leases := at.leases
	at.leases = nil
	for _, lease := range leases {
		switch rapid.SampledFrom([]string{"done", "done", "done", "done", "fail", "final", "expire", "keep"}).Draw(n.t, "hand") {
		case "done":
			at.put(1, &command.Complete{Lease: lease, Result: n.data(), Usage: []byte(`{"tokens":2}`)})
		case "fail":
			at.put(1, &command.Fail{Lease: lease, Code: "boom"})
		case "final":
			at.put(1, &command.Fail{Lease: lease, Code: "bang", Final: true})
		case "expire":
			at.put(1, &command.Expire{Generation: at.machine.Generation(), Leases: []command.LeaseID{lease}})
		case "keep":
			at.leases = append(at.leases, lease)
		}
	}
	at.put(2)
}

// message sends one to its home.
func (n *runsNet) message() {
	name := rapid.SampledFrom([]string{"m", "m", "n"}).Draw(n.t, "message")
	key := rapid.SampledFrom([]string{"a", "b"}).Draw(n.t, "message key")
	if name == "n" {
		key = n.any("key").key
	}
	n.sent++
	slot := command.SlotOf("t", command.MessageKey(name, key))
	home := n.partitions[command.PartitionOf(slot, uint32(len(n.partitions)))]
	c := &command.SendMessage{
		Route: command.Route{Slot: slot}, Tenant: "t", Name: name, Key: key, TTLMS: 600_000, ID: fmt.Sprint(n.sent),
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(fmt.Sprint(n.sent))},
	}
	r := home.put(0, c).Results[0]
	check(n.t, reasonIs(&r, command.Done))
	if name == "m" {
		n.messages[n.sent] = &netMessage{n.sent, n.timeMS + 600_000}
	}
	if rapid.Bool().Draw(n.t, "twice") {
		home.put(0, c)
	}
}

// netRun is a run as its partition keeps it.
type netRun struct {
	runRow

	id command.EventID
	at *relayEnd
}

// runs are all that there are.
func (n *runsNet) runs() (runs []*netRun) {
	for _, p := range n.partitions {
		p.read(func(view *storage.View) {
			check(n.t, view.Scan([]byte{kindRun}, after([]byte{kindRun}), func(key, value []byte) (bool, error) {
				r := &netRun{at: p}
				r.read(slices.Clone(value))
				r.id = command.EventID{Epoch: p.machine.counters.epoch, Partition: uint16(p.id), Queue: r.queue, Position: ^u64At(key, 5)}
				runs = append(runs, r)
				return true, nil
			}))
		})
	}
	return runs
}

// control is what an operator asks of a run.
func (n *runsNet) control(at *relayEnd) {
	runs := slices.DeleteFunc(n.runs(), func(r *netRun) bool { return r.at != at })
	if len(runs) == 0 {
		return
	}
	r := rapid.SampledFrom(runs).Draw(n.t, "run")
	c := &command.ControlRun{Run: r.id, Tenant: "t", Reason: "asked"}
	actions := []command.RunAction{command.RunCancel, command.RunPause, command.RunResume, command.RunResume, command.RunRetry, command.RunRetry, command.RunSkip, command.RunFail}
	c.Action = rapid.SampledFrom(actions).Draw(n.t, "action")
	c.NoUndo = rapid.IntRange(0, 3).Draw(n.t, "no undo") == 0
	at.put(1, c)
}

// replayOtherwise applies a log in other batches, with restarts and snapshots, and wants
// the rows and the chain that there are.
func replayOtherwise(t *rapid.T, other, w *world, entries [][]byte) {
	t.Helper()
	digest, chain := w.digest()
	for left := entries; len(left) > 0; {
		batch := rapid.IntRange(1, len(left)).Draw(t, "batch")
		other.apply(rapid.Bool().Draw(t, "leads"), left[:batch]...)
		left = left[batch:]
		switch rapid.IntRange(0, 3).Draw(t, "then") {
		case 0:
			other.reopen()
		case 1:
			other.reinstall()
		}
	}
	if d, c := other.digest(); d != digest || c != chain {
		t.Fatalf("rows %x, chain %x; replayed otherwise %x, %x", digest, chain, d, c)
	}
}

// finish lets everything end, and wants nothing to be left open.
func (n *runsNet) finish() {
	for len(n.cancels) > 0 {
		n.hear()
	}
	n.settle()
	for round := 0; n.unfinished(); round++ {
		if round > 100 {
			n.t.Fatalf("the runs do not come to an end: %s", n.describe())
		}
		for _, r := range n.runs() {
			n.push(r, round)
		}
		n.pass(60_000)
		for _, p := range n.partitions {
			leases := p.leases
			p.leases = nil
			for _, lease := range leases {
				p.put(1, &command.Complete{Lease: lease})
			}
			p.put(5)
		}
		n.settle()
		n.checkRuns()
	}
	n.checkRest()
}

// push has an operator bring a run on its way, and in the end stop it: it may wait for a
// message that nobody sends.
func (n *runsNet) push(r *netRun, round int) {
	c := &command.ControlRun{Run: r.id, Tenant: "t"}
	switch {
	case r.State.Ended():
		return
	case r.Incident != nil:
		c.Action = command.RunFail
	case r.Paused:
		c.Action = command.RunResume
	case round > 30:
		c.Action = command.RunCancel
	default:
		return
	}
	r.at.put(0, c)
}

func (n *runsNet) unfinished() bool {
	return n.busy() || slices.ContainsFunc(n.runs(), func(r *netRun) bool { return !r.State.Ended() })
}

func (n *runsNet) describe() string {
	var b strings.Builder
	for _, r := range n.runs() {
		if !r.State.Ended() {
			fmt.Fprintf(&b, "%s in %d: %+v\n", r.id, r.at.id, r.runRow)
		}
	}
	return b.String()
}

// checkRuns holds what runs say that lives of them against what is kept of it, and what
// partitions say is open against what is.
func (n *runsNet) checkRuns() {
	for _, p := range n.partitions {
		p.read(func(view *storage.View) { recount(n.t, view).check(n.t, view) })
	}
	for _, r := range n.runs() {
		live := r.itemsLive()
		for i := range r.jobs {
			if r.jobs[i].entry == 0 {
				live++
			}
		}
		if r.Live != live {
			n.t.Fatalf("run %s is %s at step %d with %d live, there are %d: %+v", r.id, r.State, r.Step, r.Live, live, r.jobs)
		}
	}
}

// itemsLive are a map's jobs that have not ended.
func (r *netRun) itemsLive() (live uint32) {
	prefix := keyRunPart(nil, r.id.Position, runLive)
	r.at.read(func(view *storage.View) {
		check(r.at.tb, view.Scan(prefix, after(prefix), func([]byte, []byte) (bool, error) {
			live++
			return true, nil
		}))
	})
	return live
}

// checkRest looks at what is left when all has ended.
func (n *runsNet) checkRest() {
	for _, p := range n.partitions {
		p.read(func(view *storage.View) {
			for _, kind := range [][]byte{{kindOpen}, {kindUnfinished}, {kindDefinition, definitionLive}, {kindPausedRun}} {
				check(n.t, view.Scan(kind, after(kind), func(key, value []byte) (bool, error) {
					n.t.Fatalf("all has ended, and partition %d has %q: %x", p.id, key, value)
					return false, nil
				}))
			}
		})
	}
	n.checkPassed()
}

// seen is what runs have emitted, and which messages wait.
type seen struct {
	passed  map[string]int
	taken   map[int]int
	waiting map[int]bool
}

func (n *runsNet) look() *seen {
	s := &seen{passed: make(map[string]int), taken: make(map[int]int), waiting: make(map[int]bool)}
	for _, p := range n.partitions {
		p.read(func(view *storage.View) {
			check(n.t, view.Scan([]byte{kindEvent}, after([]byte{kindEvent}), s.event))
			check(n.t, view.Scan([]byte{kindMessage}, after([]byte{kindMessage}), s.message))
		})
	}
	return s
}

func (s *seen) event(_, value []byte) (bool, error) {
	var news struct {
		Passed  string
		Message int
	}
	e := readEvent(value, command.EventID{}, "", "")
	if json.Unmarshal(e.Payload.Bytes, &news) == nil && news.Passed != "" && e.Task.Run.IsZero() {
		s.passed[news.Passed]++
		s.taken[news.Message]++
	}
	return true, nil
}

func (s *seen) message(key, value []byte) (bool, error) {
	number := 0
	if len(key) < len(keyMessage(nil, 0, digest{}, 0)) {
		return true, nil // One who waits.
	}
	if err := json.Unmarshal(readMessage(value).payload.Bytes, &number); err != nil {
		return false, err
	}
	s.waiting[number] = true
	return true, nil
}

// checkPassed wants each run to have passed what it emitted of once, and each message to
// have gone to one of them, or to wait for its time to live.
func (n *runsNet) checkPassed() {
	s := n.look()
	for what, times := range s.passed {
		if times != 1 {
			n.t.Fatalf("%s was passed %d times", what, times)
		}
	}
	for _, r := range n.runs() {
		if r.name == "leaf" && r.State == engine.Succeeded && s.passed[r.id.String()+"/leaf"] != 1 {
			n.t.Fatalf("leaf %s has succeeded, and emitted nothing", r.id)
		}
	}
	interrupted := n.interrupted()
	for number, message := range n.messages {
		if s.taken[number] > 1 || s.taken[number] == 1 && s.waiting[number] {
			n.t.Fatalf("message %d was taken %d times, waits %v", number, s.taken[number], s.waiting[number])
		}
		if s.taken[number] == 0 && !s.waiting[number] && message.expiresMS > n.timeMS && !interrupted {
			n.t.Fatalf("message %d is lost", number)
		}
	}
}

// interrupted tells whether a run may have taken a message, and ended before it went on:
// one that waits for two, or was paused.
func (n *runsNet) interrupted() bool {
	return slices.ContainsFunc(n.runs(), func(r *netRun) bool { return r.State != engine.Succeeded && r.name != "leaf" })
}
