package fsm

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// TestScenarios runs the files in testdata. Each is a partition's life, told in
// these directives:
//
//	entry [time=ms] [generation=n] [effects=false]   one committed entry of the lines below it;
//	                                                 with repeat=n as many, and the last one's outcome
//	publish CHANNEL [times=n] [as=NAME] [tenant= client= key= idempotency= correlation= device= seq= delay= deliver= ttl= priority= data= slot= end= most= mostbytes=]
//	                                                 end is its on_end, most the client's limit
//	publish … [use=(LIMIT,key:,max:,min:,adaptive:true,rate:UNIT/COUNT/MS,cost:UNIT/AMOUNT)]…  in limits
//	complete LEASE [emit=(CHANNEL,as:NAME,field:value…)]… [notify=(NAME,client:CLIENT)]… [result= usage=]
//	fail LEASE [code=] [final] [throttled] [retry=ms]
//	release LEASE… · disconnect LEASE… (of a lost socket) · expire LEASE… [generation=n] · checkpoint LEASE data= · park LEASE [timeout=ms]
//	redrive EVENT [group= tenant= once= data= type=] · discard EVENT [group= tenant= once=]
//	                                                 of a dead letter; data edits it
//	cancel EVENT [reason= grace=ms client= tenant=] · ack SEQ [tenant= client= device= delivered=(seq:ms…)]
//	                                                 complete and cancel with partition=1 or epoch=1 name the
//	                                                 same numbers one partition or epoch further
//	cancel-lineage EVENT|CORRELATION [reason= grace=ms client= tenant=]
//	broadcast CLIENT… once=KEY [as=NAME] [tenant= correlation= cause= name= data=]  a notification for several clients
//	relay SOURCE [first=n rows=n epoch=n]            rows of SOURCE's relay to this partition, from first on
//	trim TARGET through=n [generation=n]
//	group CHANNEL GROUP [from=earliest]              a new group
//	configure CHANNEL [version= attempts= losses= lease= backoff= max-backoff= order=key disconnect=requeue fan-out
//	retention= bytes= retain=nothing]                a channel's settings
//	tenant NAME [version= weight= in-flight= rate= events= bytes=]  a tenant's settings
//	define NAME VERSION [on=(CHANNEL,…) tenant=]     a version of a workflow arrives; VERSION is its digit, 32 times
//	aliases NAME count=n [ALIAS=(VERSION,VERSION:SHARE,…)]… [tenant=]  all its aliases, a share in hundredths of a percent
//	undefine NAME VERSION [tenant=]                  a version goes
//	follower CHANNEL NAME [begin=new|at] [position=n] [tenant=|all]
//	                                                 a named follower begins, or commits
//	leader NODE [partition= partitions=] · unknown · malformed · offer CHANNEL [group= credit= worker= tenant= lease= session=]
//	trace EVENT|CORRELATION [tenant=]                the lineage
//	open EVENT|CORRELATION [tenant=]                 what is open of a lineage here, in its row
//	unfinished CLIENT [tenant=]                      how much of a client's is, or "" for the tenant's bytes,
//	letters [EVENT] [channel= group= tenant= reason= limit=]  dead letters, page by page, or those of one
//	event NAME [tenant=]                             what a look-up of one event shows
//	stream CLIENT [device= tenant=]                  a client's stream, as a device sees it
//	follow CHANNEL [after=n] [tenant=|all] [events=n] [bytes=n]  a channel as a follower gets it, piece by piece
//	before CHANNEL time=ms [tenant=|all]             where a follower from that time begins
//	why EVENT [tenant=]                              why it waits
//	limits                                           the limits of which something is known
//	pick NAME [ALIAS|VERSION] [seed=n tenant=]       which version a run is started of
//	started CHANNEL [seed=n tenant=]                 which versions an event starts runs of
//	rows [KIND]                                      how many rows of each kind, or the keys of one
//	job LEASE · has EVENT [tenant=]                  ReadJob and hasEvent
//	cluster [partition= partitions=]                 begin anew as another partition
//	at PARTITION                                     go on in another partition of the same cluster
//	where KEY [partitions=]                          the slot and partition of a key
//	reopen · snapshot-restore                        the machine read back, here or behind a snapshot
//
// Tenant t and client c stand where none is named, and an event's key is its
// client. LEASE is an event's name, for its last lease, or name/n for its n-th;
// name/0 is one that was never given. Time goes on from entry to entry.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		t.Helper()
		s := &scenario{
			world: newWorld(t, openStore(t), new(uint32)), events: make(map[string]command.EventID), names: make(map[command.EventID]string),
			leases: make(map[string][]command.LeaseID), partitions: make(map[uint32]*world),
		}
		s.apply(true, entryOf(command.Header{}, firstLeader()))
		datadriven.RunTest(t, path, s.run)
	})
}

type scenario struct {
	*world

	timeMS int64
	events map[string]command.EventID
	names  map[command.EventID]string
	leases map[string][]command.LeaseID
	// told is what the entry under way is called: the names of what it stores.
	header command.Header
	lines  []line
	// partitions are the worlds of one cluster, many how many it has.
	partitions map[uint32]*world
	many       uint32
}

// line is one command of an entry, and the names it gives.
type line struct {
	args

	encoded []byte
	as      []string
}

// args are the words of a line.
type args struct {
	cmd  string
	list []datadriven.CmdArg
}

func parseArgs(text string) (args, error) {
	cmd, list, err := datadriven.ParseLine(text)
	return args{cmd, list}, err
}

func (a args) get(key, otherwise string) string {
	for _, arg := range a.list {
		if arg.Key == key && len(arg.Vals) > 0 {
			return strings.Join(arg.Vals, ",")
		}
	}
	return otherwise
}

func (a args) has(key string) bool {
	for _, arg := range a.list {
		if arg.Key == key {
			return true
		}
	}
	return false
}

func (a args) number(key string) uint64 {
	n, err := strconv.ParseUint(a.get(key, "0"), 10, 64)
	invariants.Check(err == nil, "a scenario's number: %v", err)
	return n
}

// words are the arguments without a value.
func (a args) words() (words []string) {
	for _, arg := range a.list {
		if len(arg.Vals) == 0 {
			words = append(words, arg.Key)
		}
	}
	return words
}

func (a args) word() string { return append(a.words(), "")[0] }

// fields are the values of a list such as (billing,as:b1,key:k), the first one
// under the empty name.
func fields(arg *datadriven.CmdArg) map[string]string {
	m := map[string]string{"": arg.Vals[0]}
	for _, val := range arg.Vals[1:] {
		key, value, _ := strings.Cut(val, ":")
		m[key] = value
	}
	return m
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string { //nolint:revive // A case for each directive.
	t.Helper()
	s.tb = t
	a := args{d.Cmd, d.CmdArgs}
	switch d.Cmd {
	case "entry":
		return s.entry(a, d.Input)
	case "cluster":
		clear(s.events)
		clear(s.names)
		clear(s.leases)
		clear(s.partitions)
		s.many = uint32(a.number("partitions"))
		s.at(uint32(a.number("partition")))
		return "ok\n"
	case "at":
		s.at(uint32(number(a.word())))
		return "ok\n"
	case "where":
		slot := command.SlotOf(a.get("tenant", "t"), a.word())
		return fmt.Sprintf("slot %d, partition %d\n", slot, command.PartitionOf(slot, uint32(a.number("partitions"))))
	case "reopen":
		s.reopen()
		return "ok\n"
	case "snapshot-restore":
		s.reinstall()
		return "ok\n"
	case "trace":
		return s.trace(a)
	case "open":
		return s.openRow(a)
	case "unfinished":
		return s.unfinished(a)
	case "letters":
		return s.letters(a)
	case "event":
		return s.eventView(a)
	case "stream":
		return s.streamOf(a)
	case "pick":
		return s.pick(a)
	case "started":
		return s.started(a)
	case "rows":
		return s.rows(a.word())
	case "limits":
		return s.limits()
	case "why":
		return s.why(a)
	case "job":
		return s.job(a)
	case "has":
		var found bool
		s.read(func(view *storage.View) {
			var err error
			found, err = hasEvent(view, a.get("tenant", "t"), s.event(a.word()))
			check(t, err)
		})
		return fmt.Sprintln(found)
	default:
		return s.followers(a)
	}
}

// at goes to a partition, which begins when it is first gone to.
func (s *scenario) at(partition uint32) {
	if w := s.partitions[partition]; w != nil {
		s.world = w
		return
	}
	s.world = newWorld(s.tb, s.store, s.groups)
	s.partitions[partition] = s.world
	s.apply(true, entryOf(command.Header{}, &command.LeaderStart{
		Node: "n1", Partition: partition, Partitions: s.many, Epoch: 1,
	}))
}

// relay is what the leader of a source would send here.
func (s *scenario) relay(a args) *command.Relay {
	source := uint32(number(a.word()))
	c := &command.Relay{Source: source, SourceEpoch: 1, First: 1}
	if a.has("first") {
		c.First = a.number("first")
	}
	if a.has("epoch") {
		c.SourceEpoch = uint32(a.number("epoch"))
	}
	target := s.machine.counters.partition
	if from := s.partitions[source]; from != nil {
		from.read(func(view *storage.View) {
			var err error
			c.Rows, err = ReadRelay(view, target, c.First)
			check(s.tb, err)
		})
	}
	if a.has("rows") {
		c.Rows = c.Rows[:a.number("rows")]
	}
	return c
}

func (s *scenario) entry(a args, input string) string {
	if a.has("time") {
		s.timeMS = int64(a.number("time"))
	}
	s.header = command.Header{TimeMS: s.timeMS, Generation: s.machine.Generation()}
	if a.has("generation") {
		s.header.Generation = a.number("generation")
	}
	s.lines = nil
	var encoded [][]byte
	for text := range strings.Lines(input) {
		words, err := parseArgs(text)
		check(s.tb, err)
		if words.cmd == "offer" {
			s.offer(words)
			continue
		}
		l := line{args: words}
		for range max(1, words.number("times")) {
			s.encode(&l)
			s.lines = append(s.lines, l)
			encoded = append(encoded, l.encoded)
		}
	}
	var told string
	for range max(1, a.number("repeat")) {
		outcomes, err := s.tryApply(a.get("effects", "true") == "true", command.AppendEntry(nil, &s.header, encoded))
		if err != nil {
			s.reopen()
			return "error: " + err.Error() + "\n"
		}
		told = collapse(s.tell(outcomes[0]))
	}
	return told
}

func (s *scenario) offer(a args) {
	worker := a.get("worker", "w")
	credit := uint32(1)
	if a.has("credit") {
		credit = uint32(a.number("credit"))
	}
	s.header.Offers = append(s.header.Offers, command.Offer{
		Channel: a.word(), Group: a.get("group", DefaultGroup), Tenant: a.get("tenant", ""), Node: "n1", Worker: worker,
		Session: a.number("session"), LeaseMS: uint32(a.number("lease")), Credit: credit,
	})
}

func (s *scenario) encode(l *line) {
	a := l.args
	switch a.cmd {
	case "publish":
		l.as = []string{a.get("as", "")}
		e := s.fields(a.get)
		e.Channel = a.word()
		slot := command.SlotOf(e.Tenant, e.Key)
		if a.has("slot") {
			slot = uint32(a.number("slot"))
		}
		e.OnEnd, e.Uses = a.get("end", ""), usesOf(a)
		l.encoded = (&command.Publish{Route: command.Route{Slot: slot}, Event: e, MaxUnfinished: a.number("most"), MaxTenantBytes: a.number("mostbytes")}).Append(nil)
	case "complete":
		l.encoded, l.as = s.complete(a)
	case "fail":
		l.encoded = (&command.Fail{
			Lease: s.lease(a.word()), Code: a.get("code", "boom"), Message: a.get("message", "it broke"),
			Final: a.has("final"), Throttled: a.has("throttled"), RetryAfterMS: a.number("retry"), Tenant: a.get("tenant", ""),
		}).Append(nil)
	case "release":
		l.encoded = (&command.Release{Leases: s.leasesOf(a.words()), Tenant: a.get("tenant", "")}).Append(nil)
	case "disconnect":
		l.encoded = (&command.Release{Leases: s.leasesOf(a.words()), Lost: true, Tenant: a.get("tenant", "")}).Append(nil)
	case "expire":
		generation := s.machine.Generation()
		if a.has("generation") {
			generation = a.number("generation")
		}
		l.encoded = (&command.Expire{Generation: generation, Leases: s.leasesOf(a.words())}).Append(nil)
	case "park":
		l.encoded = (&command.Park{Lease: s.lease(a.word()), TimeoutMS: a.number("timeout"), Tenant: a.get("tenant", "")}).Append(nil)
	case "checkpoint":
		l.encoded = (&command.Checkpoint{Lease: s.lease(a.word()), Data: []byte(a.get("data", "{}")), Tenant: a.get("tenant", "")}).Append(nil)
	default:
		s.encodeOther(l)
	}
}

func (s *scenario) encodeOther(l *line) { //nolint:revive // A case for each directive.
	a := l.args
	switch a.cmd {
	case "cancel":
		l.encoded = (&command.Cancel{
			Tenant: a.get("tenant", "t"), ClientID: a.get("client", ""), Event: elsewhere(a, s.event(a.word())),
			Reason: a.get("reason", "asked"), GraceMS: a.number("grace"),
		}).Append(nil)
	case "cancel-lineage":
		l.encoded = (&command.CancelLineage{
			Tenant: a.get("tenant", "t"), ClientID: a.get("client", ""), CorrelationID: s.correlation(a),
			Reason: a.get("reason", "asked"), GraceMS: a.number("grace"),
		}).Append(nil)
	case "redrive", "discard":
		l.encoded = s.letterCommand(a)
	case "broadcast":
		l.encoded, l.as = s.broadcastCommand(a), []string{a.get("as", "")}
	case "ack":
		ack := command.Ack{Tenant: a.get("tenant", "t"), ClientID: a.get("client", "c"), DeviceID: a.get("device", "")}
		ack.Seq, _ = strconv.ParseUint(a.word(), 10, 64)
		for pair := range strings.SplitSeq(a.get("delivered", ""), ",") {
			if seq, at, found := strings.Cut(pair, ":"); found {
				ack.Delivered = append(ack.Delivered, command.Delivery{Seq: number(seq), TimeMS: int64(number(at))})
			}
		}
		l.encoded = ack.Append(nil)
	case "relay":
		l.encoded = s.relay(a).Append(nil)
	case "trim":
		trim := command.RelayTrim{Generation: s.machine.Generation(), Target: uint32(number(a.word())), Through: a.number("through")}
		if a.has("generation") {
			trim.Generation = a.number("generation")
		}
		l.encoded = trim.Append(nil)
	case "leader":
		start := command.LeaderStart{Node: a.word(), Partition: uint32(a.number("partition")), Partitions: 1, Epoch: 1}
		if a.has("partitions") {
			start.Partitions = uint32(a.number("partitions"))
		}
		l.encoded = start.Append(nil)
	case "group":
		c := command.CreateGroup{Channel: a.word(), Group: append(a.words(), "", "")[1], From: command.GroupFrom(a.number("number"))}
		if a.get("from", "new") == "earliest" {
			c.From = command.FromEarliest
		}
		c.Existing = a.has("existing")
		l.encoded = c.Append(nil)
	case "configure":
		l.encoded = configureCommand(a)
	case "tenant":
		l.encoded = tenantCommand(a)
	case "define", "aliases", "undefine":
		l.encoded = workflowCommand(a)
	case "follower":
		l.encoded = followerCommand(a)
	case "unknown":
		l.encoded = []byte{63, 0, 0}
	case "malformed":
		publish := (&command.Publish{Event: command.Event{Channel: "work", Tenant: "t", Key: "k"}}).Append(nil)
		l.encoded = publish[:7]
	case "meta":
		l.encoded = (&command.FormCluster{ClusterID: "x"}).Append(nil)
	default:
		s.tb.Fatalf("unknown command %s", a.cmd)
	}
}

// fields are an event's, from get.
func (s *scenario) fields(get func(key, otherwise string) string) command.Event {
	of := func(key string) uint64 { return number(get(key, "0")) }
	client := get("client", "c")
	e := command.Event{
		Tenant: get("tenant", "t"), ClientID: client, Key: get("key", client),
		ContentType: get("type", ""), IdempotencyKey: get("idempotency", ""), CorrelationID: get("correlation", ""), DeviceID: get("device", ""),
		ClientSeq: of("seq"), DelayMS: of("delay"), DeliverAtMS: of("deliver"), TTLMS: of("ttl"), Priority: uint32(of("priority")),
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(get("data", "{}"))},
	}
	if client == "none" {
		e.ClientID = ""
	}
	// A word like 2000x stands for that many letters.
	for _, field := range []*string{&e.Tenant, &e.ClientID, &e.DeviceID, &e.ContentType} {
		if n, err := strconv.Atoi(strings.TrimSuffix(*field, "x")); err == nil && strings.HasSuffix(*field, "x") {
			*field = strings.Repeat("x", n)
		}
	}
	return e
}

func (s *scenario) complete(a args) (encoded []byte, as []string) {
	c := command.Complete{Lease: s.lease(a.word()), Tenant: a.get("tenant", "")}
	c.Lease.Event = elsewhere(a, c.Lease.Event)
	if a.has("result") {
		c.Result = command.Payload{Codec: command.CodecJSON, Bytes: []byte(a.get("result", ""))}
	}
	c.Usage = []byte(a.get("usage", ""))
	for i := range a.list {
		switch arg := &a.list[i]; arg.Key {
		case "emit":
			m := fields(arg)
			as = append(as, m["as"])
			get := func(key, _ string) string { return m[key] }
			e := command.Event{
				Channel: m[""], ClientID: get("client", ""), Key: get("key", ""), IdempotencyKey: get("idempotency", ""),
				CorrelationID: get("correlation", ""),
				Payload:       command.Payload{Codec: command.CodecJSON, Bytes: []byte(m["data"] + "{}")},
			}
			if m["ttl"] != "" {
				e.TTLMS = number(m["ttl"])
			}
			if m["delay"] != "" {
				e.DelayMS = number(m["delay"])
			}
			if m["priority"] != "" {
				e.Priority = uint32(number(m["priority"]))
			}
			c.Emits = append(c.Emits, e)
		case "notify":
			m := fields(arg)
			c.Notifies = append(c.Notifies, command.Notify{
				Name: m[""], ClientID: m["client"],
				Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(m["data"] + "{}")},
			})
		}
	}
	return c.Append(nil), as
}

func (s *scenario) event(name string) command.EventID {
	id, found := s.events[name]
	if !found {
		return command.EventID{Epoch: 1, Queue: 99, Position: 99}
	}
	return id
}

func (s *scenario) lease(name string) command.LeaseID {
	event, turn, numbered := strings.Cut(name, "/")
	leases := s.leases[event]
	at := len(leases)
	if numbered {
		at = int(number(turn))
	}
	if at == 0 {
		return command.LeaseID{Event: s.event(event), Group: 1, Attempt: 1, Fence: 1 << 40}
	}
	return leases[at-1]
}

func (s *scenario) leasesOf(names []string) (leases []command.LeaseID) {
	for _, name := range names {
		leases = append(leases, s.lease(name))
	}
	return leases
}

// elsewhere is the event of the same numbers in another partition or epoch,
// where the line names one.
func elsewhere(a args, id command.EventID) command.EventID {
	id.Partition += uint16(a.number("partition"))
	id.Epoch += uint32(a.number("epoch"))
	return id
}

// name is what a scenario calls an event.
func (s *scenario) name(id command.EventID) string {
	if id.IsZero() {
		return "nothing"
	}
	if name, found := s.names[id]; found {
		return name
	}
	return fmt.Sprintf("#%d", id.Position)
}

func (s *scenario) call(id command.EventID, name string) {
	if name == "" || id.IsZero() {
		return
	}
	if _, named := s.names[id]; !named {
		s.names[id] = name
	}
	s.events[name] = id
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	invariants.Check(err == nil, "a scenario's number: %v", err)
	return n
}
