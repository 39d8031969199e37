package duty

import (
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Registration is a worker's subscription as its gateway registers it.
type Registration struct {
	Node         string
	Subscription uint64
	Channel      string
	Group        string
	// Tenant limits the credit to one tenant's work; empty means all.
	Tenant  string
	Worker  string
	LeaseMS uint32
	Credit  uint32
	// Held are the leases of this partition that the gateway knows of, those
	// with an end on its way included: what the state leases to the subscription
	// beyond them never arrived and is pushed again.
	Held []command.LeaseID
	// Ordinal counts the gateway's registrations of the subscription here, from 1: the
	// answer repeats it.
	Ordinal uint64
}

// topic is a channel and a group.
type topic struct{ channel, group string }

type loanKey struct {
	node         string
	subscription uint64
}

// loan is the credit of one subscription.
type loan struct {
	Registration

	key   loanKey
	topic *topicBook
	// ordinal tells this registration from earlier ones of the subscription: an
	// offer carries it as its Subscription, and so does the lease it becomes.
	ordinal  uint32
	free     uint32
	attached uint32
	// owed is the credit of jobs whose push failed: free again at the next tick.
	owed uint32
	// asked means that the gateway was told that work waits, and has not lent
	// since.
	asked bool
}

// topicBook is who lends to a topic, and what waits there.
type topicBook struct {
	topic

	// loans are all, near those of this node's own gateway.
	loans, near lenders
	free        uint64
	backlog     map[string]uint64
	waiting     uint64
	// fresh counts the events that entries in flight will add; attached the
	// credit they carry.
	fresh, attached uint64
}

// lenders are loans that give credit in turn.
type lenders struct {
	all  []*loan
	turn int
}

func (s *lenders) add(l *loan) { s.all = append(s.all, l) }

func (s *lenders) remove(l *loan) {
	for i, other := range s.all {
		if other == l {
			s.all = append(s.all[:i], s.all[i+1:]...)
			return
		}
	}
}

// next is the next loan that has free credit and may be used.
func (s *lenders) next(may func(*loan) bool) *loan {
	for range s.all {
		s.turn = (s.turn + 1) % len(s.all)
		if l := s.all[s.turn]; l.free > 0 && may(l) {
			return l
		}
	}
	return nil
}

// creditBook is all credit lent to this partition.
type creditBook struct {
	// node is this node: its own gateway's loans are near.
	node   string
	loans  map[loanKey]*loan
	topics map[topic]*topicBook
	// channels are the topics by channel: an event is fresh in each of them.
	channels map[string][]*topicBook
	// waiting are the topics with a backlog.
	waiting map[*topicBook]struct{}
	// recalled are the topics whose credit was taken back while work waited: it is
	// asked for again with the next tick.
	recalled map[*topicBook]struct{}
	// owing are the loans with owed credit.
	owing []*loan
	// registered is the last ordinal given out. It outlives a leadership, so
	// that an entry of an earlier one is never taken for one of this.
	registered uint32
}

func newCreditBook(node string, registered uint32) creditBook {
	return creditBook{
		node: node, loans: make(map[loanKey]*loan), topics: make(map[topic]*topicBook), channels: make(map[string][]*topicBook),
		waiting: make(map[*topicBook]struct{}), recalled: make(map[*topicBook]struct{}), registered: registered,
	}
}

// drop forgets a topic that nobody lends to and where nothing waits.
func (b *creditBook) drop(t *topicBook) {
	if len(t.loans.all) == 0 && t.waiting == 0 && t.fresh == 0 {
		delete(b.topics, t.topic)
		b.leaveChannel(t)
	}
}

func (b *creditBook) topicOf(t topic) *topicBook {
	book := b.topics[t]
	if book == nil {
		book = &topicBook{topic: t}
		b.topics[t] = book
		b.channels[t.channel] = append(b.channels[t.channel], book)
	}
	return book
}

func (b *creditBook) register(r *Registration) *loan {
	key := loanKey{r.Node, r.Subscription}
	b.unregister(key)
	b.registered++
	l := &loan{Registration: *r, key: key, ordinal: b.registered, free: r.Credit}
	l.Held = nil
	l.topic = b.topicOf(topic{r.Channel, r.Group})
	l.topic.loans.add(l)
	if l.Node == b.node {
		l.topic.near.add(l)
	}
	l.topic.free += uint64(r.Credit)
	b.loans[key] = l
	return l
}

func (b *creditBook) unregister(key loanKey) {
	l := b.loans[key]
	if l == nil {
		return
	}
	delete(b.loans, key)
	l.topic.free -= uint64(l.free)
	l.topic.loans.remove(l)
	l.topic.near.remove(l)
	l.topic.attached -= uint64(l.attached)
	b.drop(l.topic)
}

func (b *creditBook) forget(node string) {
	for key := range b.loans {
		if key.node == node {
			b.unregister(key)
		}
	}
}

func (b *creditBook) lend(key loanKey, credit uint32) *loan {
	l := b.loans[key]
	if l != nil {
		l.free += credit
		l.topic.free += uint64(credit)
		l.asked = false
	}
	return l
}

// recall takes up to credit back that no entry carries.
func (b *creditBook) recall(key loanKey, credit uint32) uint32 {
	l := b.loans[key]
	if l == nil {
		return 0
	}
	taken := min(credit, l.free)
	l.free -= taken
	l.topic.free -= uint64(taken)
	return taken
}

// offered is the loan that an offer was made of, or nil: what an earlier
// registration had on its way is not of the credit that is lent now.
func (b *creditBook) offered(node string, subscription uint64, ordinal uint32) *loan {
	if l := b.loans[loanKey{node, subscription}]; l != nil && l.ordinal == ordinal {
		return l
	}
	return nil
}

// used accounts for a credit that a grant took, and returns its loan; nil when
// that is no more.
func (b *creditBook) used(h *fsm.Holder) *loan {
	l := b.offered(h.Node, h.Session, h.Subscription)
	if l == nil || l.attached == 0 {
		return nil
	}
	l.attached--
	l.topic.attached--
	return l
}

// owe keeps the credit of a job that could not be pushed until repay: a link
// that is full now must not be tried again with each entry.
func (b *creditBook) owe(l *loan) {
	if l.owed == 0 {
		b.owing = append(b.owing, l)
	}
	l.owed++
}

// repay makes owed credit free again, and returns the loans that it is of.
func (b *creditBook) repay() []*loan {
	repaid := b.owing
	b.owing = nil
	for _, l := range repaid {
		if b.loans[l.key] == l {
			l.free += l.owed
			l.topic.free += uint64(l.owed)
		}
		l.owed = 0
	}
	return repaid
}

// giveBack accounts for credit that an entry carried and did not use.
func (b *creditBook) giveBack(o *command.Offer) {
	l := b.offered(o.Node, o.Session, o.Subscription)
	if l == nil {
		return
	}
	credit := min(o.Credit, l.attached)
	l.attached -= credit
	l.topic.attached -= uint64(credit)
	l.free += credit
	l.topic.free += uint64(credit)
}

func (b *creditBook) setBacklog(backlog fsm.Backlog) {
	book := b.topicOf(topic{backlog.Channel, backlog.Group})
	book.waiting = backlog.Total
	if !backlog.Partial || book.backlog == nil {
		book.backlog = make(map[string]uint64, len(backlog.Tenants))
	}
	for _, tenant := range backlog.Tenants {
		if tenant.Waiting == 0 {
			delete(book.backlog, tenant.Tenant)
		} else {
			book.backlog[tenant.Tenant] = tenant.Waiting
		}
	}
	if book.waiting > 0 {
		b.waiting[book] = struct{}{}
		return
	}
	delete(b.waiting, book)
	b.drop(book)
}

// useful tells whether a loan's credit could move something that waits.
func (t *topicBook) useful(l *loan) bool {
	if l.Tenant == "" {
		return t.waiting > 0
	}
	return t.backlog[l.Tenant] > 0
}

// meet attaches the credit that the topic's demand still lacks: first such as
// can move what waits, whose tenants are known, then any for fresh events, whose
// tenants are not.
func (t *topicBook) meet(offers []command.Offer) []command.Offer {
	demand := t.waiting + t.fresh
	if demand <= t.attached || t.free == 0 {
		return offers
	}
	want, first := demand-t.attached, len(offers)
	if t.waiting > 0 {
		offers, want = t.attach(offers, first, want, t.useful)
	}
	offers, _ = t.attach(offers, first, min(want, t.fresh), func(*loan) bool { return true })
	return offers
}

// attach moves up to want credits of the loans that may go into offers, from
// each in turn, and returns what is still wanted. Offers from first on are the
// topic's.
func (t *topicBook) attach(
	offers []command.Offer, first int, want uint64, may func(*loan) bool,
) (attached []command.Offer, lacking uint64) {
	for want > 0 && t.free > 0 && len(offers) < command.MaxOffers {
		l := t.nextFree(may)
		if l == nil {
			break
		}
		share := uint32(min(uint64(l.free), want/t.lenders()+1, want)) //nolint:gosec // At most l.free.
		l.free -= share
		l.attached += share
		t.free -= uint64(share)
		t.attached += uint64(share)
		want -= uint64(share)
		offers = mergeOffer(offers, first, l, share)
	}
	return offers, want
}

func (t *topicBook) lenders() uint64 { return uint64(len(t.loans.all)) }

// nextFree is the loan to take credit of: the next in turn, or a near one, whose
// job and its end need no link between nodes, while that has half as much free.
func (t *topicBook) nextFree(may func(*loan) bool) *loan {
	near, inTurn := t.near.next(may), t.loans.next(may)
	if near != nil && 2*near.free >= inTurn.free {
		return near
	}
	return inTurn
}

func mergeOffer(offers []command.Offer, first int, l *loan, credit uint32) []command.Offer {
	for i := first; i < len(offers); i++ {
		if offers[i].Session == l.Subscription && offers[i].Node == l.Node {
			offers[i].Credit += credit
			return offers
		}
	}
	return append(offers, command.Offer{
		Channel: l.Channel, Group: l.Group, Tenant: l.Tenant, Node: l.Node, Worker: l.Worker,
		Session: l.Subscription, Subscription: l.ordinal, LeaseMS: l.LeaseMS, Credit: credit,
	})
}
