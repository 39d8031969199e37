package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// TestPark: the job leaves through its subscription; its end goes straight to the
// partition, from whichever session.
func TestPark(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	token := e.push(c, s, leaseOf(3, 44))
	c.send(fmt.Sprintf(`{"type":"park","id":5,"lease":%q,"timeout_ms":31536000001}`, token))
	has(t, c.expectError(400, "bad_request"), "message", "timeout_ms must be at most 31536000000")
	c.send(fmt.Sprintf(`{"type":"park","id":6,"lease":%q,"timeout_ms":60000}`, token))
	has(t, c.expect("ok"), "id", 6.0)
	sub := e.submission()
	var park command.Park
	park.Decode(sub.reader())
	if sub.through != "end" || sub.partition != 3 || park.Lease != leaseOf(3, 44) || park.TimeoutMS != 60_000 {
		t.Fatalf("%+v %+v", sub, park)
	}
	for _, session := range []*client{c, e.open(`{"type":"hello"}`)} {
		session.send(fmt.Sprintf(`{"type":"fail","id":7,"lease":%q,"error":{"code":"no","message":"m"}}`, token))
		session.expect("ok")
		if sub := e.submission(); sub.through != "submit" || sub.partition != 3 || sub.prefix.Kind != command.KindFail {
			t.Fatalf("%+v", sub)
		}
	}
}

// TestParkRefused: a job that could not be parked is still the worker's.
func TestParkRefused(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 1)
	token := e.push(c, s, leaseOf(3, 44))
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.BadRequest, Message: "the event is canceled"} })
	c.send(fmt.Sprintf(`{"type":"park","id":5,"lease":%q}`, token))
	c.expectError(400, "bad_request")
	e.submission()
	e.broker.set(func() { e.broker.result = command.Result{} })
	c.send(fmt.Sprintf(`{"type":"complete","id":6,"lease":%q}`, token))
	c.expect("ok")
	if sub := e.submission(); sub.through != "end" {
		t.Fatalf("it went by %s", sub.through)
	}
}

// TestHTTPComplete: complete for those who hold no socket.
func TestHTTPComplete(t *testing.T) {
	e := newEdge(t)
	token := string(e.broker.AppendLease(nil, leaseOf(6, 44)))
	next := command.EventID{Epoch: 1, Queue: 2, Position: 3}
	e.broker.set(func() { e.broker.result.Events = []command.EventID{next, {}} })
	body := fmt.Sprintf(`{"lease":%q,"result":{"ok":true},"emit":[{"channel":"d","priority":4,"data":1},{"channel":"e","data":2}],"notify":[{"name":"n","data":3}]}`, token)
	if got, want := e.do(t, e.request("POST", "/v1/leases/complete", body), 200, ""), `{"events":["`+next.String()+`",null]}`+"\n"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	sub := e.submission()
	done := sub.complete()
	if sub.partition != 6 || command.PartitionOf(sub.prefix.Slot, fakePartitions) != 6 || done.Lease != leaseOf(6, 44) ||
		string(done.Result.Bytes) != `{"ok":true}` || len(done.Emits) != 2 || done.Emits[0].Priority != 4 || len(done.Notifies) != 1 {
		t.Fatalf("%+v", done)
	}
	e.broker.set(func() { e.broker.result = command.Result{Duplicate: true} })
	if got := e.do(t, e.request("POST", "/v1/leases/complete", fmt.Sprintf(`{"lease":%q}`, token)), 200, ""); got != `{"events":[],"duplicate":true}`+"\n" {
		t.Fatal(got)
	}
	e.submission()
}

// TestHTTPFail: the same for fail.
func TestHTTPFail(t *testing.T) {
	e := newEdge(t)
	token := string(e.broker.AppendLease(nil, leaseOf(6, 44)))
	body := fmt.Sprintf(`{"lease":%q,"error":{"code":"no","message":"m","detail":[1]},"retryable":false,"retry_after_ms":9}`, token)
	if got := e.do(t, e.request("POST", "/v1/leases/fail", body), 200, ""); got != "{}\n" {
		t.Fatal(got)
	}
	var fail command.Fail
	fail.Decode(e.submission().reader())
	if fail.Lease != leaseOf(6, 44) || fail.Code != "no" || !fail.Final || fail.RetryAfterMS != 9 || string(fail.Detail) != "[1]" {
		t.Fatalf("%+v", fail)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.LeaseLost} })
	e.do(t, e.request("POST", "/v1/leases/fail", body), 409, "lease_lost")
}

// TestBadHTTPLeases: what is wrong with a request is said before anything is done.
func TestBadHTTPLeases(t *testing.T) {
	e := newEdge(t)
	token := string(e.broker.AppendLease(nil, leaseOf(6, 44)))
	large := strings.Repeat("x", 70_000)
	for _, bad := range []struct {
		path, body string
		status     int
		reason     string
	}{
		{"complete", `{"lease":"garbled"}`, 409, "lease_lost"},
		{"complete", `{}`, 400, "bad_request"},
		{"complete", `{"lease":`, 400, "bad_request"},
		{"complete", fmt.Sprintf(`{"lease":%q,"emit":[{"channel":"c","data":1,"delay_ms":1,"deliver_at":1}]}`, token), 400, "bad_request"},
		{"complete", fmt.Sprintf(`{"lease":%q,"result":%q}`, token, large), 413, "too_large"},
		{"complete", strings.Repeat(" ", 1<<20+1), 413, "too_large"},
		{"fail", fmt.Sprintf(`{"lease":%q}`, token), 400, "bad_request"},
		{"fail", `{"lease":"garbled","error":{"code":"c","message":"m"}}`, 409, "lease_lost"},
		{"fail", fmt.Sprintf(`{"lease":%q,"error":{"code":"c","message":"m","detail":%q}}`, token, large), 413, "too_large"},
	} {
		e.do(t, e.request("POST", "/v1/leases/"+bad.path, bad.body), bad.status, bad.reason)
	}
	e.get(t, "/v1/leases/complete", 404, "not_found")
	if len(e.broker.submissions) != 0 {
		t.Fatalf("%+v", e.submission())
	}
}

// TestLostSocket: the jobs of channels that say so are lost with the socket, those
// under way to their end and all others are not.
func TestLostSocket(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 9)
	push := func(partition uint16, fence uint64, lost bool) string {
		s.sink.Job(&command.Job{Lease: leaseOf(partition, fence), LeaseMS: 1000, LostWithSocket: lost, Event: command.Event{Channel: "c"}})
		token, _ := c.expect("job")["lease"].(string)
		return token
	}
	push(1, 1, true)
	push(2, 2, false)
	push(3, 3, true)
	push(1, 4, true)
	e.broker.set(func() { e.broker.hold = true })
	c.send(fmt.Sprintf(`{"type":"complete","id":1,"lease":%q}`, push(1, 5, true)))
	e.submission()
	_ = c.conn.Close()
	<-s.closed
	lost := make(map[command.LeaseID]bool)
	for range 2 {
		sub := e.submission()
		release := sub.release()
		if sub.prefix.Kind != command.KindRelease || !release.Lost {
			t.Fatalf("%+v %+v", sub, release)
		}
		for _, lease := range release.Leases {
			if uint32(lease.Event.Partition) != sub.partition || command.PartitionOf(sub.prefix.Slot, fakePartitions) != sub.partition {
				t.Fatalf("%+v went to %d", lease, sub.partition)
			}
			lost[lease] = true
		}
		sub.reply(command.Result{})
	}
	if len(lost) != 3 || !lost[leaseOf(1, 1)] || !lost[leaseOf(1, 4)] || !lost[leaseOf(3, 3)] {
		t.Fatalf("lost are %v", lost)
	}
}

// TestLeftSocket: who says bye hands jobs back uncounted; who is sent to another
// node keeps them.
func TestLeftSocket(t *testing.T) {
	e := newEdge(t)
	for _, leave := range []string{"bye", "drain"} {
		c := e.open(`{"type":"hello"}`)
		s := e.subscribe(c, 1)
		s.sink.Job(&command.Job{Lease: leaseOf(1, 1), LeaseMS: 1000, LostWithSocket: true, Event: command.Event{Channel: "c"}})
		c.expect("job")
		if leave == "bye" {
			e.broker.set(func() { e.broker.hold = true }) // The jobs are still held when the socket ends.
			c.send(`{"type":"bye"}`)
			if release := e.submission().release(); release.Lost || len(release.Leases) != 1 {
				t.Fatalf("%+v", release)
			}
		} else if err := e.gateway.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-s.closed
		for range c.messages {
		}
	}
	if err := e.gateway.Shutdown(t.Context()); err != nil { // Every teardown is over then.
		t.Fatal(err)
	}
	if len(e.broker.submissions) != 0 {
		t.Fatalf("%+v", e.submission())
	}
}

// TestForgottenJob: a job that was ended elsewhere, of which nobody tells, gives
// its place back in the end.
func TestForgottenJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.open(`{"type":"hello"}`)
		s := e.subscribe(c, 1)
		e.push(c, s, leaseOf(1, 1))
		took(t, sweepGrace+time.Second, sweepInterval+2*longestCheck, func() {
			if lost := <-s.lost; lost != leaseOf(1, 1) {
				t.Fatalf("%v is lost", lost)
			}
		})
	})
}
