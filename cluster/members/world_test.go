package members

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
)

// errCrash is what a store returns when its node dies in a write.
var errCrash = errors.New("crashed")

// disk is a LocalStore that survives its node. It can die at one of the next
// writes, with or without that write on the disk.
type disk struct {
	rows    map[string][]byte
	dieIn   int // the write that kills, counted down to 0; negative never
	keep    bool
	written int
}

func newDisk() *disk { return &disk{rows: map[string][]byte{}, dieIn: -1} }

func (d *disk) SetLocal(name string, value []byte) error {
	dies := d.dieIn == 0
	d.dieIn--
	if !dies || d.keep {
		d.rows[name] = slices.Clone(value)
	}
	if dies {
		return errCrash
	}
	d.written++
	return nil
}

func (d *disk) GetLocal(name string) ([]byte, bool, error) {
	value, found := d.rows[name]
	return slices.Clone(value), found, nil
}

// counter is a source of "random" bytes that never gives the same id twice.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	for i := range p {
		p[i] = c.n
	}
	return len(p), nil
}

// actor is one machine in a world; down while machine is nil.
type actor struct {
	member  command.Member
	disk    *disk
	machine *machine
	lives   int
}

// flight is a question, or its answer, on the way.
type flight struct {
	asker *actor
	life  int
	ask   ask
	reply *reply
}

// world is nodes, their disks, and messages that arrive in any order, twice or
// never. Every message passes the codec.
type world struct {
	t       fataler
	expect  int
	random  counter
	actors  []*actor
	flights []*flight
	// decided are all formations that ever reached a disk as a decision.
	decided map[string][]command.Member
}

func newWorld(t fataler, expect, nodes int) *world {
	w := &world{t: t, expect: expect, decided: map[string][]command.Member{}}
	for i := range nodes {
		w.actors = append(w.actors, &actor{member: testMember(fmt.Sprintf("n%d", i+1), 1), disk: newDisk()})
		w.start(w.actors[i])
	}
	return w
}

func testMember(name string, incarnation int) command.Member {
	return command.Member{
		ID: fmt.Sprintf("%s.%x", name, incarnation), Name: name,
		PeerAddress: name + ":1", GossipAddress: name + ":2", ClientURL: "http://" + name, Version: "test",
	}
}

func (w *world) start(a *actor) {
	machine, err := newMachine(&Config{
		Self: a.member, Expect: w.expect, Partitions: DefaultPartitions, Replicas: DefaultReplicas, Local: a.disk,
	}, &w.random)
	if err != nil {
		w.t.Fatalf("start %s: %v", a.member.ID, err)
	}
	a.machine = machine
	a.lives++
}

// check looks at an actor after it has done something: a dead disk takes the
// node down, and a decision is recorded.
func (w *world) check(a *actor, err error) {
	if err != nil && !errors.Is(err, errCrash) {
		w.t.Fatalf("%s: %v", a.member.ID, err)
	}
	if record := a.disk.rows[rowName]; record != nil {
		row, decodeErr := decodeRow(record)
		if decodeErr != nil {
			w.t.Fatalf("%s: row: %v", a.member.ID, decodeErr)
		}
		if row.standing == formed {
			w.decided[row.formation.ClusterID] = row.formation.Members
		}
	}
	if err != nil {
		a.machine = nil
		a.disk.dieIn = -1
	}
	if len(w.decided) > 1 {
		w.t.Fatalf("more than one cluster: %v", w.decided)
	}
}

// plan runs one machine's plan over a view of the nodes that visible admits.
func (w *world) plan(a *actor, settled bool, visible func(*actor) bool) {
	asks, err := a.machine.plan(w.view(a, settled, visible))
	w.check(a, err)
	for _, q := range asks {
		w.flights = append(w.flights, &flight{asker: a, life: a.lives, ask: q})
	}
}

func (w *world) view(a *actor, settled bool, visible func(*actor) bool) view {
	v := view{settled: settled}
	for _, other := range w.actors {
		if other != a && !visible(other) {
			continue
		}
		c := candidate{member: other.member, expect: w.expect}
		if row, err := decodeRow(other.disk.rows[rowName]); err == nil && row.standing == formed {
			c.cluster = row.formation.ClusterID
		}
		v.alive = append(v.alive, c)
	}
	return v
}

// deliver moves a flight one step, and tells whether it has arrived back.
func (w *world) deliver(f *flight) bool {
	if f.reply != nil {
		if f.asker.machine != nil && f.asker.lives == f.life {
			w.check(f.asker, f.asker.machine.hear(&f.ask, f.reply))
		}
		return true
	}
	target := w.at(f.ask.to.PeerAddress)
	if target == nil {
		return true
	}
	q, err := decodeRequest(f.ask.request.encode())
	if err != nil {
		w.t.Fatalf("request: %v", err)
	}
	answer, err := w.answer(target, &q)
	w.check(target, err)
	if err != nil {
		return true
	}
	decoded, err := decodeReply(answer.encode())
	if err != nil {
		w.t.Fatalf("reply: %v", err)
	}
	f.reply = &decoded
	return false
}

func (w *world) answer(target *actor, q *request) (reply, error) {
	row := &target.machine.row
	if q.kind == askJoin && q.to == target.member.ID && row.standing == formed {
		return reply{outcome: belongs, from: target.member.ID, formation: row.formation}, nil
	}
	if q.kind == askJoin {
		return reply{outcome: refused, from: target.member.ID}, nil
	}
	return target.machine.serve(q)
}

// at is the running node that listens at an address: the latest of its name.
func (w *world) at(address string) *actor {
	for _, a := range slices.Backward(w.actors) {
		if a.member.PeerAddress == address {
			if a.machine == nil {
				return nil
			}
			return a
		}
	}
	return nil
}

// heal starts every node and lets everyone talk, until nothing more can happen.
func (w *world) heal() {
	for _, a := range w.actors {
		a.disk.dieIn = -1
		if a.machine == nil && w.latest(a) {
			w.start(a)
		}
	}
	for range 30 {
		for _, a := range w.actors {
			if a.machine != nil {
				w.plan(a, true, w.latest)
			}
		}
		for len(w.flights) > 0 {
			f := w.flights[0]
			if w.deliver(f) {
				w.flights = w.flights[1:]
			}
		}
	}
}

// latest tells whether the node was not replaced by one with empty data.
func (w *world) latest(a *actor) bool {
	i := slices.Index(w.actors, a)
	return !slices.ContainsFunc(w.actors[i+1:], func(b *actor) bool { return b.member.Name == a.member.Name })
}

// verdict demands that a healed world is one cluster; or else that a node waits
// for a coordinator that no longer exists and names it, and the others say why
// they wait.
func (w *world) verdict() {
	lost := w.lostCoordinator()
	for _, a := range w.actors {
		if a.machine == nil || a.machine.row.standing == formed {
			continue
		}
		v := w.view(a, true, w.latest)
		text := a.machine.waiting(&v)
		if lost == "" || text == "" {
			w.t.Fatalf("%s has no cluster and no reason: %q", a.member.ID, text)
		}
		if a.machine.row.standing == promised && a.machine.row.promise.coordinator().ID == lost && !strings.Contains(text, lost) {
			w.t.Fatalf("%s does not name %s: %q", a.member.ID, lost, text)
		}
	}
}

// lostCoordinator is one that some node waits for and that no longer exists, or "".
func (w *world) lostCoordinator() string {
	for _, a := range w.actors {
		if a.machine == nil || a.machine.row.standing != promised {
			continue
		}
		if id := a.machine.row.promise.coordinator().ID; !w.exists(id) {
			return id
		}
	}
	return ""
}

func (w *world) exists(id string) bool {
	return slices.ContainsFunc(w.actors, func(a *actor) bool { return a.member.ID == id && w.latest(a) })
}

// fataler is testing.T and rapid.T.
type fataler interface {
	Fatalf(format string, args ...any)
}
