package gateway

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// subscribe makes a subscription and returns the cluster's end of it.
func (e *edge) subscribe(c *client, credit int) *fakeSubscription {
	e.t.Helper()
	c.send(fmt.Sprintf(`{"type":"subscribe","id":1,"channel":"c","credit":%d}`, credit))
	m := c.expect("ok")
	if m["subscription"] == "" {
		e.t.Fatalf("%v", m)
	}
	return <-e.broker.subscribed
}

func leaseOf(partition uint16, fence uint64) command.LeaseID {
	return command.LeaseID{
		Event: command.EventID{Epoch: 1, Partition: partition, Queue: 3, Position: fence}, Group: 1, Attempt: 2, Fence: fence,
	}
}

// push gives the worker a job and returns its token.
func (e *edge) push(c *client, s *fakeSubscription, lease command.LeaseID) string {
	e.t.Helper()
	s.sink.Job(&command.Job{Lease: lease, LeaseMS: 1000, CorrelationID: "co", CausationID: "ca", Event: command.Event{Channel: "c", Tenant: "t", Key: "k"}})
	token, _ := c.expect("job")["lease"].(string)
	return token
}

// TestSubscribe: credit, tenants and limits of subscriptions.
func TestSubscribe(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","name":"worker","tenant":"acme"}`)
	c.send(`{"type":"subscribe","id":1,"channel":"c","group":"default","credit":100000,"lease_ms":2000}`)
	m := c.expect("ok")
	s := <-e.broker.subscribed
	if want := (SubscriptionSpec{Channel: "c", Group: "default", Tenant: "acme", Worker: "worker", LeaseMS: 2000, Credit: 4096}); s.spec != want {
		t.Fatalf("got %+v", s.spec)
	}
	c.send(fmt.Sprintf(`{"type":"credit","subscription":%q,"credit":0}`, m["subscription"]))
	if credit := <-s.credits; credit != 0 {
		t.Fatalf("credit is %d", credit)
	}
	c.send(fmt.Sprintf(`{"type":"unsubscribe","id":2,"subscription":%q}`, m["subscription"]))
	has(t, c.expect("ok"), "id", 2.0)
	<-s.closed

	c = e.open(`{"type":"hello","client_id":"w2"}`)
	s = e.subscribe(c, 1)
	if s.spec.Tenant != "" || s.spec.Worker != "w2" {
		t.Fatalf("a worker that names no tenant works for all: %+v", s.spec)
	}
	for range 63 {
		e.subscribe(c, 1)
	}
	c.send(`{"type":"subscribe","id":1,"channel":"c","credit":1}`)
	c.expectError(503, "overloaded")
}

// TestJob: what a worker is pushed.
func TestJob(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	lease := leaseOf(3, 44)
	s.sink.Job(&command.Job{
		Lease: lease, LeaseMS: 1234, Group: "default", CorrelationID: "co", CausationID: "ca", Checkpoint: []byte(`{"p":1}`),
		Event: command.Event{
			Channel: "c", Tenant: "t", ClientID: "ann", Key: "k", Headers: []byte(`{"h":"v"}`), ContentType: "text/x",
			Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`[1, 2]`)},
		},
	})
	m := c.expect("job")
	for field, want := range map[string]any{
		"fence": 44.0, "event_id": lease.Event.String(), "channel": "c", "group": "default", "attempt": 2.0, "lease_ms": 1234.0, "key": "k",
		"idempotency_key": lease.Event.String(), "correlation_id": "co", "causation_id": "ca", "client_id": "ann", "tenant": "t",
		"content_type": "text/x", "lease": string(e.broker.AppendLease(nil, lease)),
	} {
		has(t, m, field, want)
	}
	for field, want := range map[string]string{"headers": `{"h":"v"}`, "checkpoint": `{"p":1}`, "data": `[1,2]`} {
		if got, _ := json.Marshal(m[field]); string(got) != want {
			t.Fatalf("%s is %s", field, got)
		}
	}
	s.sink.CancelJob(lease, "stop", 5000)
	m = c.expect("cancel")
	has(t, m, "grace_ms", 5000.0)
	has(t, m, "reason", "stop")
	// It may still be ended within its grace, through the subscription.
	c.send(fmt.Sprintf(`{"type":"complete","id":5,"lease":%q}`, m["lease"]))
	c.expect("ok")
	if sub := e.submission(); sub.through != "end" {
		t.Fatalf("it went by %s", sub.through)
	}
}

// TestLostLeaseAsksForASignOfLife: with the news that a lease is gone comes a
// ping, and its answer has jobs pushed again. A request to stop needs none.
func TestLostLeaseAsksForASignOfLife(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	e.push(c, s, leaseOf(3, 44))
	s.sink.CancelJob(leaseOf(3, 44), "stop", 5000)
	c.expect("cancel")
	c.alive()
	if len(c.pings) > 0 || len(s.heard) > 0 {
		t.Fatal("a request to stop took the worker for silent")
	}
	s.sink.CancelJob(leaseOf(3, 44), "expired", 0)
	c.expect("cancel")
	<-c.pings
	<-s.heard
	c.alive()
	if len(s.heard) > 0 {
		t.Fatal("the worker was heard more than once")
	}
}

// TestComplete: one command with everything; the second time the state answers.
func TestComplete(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	token := e.push(c, s, leaseOf(3, 44))
	e.broker.set(func() { e.broker.result.Events = []command.EventID{{Epoch: 1, Queue: 2, Position: 3}, {}} })
	complete := fmt.Sprintf(`{"type":"complete","id":5,"lease":%q,"result":{"r":1},"usage":{"u":1},`+
		`"emit":[{"channel":"d","headers":{"x":"y"},"data":1},{"channel":"e","key":"k2","client_id":"bob","idempotency_key":"i","priority":3,"headers":{"z":"w"},"data":2}],`+
		`"notify":[{"name":"done","data":"yes"},{"name":"n2","client_id":"eve","data_base64":"AA=="}]}`, token)
	c.send(complete)
	m := c.expect("ok")
	if got, _ := json.Marshal(m["events"]); string(got) != `["`+(command.EventID{Epoch: 1, Queue: 2, Position: 3}).String()+`",null]` {
		t.Fatalf("%s", got)
	}
	sub := e.submission()
	got := sub.complete()
	if sub.through != "end" || sub.partition != 3 || command.PartitionOf(sub.prefix.Slot, fakePartitions) != 3 || got.Lease != leaseOf(3, 44) {
		t.Fatalf("%+v %+v", sub, got)
	}
	if string(got.Result.Bytes) != `{"r":1}` || string(got.Usage) != `{"u":1}` {
		t.Fatalf("%+v", got)
	}
	want := []command.Event{
		{Channel: "d", Headers: []byte(`{"x":"y"}`), Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte("1")}},
		{
			Channel: "e", Key: "k2", ClientID: "bob", IdempotencyKey: "i", Headers: []byte(`{"z":"w"}`), Priority: 3,
			Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte("2")},
		},
	}
	if fmt.Sprintf("%+v", got.Emits) != fmt.Sprintf("%+v", want) {
		t.Fatalf("got  %+v\nwant %+v", got.Emits, want)
	}
	if len(got.Notifies) != 2 || got.Notifies[0].ClientID != "" || got.Notifies[1].ClientID != "eve" || got.Notifies[1].Payload.Codec != command.CodecBytes {
		t.Fatalf("%+v", got.Notifies)
	}
	// The same again: the lease is not held any more, the state answers.
	c.send(complete)
	c.expect("ok")
	if sub := e.submission(); sub.through != "submit" || sub.partition != 3 {
		t.Fatalf("it went by %s", sub.through)
	}
}

// TestCompleteRefused: a refusal that leaves the lease alive leaves the job in its place.
func TestCompleteRefused(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	token := e.push(c, s, leaseOf(3, 44))
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.BadRequest, Message: "no client"} })
	c.send(fmt.Sprintf(`{"type":"complete","id":5,"lease":%q}`, token))
	c.expectError(400, "bad_request")
	e.submission()
	e.broker.set(func() { e.broker.result = command.Result{} })
	c.send(fmt.Sprintf(`{"type":"fail","id":6,"lease":%q,"error":{"code":7,"message":"bad","detail":[1]},"retryable":false,"retry_after_ms":9,"throttled":true}`, token))
	has(t, c.expect("ok"), "id", 6.0)
	sub := e.submission()
	var fail command.Fail
	fail.Decode(sub.reader())
	if sub.through != "end" || fail.Code != "7" || fail.Message != "bad" || string(fail.Detail) != "[1]" || !fail.Final || !fail.Throttled || fail.RetryAfterMS != 9 {
		t.Fatalf("%+v %+v", sub, fail)
	}
}

// TestRelease: a job goes back through its subscription.
func TestRelease(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	token := e.push(c, s, leaseOf(7, 44))
	c.send(fmt.Sprintf(`{"type":"release","lease":%q}`, token))
	sub := e.submission()
	if sub.through != "end" || sub.partition != 7 || len(sub.release().Leases) != 1 {
		t.Fatalf("%+v", sub)
	}
	c.alive()
}

// TestRenew: one answer for leases of several partitions.
func TestRenew(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 3)
	one, two, three := e.push(c, s, leaseOf(1, 1)), e.push(c, s, leaseOf(2, 2)), e.push(c, s, leaseOf(1, 3))
	e.broker.set(func() {
		e.broker.terms = func(lease command.LeaseID) uint32 {
			if lease.Fence == 3 {
				return 0
			}
			return uint32(lease.Fence) * 1000
		}
	})
	c.send(fmt.Sprintf(`{"type":"renew","leases":[%q,{"lease":%q,"progress":0.5},"garbled",%q]}`, one, two, three))
	m := c.expect("renewed")
	if got, _ := json.Marshal(m["leases"]); string(got) != fmt.Sprintf(`[{"lease":%q,"lease_ms":1000},{"lease":%q,"lease_ms":2000}]`, one, two) {
		t.Fatalf("leases are %s", got)
	}
	if got, _ := json.Marshal(m["lost"]); string(got) != fmt.Sprintf(`["garbled",%q]`, three) {
		t.Fatalf("lost are %s", got)
	}
	if first, second := <-e.broker.renewals, <-e.broker.renewals; len(first.leases) != 2 || len(second.leases) != 1 || first.partition != 1 {
		t.Fatalf("%+v %+v", first, second)
	}
	if lost := <-s.lost; lost != leaseOf(1, 3) {
		t.Fatalf("%v is lost", lost)
	}
	// No leader: nothing is known, so nothing is said of the lease.
	e.broker.set(func() { e.broker.hold = true })
	c.send(fmt.Sprintf(`{"type":"renew","leases":[%q]}`, one))
	call := <-e.broker.renewals
	call.to.Renewed(call.slot, call.leases, nil)
	if text := <-c.messages; text != `{"type":"renewed","leases":[],"lost":[]}` {
		t.Fatal(text)
	}
	c.send(`{"type":"renew","leases":[]}`)
	c.expect("renewed")
}

// TestCancelEvent: a client cancels its own.
func TestCancelEvent(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	event := command.EventID{Epoch: 1, Partition: 6, Queue: 2, Position: 3}
	c.send(fmt.Sprintf(`{"type":"cancel","id":3,"event_id":%q,"reason":"enough"}`, event))
	has(t, c.expect("ok"), "id", 3.0)
	sub := e.submission()
	var stop command.Cancel
	stop.Decode(sub.reader())
	want := command.Cancel{Tenant: "default", ClientID: "ann", Event: event, Reason: "enough", GraceMS: 5000}
	if sub.partition != 6 || stop != want {
		t.Fatalf("%+v", stop)
	}
	event.Partition = 8
	c.send(fmt.Sprintf(`{"type":"cancel","id":4,"event_id":%q}`, event))
	c.expectError(404, "not_found")
}

// TestCheckpointIsAnswered: a checkpoint that asks to be answered is, when the
// cluster has it; what a renewal brought before is older, and forgotten.
func TestCheckpointIsAnswered(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	token := e.push(c, e.subscribe(c, 4), leaseOf(3, 1))
	for n := range 2 {
		c.send(fmt.Sprintf(`{"type":"renew","leases":[{"lease":%q,"checkpoint":%d}]}`, token, n))
		c.expect("renewed")
	}
	if sub := e.submission(); sub.prefix.Kind != command.KindCheckpoint {
		t.Fatalf("the first renewal's checkpoint was kept back: %v", sub.prefix.Kind)
	}
	e.broker.set(func() { e.broker.hold = true })
	c.send(fmt.Sprintf(`{"type":"checkpoint","id":9,"lease":%q,"checkpoint":{"n":2}}`, token))
	sub := e.submission()
	var checkpoint command.Checkpoint
	checkpoint.Decode(sub.reader())
	if sub.prefix.Kind != command.KindCheckpoint || string(checkpoint.Data) != `{"n":2}` || checkpoint.Lease != leaseOf(3, 1) || sub.partition != 3 {
		t.Fatalf("submitted %v %s of %v to %d", sub.prefix.Kind, checkpoint.Data, checkpoint.Lease, sub.partition)
	}
	sub.reply(command.Result{})
	has(t, c.expect("ok"), "id", 9.0)
	c.send(fmt.Sprintf(`{"type":"fail","id":10,"lease":%q,"error":{"code":"x","message":"y"}}`, token))
	if sub := e.submission(); sub.prefix.Kind != command.KindFail {
		t.Fatalf("an older checkpoint came behind the newer: %v", sub.prefix.Kind)
	}
}

// TestCancelLineage: a client's wish to stop its lineage goes to every partition.
func TestCancelLineage(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann","tenant":"acme"}`)
	c.send(`{"type":"cancel","id":3,"correlation_id":"story 1","reason":"enough"}`)
	has(t, c.expect("ok"), "id", 3.0)
	sub := e.submission()
	var stop command.CancelLineage
	stop.Decode(sub.reader())
	want := command.CancelLineage{Tenant: "acme", ClientID: "ann", CorrelationID: "story 1", Reason: "enough", GraceMS: 5000}
	if sub.through != "every" || stop != want {
		t.Fatalf("%s: %+v", sub.through, stop)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NotFound, Message: "nothing of it"} })
	c.send(`{"type":"cancel","id":4,"correlation_id":"story 2"}`)
	has(t, c.expectError(404, "not_found"), "message", "nothing of it")
}
