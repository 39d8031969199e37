package duty

import (
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Packed is what an entry in flight carries; hand it to Done when the entry's
// fate is known.
type Packed struct {
	Generation uint64
	Offers     []command.Offer
	fresh      []freshEvents
}

type freshEvents struct {
	topic  topic
	events uint64
}

// Pack attaches credit to an entry that is about to be proposed: as much as
// its own commands and the known backlog can use, so that an event is granted
// in the entry that stores it, and no credit is locked up in vain.
func (d *Duty) Pack(commands [][]byte) Packed {
	d.mu.Lock()
	defer d.mu.Unlock()
	packed := Packed{Generation: d.mu.generation}
	if !d.mu.leading {
		return packed
	}
	book := &d.mu.credit
	for _, encoded := range commands {
		command.VisitChannels(encoded, func(channel []byte) {
			packed.add(channel)
			packed.addAll(d.mu.ways.after(channel))
		})
		if queue, ends := command.VisitEnded(encoded); ends {
			packed.addAll(d.mu.ways.behind[queue])
		}
	}
	packed.fresh = book.inGroups(packed.fresh)
	for i := range packed.fresh {
		t := book.topicOf(packed.fresh[i].topic)
		t.fresh += packed.fresh[i].events
		packed.Offers = t.meet(packed.Offers)
	}
	for t := range book.waiting {
		packed.Offers = t.meet(packed.Offers)
	}
	return packed
}

func (p *Packed) add(channel []byte) {
	for i := range p.fresh {
		if p.fresh[i].topic.channel == string(channel) {
			p.fresh[i].events++
			return
		}
	}
	p.fresh = append(p.fresh, freshEvents{topic: topic{string(channel), fsm.DefaultGroup}, events: 1})
}

func (p *Packed) addAll(channels []string) {
	for _, channel := range channels {
		p.add([]byte(channel))
	}
}

// Done accounts for an entry whose fate is known; applied is false when it was
// certainly not applied, and its credit is free again.
func (d *Duty) Done(packed *Packed, applied bool) { //nolint:revive // An entry's fate is one bit, and all that the caller knows.
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading || packed.Generation != d.mu.generation {
		return
	}
	for _, f := range packed.fresh {
		if t := d.mu.credit.topics[f.topic]; t != nil {
			t.fresh -= min(t.fresh, f.events)
			d.mu.credit.drop(t)
		}
	}
	if !applied {
		for i := range packed.Offers {
			d.mu.credit.giveBack(&packed.Offers[i])
		}
		d.mu.refused = true
	}
}

// askForCredit tells gateways that work waits for which nobody has lent credit,
// and has an entry made where credit and work are both there.
func (d *Duty) askForCredit(changed []fsm.Backlog) {
	for i := range changed {
		if t := d.mu.credit.topics[topic{changed[i].Channel, changed[i].Group}]; t != nil && t.waiting > 0 {
			d.settle(t)
		}
	}
}

// useLeftover has an entry made for what other lenders' work could not use, and
// waiting work can: the entry that gave it back may have changed no backlog.
func (d *Duty) useLeftover(offers []command.Offer) {
	var last *topicBook
	for i := range offers {
		t := d.mu.credit.topics[topic{offers[i].Channel, offers[i].Group}]
		if t != nil && t != last && t.waiting > 0 {
			d.settle(t)
		}
		last = t
	}
}

// settle wakes the batcher for a topic whose credit can move its backlog, and
// asks those lenders for more who have none left.
func (d *Duty) settle(t *topicBook) {
	wake := false
	for _, l := range t.loans.all {
		switch {
		case !t.useful(l):
		case l.free > 0:
			wake = true
		case l.attached == 0 && l.owed == 0 && !l.asked:
			l.asked = d.config.Pusher.PushWant(l.Node, l.Subscription) == nil
		}
	}
	if wake {
		d.config.Proposer.Wake()
	}
}

// Register begins, or begins again, to lend a subscription's credit, and pushes
// the jobs again that the state leases to it and its gateway never got.
func (d *Duty) Register(r *Registration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return
	}
	l := d.mu.credit.register(r)
	held := make(map[uint64]bool, len(r.Held))
	for _, id := range r.Held {
		held[id.Fence] = true
	}
	for _, id := range d.mu.clock.heldBy(r.Node, r.Subscription) {
		if !held[id.Fence] {
			d.pushAgain(r, id)
		}
	}
	// A gateway that does not get this registers again.
	_ = d.config.Pusher.PushRegistered(r.Node, r.Subscription, r.Ordinal)
	if l.topic.waiting > 0 {
		d.settle(l.topic)
	}
}

func (d *Duty) pushAgain(r *Registration, id command.LeaseID) {
	view := d.config.State.View()
	job, found, err := fsm.ReadJob(view, id)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err != nil {
		d.config.Logger.Error("cannot read a leased job", "partition", d.config.Partition, "error", err)
		return
	}
	if !found || !r.takes(&job) {
		return // Ended since, or leased to somebody who had the number before.
	}
	if d.config.Pusher.PushJob(r.Node, r.Subscription, &job) != nil {
		d.release(id)
	}
}

// takes tells whether a job is of what the subscription is for.
func (r *Registration) takes(job *command.Job) bool {
	return job.Event.Channel == r.Channel && job.Group == r.Group && (r.Tenant == "" || r.Tenant == job.Event.Tenant)
}

// Lend adds credit to a subscription's loan.
func (d *Duty) Lend(node string, subscription uint64, credit uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.mu.credit.lend(loanKey{node, subscription}, credit); l != nil && l.topic.waiting > 0 {
		d.settle(l.topic)
	}
}

// Recall takes back up to credit and tells the gateway how much it was.
func (d *Duty) Recall(node string, subscription uint64, credit uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.mu.credit.recall(loanKey{node, subscription}, credit)
	if d.config.Pusher.PushReturned(node, subscription, taken) != nil {
		d.mu.credit.lend(loanKey{node, subscription}, taken)
	}
	// Work may wait here for what was just taken away: it is asked for again, with
	// the next tick. Asked for at once, a credit that two partitions want would go
	// round between them, as fast as frames go, while neither can make an entry.
	if l := d.mu.credit.loans[loanKey{node, subscription}]; l != nil && l.topic.waiting > 0 {
		d.mu.credit.recalled[l.topic] = struct{}{}
	}
}

// Unregister ends a subscription's loan. Its jobs stay leased.
func (d *Duty) Unregister(node string, subscription uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.credit.unregister(loanKey{node, subscription})
}
