package fsm

import (
	"cmp"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// A message and who waits for it meet at the partition of command.MessageKey: their
// home. The home offers the message to the run, which takes it or not; what is not
// taken is kept for its time to live. What they tell each other goes by relays, each
// once and in order; within one partition it is done at once.

// How long messages are kept that nobody waits for.
const (
	// DefaultMessageTTLMS is for those that do not say.
	DefaultMessageTTLMS = 24 * 3600 * 1000
	// MaxMessageTTLMS is for how long at most.
	MaxMessageTTLMS = 365 * 24 * 3600 * 1000
	// MaxMessages is how many of one name and key may wait for somebody to wait for them.
	MaxMessages = 1000
)

// waiterRow is who waits for a message. offered is the message that it was offered and
// has not answered for, 0 for none.
type waiterRow struct {
	run                   command.EventID
	step, iteration, part uint32
	offered               uint64
}

func (w *waiterRow) append(dst []byte) []byte {
	dst = command.AppendEventID(append(dst, rowVersion), w.run)
	for _, v := range []uint32{w.step, w.iteration, w.part} {
		dst = command.AppendUint(dst, uint64(v))
	}
	return command.AppendUint(dst, w.offered)
}

func (w *waiterRow) read(value []byte) {
	r := openRow(value)
	w.run, w.step, w.iteration, w.part, w.offered = r.EventID(), r.Uint32(), r.Uint32(), r.Uint32(), r.Uint()
	closeRow(&r)
}

func (w *waiterRow) is(n *command.RunNews) bool {
	return w.run == n.From && w.step == n.Step && w.iteration == n.Iteration && w.part == n.Part
}

// messageRow is a message that waits.
type messageRow struct {
	id        string
	expiresMS int64
	payload   command.Payload
}

func (r *messageRow) append(dst []byte) []byte {
	dst = command.AppendInt(command.AppendString(append(dst, rowVersion), r.id), r.expiresMS)
	return command.AppendPayload(dst, r.payload)
}

func readMessage(value []byte) (row messageRow) {
	r := openRow(append([]byte(nil), value...))
	row.id, row.expiresMS, row.payload = r.String(), r.Int(), r.Payload()
	closeRow(&r)
	return row
}

// home is a message's place: those of one tenant, name and key.
type home struct {
	tenant    uint32
	of        digest
	name, key string
}

func (m *Machine) messageHome(tenant uint32, name, key string) *home {
	return &home{tenant: tenant, of: digestOf("message", name, key), name: name, key: key}
}

// sendMessage takes a message at its home.
func (m *Machine) sendMessage(c *command.SendMessage) command.Result {
	switch {
	case !m.owns(c.Slot):
		return refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map")
	case c.Tenant == "" || c.Name == "":
		return refuse(command.BadRequest, "the message lacks a tenant or name")
	case len(c.Name) > MaxNameBytes || len(c.Key) > MaxNameBytes:
		return refuse(command.BadRequest, tooLong("message", cmp.Or(c.Name, c.Key)))
	}
	tenant := m.intern(nameTenant, c.Tenant, &m.counters.nextTenant)
	mark := dedupeMark{keyless: c.ID == ""}
	if c.ID != "" {
		mark.of = digestOf("message", c.Name, c.Key, c.ID)
		var before dedupeRow
		if m.lookUp(tenant, &mark, &before) {
			return command.Result{Duplicate: true}
		}
	}
	at := m.messageHome(tenant, c.Name, c.Key)
	if m.messagesAt(at) >= MaxMessages {
		return refuse(command.TooManyUnfinished, "as many messages of that name and key wait already as may")
	}
	ttl := int64(min(cmp.Or(c.TTLMS, DefaultMessageTTLMS), MaxMessageTTLMS))
	row := messageRow{id: c.ID, expiresMS: m.counters.timeMS + ttl, payload: c.Payload}
	number := m.counters.nextFence
	m.counters.nextFence++
	m.set(keyMessage(m.scratch.key[:0], tenant, at.of, number), row.append(m.scratch.value[:0]))
	m.setKeptTimer(row.expiresMS, timerMessage, keyMessage(nil, tenant, at.of, number)[1:])
	m.remember(&mark, &event{Event: command.Event{Tenant: c.Tenant}, storedMS: m.counters.timeMS})
	m.offer(at)
	return command.Result{}
}

func (m *Machine) messagesAt(at *home) (count int) {
	prefix := keyMessage(nil, at.tenant, at.of, 0)
	prefix = prefix[:len(prefix)-8]
	must(m.tx.Scan(prefix, after(prefix), func([]byte, []byte) (bool, error) {
		count++
		return count < MaxMessages, nil
	}))
	return count
}

func (m *Machine) waiterAt(at *home) (w waiterRow, found bool) {
	value, found := m.get(keyWaiter(m.scratch.key[:0], at.tenant, at.of))
	if found {
		w.read(value)
	}
	return w, found
}

func (m *Machine) saveWaiter(at *home, w *waiterRow) {
	m.set(keyWaiter(m.scratch.key[:0], at.tenant, at.of), w.append(m.scratch.value[:0]))
}

// offer brings the oldest message to who waits, if there are both and none is offered.
func (m *Machine) offer(at *home) {
	w, waits := m.waiterAt(at)
	if !waits || w.offered != 0 {
		return
	}
	number, message := uint64(0), messageRow{}
	prefix := keyMessage(nil, at.tenant, at.of, 0)
	must(m.tx.Scan(prefix, after(prefix[:len(prefix)-8]), func(key, value []byte) (bool, error) {
		number, message = u64At(key, len(key)-8), readMessage(value)
		return false, nil
	}))
	if number == 0 {
		return
	}
	w.offered = number
	m.saveWaiter(at, &w)
	m.tell(uint32(w.run.Partition), at.tenant, command.RelayOffer, &command.RunNews{
		To: w.run, Step: w.step, Iteration: w.iteration, Part: w.part, Number: number, Name: at.name, Key: at.key,
	}, message.payload)
}

// await has a run wait for a message.
func (m *Machine) await(r *run, d *engine.Decision) {
	news := command.RunNews{From: r.id, Step: d.Step, Iteration: d.Iteration, Part: d.Part, Name: d.Name, Key: d.Key}
	key := appendU32(keyRunPart(nil, r.id.Position, runAwaits), d.Part)
	m.keep(r, runAwaits, key, command.AppendString(command.AppendString(append(m.scratch.value[:0], rowVersion), d.Name), d.Key))
	m.tell(m.homePartition(r.tenant, d.Name, d.Key), r.tenant, command.RelayAwait, &news, command.Payload{})
}

// unawait has it wait no more.
func (m *Machine) unawait(r *run, d *engine.Decision) {
	key := appendU32(keyRunPart(nil, r.id.Position, runAwaits), d.Part)
	value, found := m.get(key)
	if !found {
		return
	}
	row := openRow(value)
	name, of := row.String(), row.String()
	closeRow(&row)
	m.remove(key)
	news := command.RunNews{From: r.id, Step: d.Step, Iteration: d.Iteration, Part: d.Part, Name: name, Key: of}
	m.tell(m.homePartition(r.tenant, name, of), r.tenant, command.RelayUnawait, &news, command.Payload{})
}

// runAwaits is what a run waits for, by the part of its wait -> name, key.
const runAwaits = 'w'

func (m *Machine) homePartition(tenant uint32, name, key string) uint32 {
	slot := command.SlotOf(m.names.text(nameTenant, tenant), command.MessageKey(name, key))
	return command.PartitionOf(slot, m.counters.partitions)
}

// awaited takes a waiter at its message's home: one at a time.
func (m *Machine) awaited(tenant uint32, n *command.RunNews) {
	at := m.messageHome(tenant, n.Name, n.Key)
	if w, waits := m.waiterAt(at); waits && !w.is(n) {
		m.tell(uint32(n.From.Partition), tenant, command.RelayConflict, &command.RunNews{
			To: n.From, Step: n.Step, Iteration: n.Iteration, Part: n.Part, Name: n.Name, Key: n.Key,
			Message: "run " + w.run.String() + " waits for message " + n.Name + " of that key already",
		}, command.Payload{})
		return
	}
	m.saveWaiter(at, &waiterRow{run: n.From, step: n.Step, iteration: n.Iteration, part: n.Part})
	m.offer(at)
}

// unawaited forgets a waiter. One that was offered something answers for that, too.
func (m *Machine) unawaited(tenant uint32, n *command.RunNews) {
	at := m.messageHome(tenant, n.Name, n.Key)
	if w, waits := m.waiterAt(at); waits && w.is(n) && w.offered == 0 {
		m.remove(keyWaiter(m.scratch.key[:0], tenant, at.of))
	}
}

// offered brings a message to a run, and the run's answer to the message's home.
func (m *Machine) offered(tenant uint32, n *command.RunNews, payload command.Payload) {
	r := m.runOf(n.To)
	taken := r != nil && r.Waits(n.Step, n.Iteration, n.Part)
	answer := *n
	answer.To, answer.From, answer.Taken = command.EventID{}, n.To, taken
	if taken {
		m.remove(appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runAwaits), n.Part))
		m.happens(&happening{run: n.To, Happening: engine.Happening{
			Kind: engine.Message, Step: n.Step, Iteration: n.Iteration, Part: n.Part, Output: ownPayload(payload),
		}})
	}
	m.tell(m.homePartition(tenant, n.Name, n.Key), tenant, command.RelayAnswer, &answer, command.Payload{})
}

func ownPayload(p command.Payload) command.Payload {
	p.Bytes = append([]byte(nil), p.Bytes...)
	return p
}

// answered ends an offer: the message is gone where it was taken, and waits for another
// run where it was not.
func (m *Machine) answered(tenant uint32, n *command.RunNews) {
	at := m.messageHome(tenant, n.Name, n.Key)
	if w, waits := m.waiterAt(at); waits && w.is(n) {
		m.remove(keyWaiter(m.scratch.key[:0], tenant, at.of))
	}
	value, found := m.get(keyMessage(m.scratch.key[:0], tenant, at.of, n.Number))
	if !n.Taken || !found {
		return
	}
	m.clearKeptTimer(readMessage(value).expiresMS, timerMessage, keyMessage(nil, tenant, at.of, n.Number)[1:])
	m.remove(keyMessage(m.scratch.key[:0], tenant, at.of, n.Number))
}

// forgetMessage deletes a message for which nobody came in time. One that is offered
// goes with the answer, or now: the run has it then.
func (m *Machine) forgetMessage(of []byte) {
	m.remove(append(append(m.scratch.key[:0], kindMessage), of...))
}
