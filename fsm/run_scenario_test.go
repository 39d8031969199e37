package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/storage"
)

// TestRuns runs the files in testdata/runs. Each is the life of runs in one partition,
// where workers wait on each channel that workers names. A directive is one entry:
//
//	workers CHANNEL…                                   who takes jobs from then on, as many as there are
//	workflow [alias=NAME]                              the definition below it, under an alias, prod
//	publish CHANNEL data=… [client= key= as= idempotency=]
//	start WORKFLOW data=… [client= key= as= idempotency= alias=]
//	done JOB [result=…] [usage=…] [emit=CHANNEL…]      a job, by its channel, or channel/n for the n-th that was ever leased there
//	fail JOB [code=] [message=] [final] · throttled JOB [retry=ms] · expire JOB
//	message NAME [key=] [data=] [id=] [ttl=]
//	run RUN cancel|pause|resume|retry|skip|fail|redrive|fork [step=] [data=] [reason=] [no-undo] [as=]
//	gone CLIENT                                        its last device has gone
//	cancel RUN                                         of its event
//	redrive CHANNEL/n                                  of a dead job
//	schedule ID workflow=… [zone= overlap= catch-up= jitter= start= end= max= client= key= alias= data=] [pause] [note=]
//	                                                   the calendar is below it
//	unschedule ID · ask ID pause|resume|trigger [note=] [overlap=] [once=]
//	plan ID · plans [after=] [limit=] [workflow=]      schedules as users see them
//	pass ms=n · pass to=TIME                           time goes by
//	show RUN                                           what is known of it
//	look RUN [tenant=] [brief] · runs [limit=] [tenant= workflow= version= state= client= error= since= until=]   as users see it
//	letters                                            dead letters
//	configure CHANNEL version=n [attempts= dead-to= …] as in scenarios
//	reopen · rows · limits                             as in scenarios
//
// What comes of it: leased jobs, notifications, what is canceled, and each run's state.
func TestRuns(t *testing.T) {
	datadriven.Walk(t, "testdata/runs", func(t *testing.T, path string) {
		t.Helper()
		datadriven.RunTest(t, path, newRunScenario(t).run)
	})
}

// TestRunsSurviveRestarts: the same, with the machine read back from its rows before every
// entry, and a new leader at every one. What an entry does is done whole, and what comes
// next follows from the rows.
func TestRunsSurviveRestarts(t *testing.T) {
	datadriven.Walk(t, "testdata/runs", func(t *testing.T, path string) {
		t.Helper()
		s := newRunScenario(t)
		s.restarts = true
		datadriven.RunTest(t, path, s.run)
	})
}

func newRunScenario(t *testing.T) *runScenario {
	t.Helper()
	s := &runScenario{
		world: newWorld(t, openStore(t), new(uint32)), runs: make(map[string]command.EventID), names: make(map[command.EventID]string),
		leases: make(map[string][]command.LeaseID), timeMS: 1000, steps: make(map[string][]string),
	}
	s.apply(true, entryOf(command.Header{}, firstLeader()))
	return s
}

type runScenario struct {
	*world

	// restarts means that the machine is read back, and led anew, before each entry.
	restarts bool
	// steps are the names of the steps of each version.
	steps map[string][]string

	timeMS  int64
	workers []string
	runs    map[string]command.EventID
	names   map[command.EventID]string
	leases  map[string][]command.LeaseID
	aliases []command.WorkflowAlias
	count   uint64
}

func (s *runScenario) run(t *testing.T, d *datadriven.TestData) string { //nolint:revive // A case for each directive.
	t.Helper()
	s.tb = t
	if s.restarts {
		s.reopen()
		s.apply(true, entryOf(command.Header{}, firstLeader()))
	}
	a := args{d.Cmd, d.CmdArgs}
	switch d.Cmd {
	case "workers":
		s.workers = a.words()
		return s.apply1(a)
	case "workflow":
		return s.workflow(a, d.Input)
	case "pass":
		s.pass(a)
		return s.apply1(a)
	case "reopen":
		s.reopen()
		return "ok\n"
	case "show":
		return s.show(s.runs[a.word()])
	case "look":
		return s.look(a)
	case "schedule", "unschedule", "ask":
		return s.apply1(a, s.scheduleCommand(a, d.Input))
	case "plan", "plans":
		return s.plans(a)
	case "runs":
		return s.list(a)
	case "rows":
		return s.rowKinds()
	case "limits":
		return s.limits(s.timeMS)
	case "letters":
		return s.letters()
	case "configure":
		return s.apply1(a, configureCommand(a))
	default:
		return s.apply1(a, s.command(a, d.Input))
	}
}

func (s *runScenario) workflow(a args, input string) string {
	def, problems := workflow.Parse([]byte(input))
	if len(problems) > 0 {
		s.tb.Fatalf("%+v", problems)
	}
	s.steps[def.Version] = nil
	for i := range def.Steps {
		s.steps[def.Version] = append(s.steps[def.Version], def.Steps[i].Name)
	}
	s.count++
	alias := a.get("alias", DefaultAlias)
	s.aliases = slices.DeleteFunc(s.aliases, func(have command.WorkflowAlias) bool { return have.Alias == alias })
	s.aliases = append(s.aliases, command.WorkflowAlias{Alias: alias, Targets: []command.WorkflowTarget{{Version: def.Version, Share: command.WholeShare}}})
	slices.SortFunc(s.aliases, func(a, b command.WorkflowAlias) int { return strings.Compare(a.Alias, b.Alias) })
	aliases := s.aliases
	if a.has("only") {
		aliases = aliases[len(aliases)-1:]
		s.aliases = nil
	}
	return s.apply1(a,
		(&command.InstallDefinition{Tenant: "t", Name: def.Name, Version: def.Version, Canonical: def.Canonical, On: def.On}).Append(nil),
		(&command.InstallAliases{Tenant: "t", Name: def.Name, Count: s.count, Aliases: aliases}).Append(nil))
}

func (s *runScenario) event(a args) command.Event {
	e := command.Event{
		Channel: a.word(), Tenant: "t", ClientID: a.get("client", "ana"), IdempotencyKey: a.get("idempotency", ""),
		CorrelationID: a.get("correlation", ""),
	}
	e.Key = a.get("key", e.ClientID)
	if data := a.get("data", ""); data != "" {
		e.Payload = jsonOfText(data)
	}
	return e
}

func jsonOfText(text string) command.Payload {
	return command.Payload{Codec: command.CodecJSON, Bytes: []byte(strings.ReplaceAll(text, "'", `"`))}
}

func (s *runScenario) command(a args, input string) []byte { //nolint:revive // A case for each command.
	data := command.Payload{}
	if text := a.get("data", strings.TrimSpace(input)); text != "" {
		data = jsonOfText(text)
	}
	switch a.cmd {
	case "publish":
		e := s.event(a)
		e.Payload = data
		return (&command.Publish{Route: command.Route{Slot: command.SlotOf(e.Tenant, e.Key)}, Event: e}).Append(nil)
	case "start":
		e := s.event(a)
		e.Channel, e.Payload = "", data
		return (&command.StartRun{
			Route: command.Route{Slot: command.SlotOf(e.Tenant, e.Key)}, Event: e, Workflow: a.word(), Alias: a.get("alias", ""),
		}).Append(nil)
	case "done":
		c := &command.Complete{Lease: s.lease(a.word()), Usage: []byte(strings.ReplaceAll(a.get("usage", ""), "'", `"`))}
		if result := a.get("result", strings.TrimSpace(input)); result != "" {
			c.Result = jsonOfText(result)
		}
		for _, channel := range values(a, "emit") {
			c.Emits = append(c.Emits, command.Event{Channel: channel, Payload: jsonOfText(`{"for":"` + channel + `"}`)})
		}
		return c.Append(nil)
	case "fail", "throttled":
		return (&command.Fail{
			Lease: s.lease(a.word()), Code: a.get("code", "boom"), Message: a.get("message", "it broke"), Final: a.has("final"),
			Throttled: a.cmd == "throttled", RetryAfterMS: a.number("retry"),
		}).Append(nil)
	case "expire":
		return (&command.Expire{Generation: s.machine.Generation(), Leases: []command.LeaseID{s.lease(a.word())}}).Append(nil)
	case "message":
		name, key := a.word(), a.get("key", "")
		if run, found := s.runs[key]; found {
			key = run.String()
		}
		return (&command.SendMessage{
			Route:  command.Route{Slot: command.SlotOf("t", command.MessageKey(name, key))},
			Tenant: "t", Name: name, Key: key, ID: a.get("id", ""), TTLMS: a.number("ttl"), Payload: data,
		}).Append(nil)
	case "run":
		actions := []string{"", "cancel", "pause", "resume", "retry", "skip", "fail", "redrive", "fork"}
		at := slices.Index(actions, append(a.words(), "", "")[1])
		return (&command.ControlRun{
			Run: s.runs[a.word()], Tenant: a.get("tenant", "t"), Action: command.RunAction(at), Step: a.get("step", ""), Data: data,
			Reason: a.get("reason", ""), Code: a.get("code", ""), NoUndo: a.has("no-undo"), Once: a.get("once", ""),
		}).Append(nil)
	case "gone":
		return (&command.CancelGone{Generation: s.machine.Generation(), Tenant: "t", ClientID: a.word()}).Append(nil)
	case "cancel":
		return (&command.Cancel{Tenant: "t", Event: s.runs[a.word()], Reason: "asked", GraceMS: 1000}).Append(nil)
	case "redrive":
		return (&command.Redrive{Tenant: "t", Event: s.lease(a.word()).Event, Edited: data.Codec != 0, Payload: data}).Append(nil)
	default:
		s.tb.Fatalf("%s is not known", a.cmd)
		return nil
	}
}

// lease is the last one of a channel, or the n-th.
func (s *runScenario) lease(name string) command.LeaseID {
	channel, nth, found := strings.Cut(name, "/")
	all := s.leases[channel]
	if !found {
		nth = fmt.Sprint(len(all))
	}
	at := int(number(nth))
	if at < 1 || at > len(all) {
		s.tb.Fatalf("no lease %s", name)
	}
	return all[at-1]
}

// apply1 applies one entry, and tells of it.
func (s *runScenario) apply1(a args, commands ...[]byte) string {
	header := command.Header{TimeMS: s.timeMS, Generation: s.machine.Generation()}
	for i, channel := range s.workers {
		header.Offers = append(header.Offers, command.Offer{
			Channel: channel, Group: DefaultGroup, Node: "n1", Worker: "w", Session: 1, Subscription: uint32(i), Credit: 100,
		})
	}
	out := s.apply(true, command.AppendEntry(nil, &header, commands))[0]
	var b strings.Builder
	for _, r := range out.Results {
		if r.Reason != command.Done {
			fmt.Fprintf(&b, "refused: %s: %s\n", r.Reason, r.Message)
		} else if r.Duplicate {
			fmt.Fprintf(&b, "duplicate of %s\n", s.names[r.Event])
		}
	}
	for _, r := range out.Runs {
		if s.names[r.ID] == "" {
			name := a.get("as", fmt.Sprintf("r%d", len(s.runs)+1))
			if _, taken := s.runs[name]; taken {
				name = fmt.Sprintf("r%d", len(s.runs)+1)
			}
			s.runs[name], s.names[r.ID] = r.ID, name
		}
	}
	s.tellOutcome(&b, out)
	return b.String()
}

func (s *runScenario) tellOutcome(b *strings.Builder, out *Outcome) {
	for _, r := range out.Runs {
		row := s.rowOf(r.ID)
		fmt.Fprintf(b, "%s: %s\n", s.names[r.ID], s.stateOf(row))
	}
	for i := range out.Grants {
		j := &out.Grants[i].Job
		s.leases[j.Event.Channel] = append(s.leases[j.Event.Channel], j.Lease)
		fmt.Fprintf(b, "leased %s/%d attempt=%d %s", j.Event.Channel, len(s.leases[j.Event.Channel]), j.Lease.Attempt, s.text(j.Event.Payload.Bytes))
		if key := j.Event.IdempotencyKey; key != "" {
			fmt.Fprintf(b, " key=%s", s.text([]byte(key)))
		}
		b.WriteString("\n")
	}
	for _, c := range out.Canceling {
		fmt.Fprintf(b, "canceling %s: %s\n", s.channelOf(c.Lease), c.Reason)
	}
	for _, n := range out.Notified {
		fmt.Fprintf(b, "notified %s %s %s\n", n.ClientID, n.Notification.Name, s.text(n.Notification.Payload.Bytes))
	}
	for _, c := range out.Bound {
		fmt.Fprintf(b, "bound %s gone=%v\n", c.ClientID, c.Gone)
	}
	for _, reason := range diedOf(out) {
		fmt.Fprintf(b, "dead: %s\n", reason)
	}
}

func (s *runScenario) channelOf(id command.LeaseID) string {
	for channel, all := range s.leases {
		if at := slices.Index(all, id); at >= 0 {
			return fmt.Sprintf("%s/%d", channel, at+1)
		}
	}
	return "?"
}

// text is data with the names of runs in the place of their ids.
func (s *runScenario) text(data []byte) string {
	text := string(data)
	for id, name := range s.names {
		text = strings.ReplaceAll(text, id.String(), name)
	}
	return text
}

func (s *runScenario) rowOf(id command.EventID) *runRow {
	var row runRow
	s.read(func(view *storage.View) {
		value, found, err := view.Get(keyRun(nil, s.machine.queues[id.Queue].tenant, id.Position))
		check(s.tb, err)
		if found {
			row.read(value)
		}
	})
	return &row
}

func (s *runScenario) stateOf(r *runRow) string {
	text := r.State.String()
	if d := s.machine.definition(r.definition); d != nil {
		text += " at " + s.steps[d.version][r.Step]
	}
	if r.Paused {
		text += " (paused)"
	}
	if r.Items.Total > 0 {
		text += fmt.Sprintf(" %d+%d of %d", r.Items.Succeeded, r.Items.Failed, r.Items.Total)
	}
	if r.Live > 0 {
		text += fmt.Sprintf(" live=%d", r.Live)
	}
	if r.Error != nil {
		text += fmt.Sprintf(" error=%s: %s", r.Error.Code, r.Error.Message)
	}
	if i := r.Incident; i != nil {
		text += fmt.Sprintf(" incident=%s: %s", i.Kind, s.text([]byte(i.Message)))
	}
	return text
}

func (s *runScenario) show(id command.EventID) string {
	r := s.rowOf(id)
	text := s.stateOf(r) + "\n"
	s.read(func(view *storage.View) {
		value, found, err := view.Get(keyRunPart(nil, id.Position, runEnd))
		check(s.tb, err)
		if found {
			text += "result " + s.text(readPayload(value).Bytes) + "\n"
		}
		open, _, err := view.Get(keyUnfinished(nil, s.machine.queues[id.Queue].tenant, r.client))
		check(s.tb, err)
		if open != nil {
			text += fmt.Sprintf("%d unfinished of %s\n", readCount(open), r.client)
		}
	})
	return text + string(r.Usage.JSON()) + "\n"
}

func (s *runScenario) rowKinds() string {
	counts := make(map[byte]int)
	s.read(func(view *storage.View) {
		check(s.tb, view.Scan([]byte{0}, nil, func(key, _ []byte) (bool, error) {
			counts[key[0]]++
			return true, nil
		}))
	})
	var kinds []string
	for kind, count := range counts {
		kinds = append(kinds, fmt.Sprintf("%c %d", kind, count))
	}
	slices.Sort(kinds)
	return strings.Join(kinds, "\n") + "\n"
}
