package gateway

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// read begins to read a stream and returns the cluster's end of it.
func (e *edge) read(c *client, id int, stream, fields string) *fakeReader {
	e.t.Helper()
	c.send(fmt.Sprintf(`{"type":"read","id":%d,"stream":%q,"offset":0%s}`, id, stream, fields))
	has(e.t, c.expect("ok"), "id", float64(id))
	return <-e.broker.tokens.readers
}

// TestChunksOfAWorker: what a worker sends is what the cluster is given, and the end of
// its job ends its streams.
func TestChunksOfAWorker(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 10)
	for fence, end := range map[uint64]struct {
		message string
		final   bool
	}{
		1: {`{"type":"complete","id":9,"lease":%q}`, true},
		2: {`{"type":"fail","id":9,"lease":%q,"error":{"code":"c","message":"m"}}`, false},
		3: {`{"type":"release","lease":%q}`, false},
		4: {`{"type":"park","id":9,"lease":%q}`, false},
	} {
		lease := leaseOf(1, fence)
		token := e.push(c, s, lease)
		c.send(fmt.Sprintf(`{"type":"chunk","lease":%q,"offset":0,"data":"b\u00e2\n"}`, token))
		c.send(fmt.Sprintf(`{"type":"chunk","lease":%q,"stream":"side","offset":7,"final":true,"data_base64":"AAE="}`, token))
		first, second := <-e.broker.tokens.writers, <-e.broker.tokens.writers
		if w := <-first.writes; first.lease != lease || first.name != "" || string(w.Data) != "bâ\n" || w.Kind != cluster.TokenText || w.Final {
			t.Fatalf("%+v %+v", first, w)
		}
		if w := <-second.writes; second.name != "side" || string(w.Data) != "\x00\x01" || w.Kind != cluster.TokenBinary || !w.Final || w.Offset != 7 {
			t.Fatalf("%+v %+v", second, w)
		}
		c.send(fmt.Sprintf(`{"type":"chunk","lease":%q,"stream":"side","offset":9,"data":"text"}`, token))
		c.expectError(400, "bad_request")
		c.send(fmt.Sprintf(end.message, token))
		if final := <-first.closed; final != end.final || <-second.closed != end.final {
			t.Errorf("%s ends streams with %v", end.message, final)
		}
		if end.message[9] != 'r' {
			c.next()
		}
	}
}

// TestChunksNameTheirTenant: a worker of one tenant writes streams of that tenant's jobs.
func TestChunksNameTheirTenant(t *testing.T) {
	e, v := newClosedEdge(t)
	for _, tenant := range []string{"acme", command.AllTenants} {
		key, _ := v.add(command.Key{Tenant: tenant, Roles: command.RoleWorker, Work: []string{"*"}})
		c := e.open(`{"type":"hello","token":"` + key + `"}`)
		c.send(fmt.Sprintf(`{"type":"chunk","lease":%q,"offset":0,"data":"x"}`, e.broker.AppendLease(nil, leaseOf(1, 1))))
		want := tenant
		if tenant == command.AllTenants {
			want = ""
		}
		if w := <-e.broker.tokens.writers; w.tenant != want {
			t.Errorf("a worker of %s writes as one of %q", tenant, w.tenant)
		}
	}
}

// TestChunksNobodyTakes: a worker is told once that its lease is lost, and the socket's
// end ends what is left.
func TestChunksNobodyTakes(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	token := e.push(c, e.subscribe(c, 10), leaseOf(1, 1))
	e.broker.set(func() { e.broker.tokens.refuse = true })
	for range 3 {
		c.send(fmt.Sprintf(`{"type":"chunk","lease":%q,"offset":0,"data":"x"}`, token))
	}
	c.expectError(409, "lease_lost")
	c.alive()
	w := <-e.broker.tokens.writers
	_ = c.conn.Close()
	if <-w.closed {
		t.Error("a lost socket ends a stream as if it were whole")
	}
}

// TestReadAsksFor: what a client asks for is what the cluster is asked for, limited to
// the client's own.
func TestReadAsksFor(t *testing.T) {
	e := newEdge(t)
	id := leaseOf(2, 5).Event
	c := e.open(`{"type":"hello","tenant":"acme","client_id":"ann"}`)
	r := e.read(c, 3, id.String()+"/side", `,"attempt":4`)
	want := TokenSpec{Tenant: "acme", ClientID: "ann", ID: cluster.TokenID{Event: id, Name: "side"}, Attempt: 4}
	if r.spec != want {
		t.Fatalf("%+v", r.spec)
	}
	again := e.read(c, 4, id.String()+"/side", "")
	<-r.closed // The same stream: the later one counts.
	e.broker.set(func() { e.broker.tokens.answer = command.Result{Reason: command.NotFound, Message: "no"} })
	c.send(fmt.Sprintf(`{"type":"read","id":5,"stream":%q,"offset":0}`, id))
	has(t, c.expectError(404, "not_found"), "id", 5.0)
	c.send(fmt.Sprintf(`{"type":"read","id":6,"stream":%q,"offset":0}`, leaseOf(999, 5).Event))
	c.expectError(404, "not_found")
	_ = c.conn.Close()
	<-again.closed
}

// TestReadIsReplaced: a read that was not answered is, when another takes its place.
func TestReadIsReplaced(t *testing.T) {
	e := newEdge(t)
	id := leaseOf(2, 5).Event
	c := e.open(`{"type":"hello"}`)
	e.broker.set(func() { e.broker.tokens.held = true })
	c.send(fmt.Sprintf(`{"type":"read","id":1,"stream":%q,"offset":0}`, id))
	first := <-e.broker.tokens.readers
	c.send(fmt.Sprintf(`{"type":"read","id":2,"stream":%q,"offset":0}`, id))
	has(t, c.expect("ok"), "id", 1.0)
	<-first.closed
	second := <-e.broker.tokens.readers
	second.sink.Began(&command.Result{})
	has(t, c.expect("ok"), "id", 2.0)
}

// TestChunksToAClient: the messages of a stream that a socket is sent, from its
// announcement to its end.
func TestChunksToAClient(t *testing.T) {
	e := newEdge(t)
	id := cluster.TokenID{Event: leaseOf(2, 5).Event, Name: "side"}
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	stream := <-e.broker.attached
	listener, ok := stream.sink.(cluster.TokenListener)
	if !ok {
		t.Fatal("a socket does not listen to announcements")
	}
	listener.Announced(id)
	listener.Announced(id) // It is read already.
	r := <-e.broker.tokens.readers
	if !r.spec.Announced || r.spec.ID != id || r.spec.ClientID != "ann" {
		t.Fatalf("%+v", r.spec)
	}
	r.sink.Chunk(textChunk(3, "b\"â"))
	m := c.expect("chunk")
	for field, want := range map[string]any{
		"stream": id.Event.String() + "/side", "correlation_id": "c", "attempt": 1.0, "offset": 3.0, "data": "b\"â",
	} {
		has(t, m, field, want)
	}
	r.sink.Reset(2)
	m = c.expect("reset")
	has(t, m, "stream", id.Event.String()+"/side")
	has(t, m, "attempt", 2.0)
	r.sink.Chunk(&cluster.TokenChunk{Attempt: 2, Kind: cluster.TokenBinary, Data: []byte{0, 1}})
	has(t, c.expect("chunk"), "data_base64", "AAE=")
	r.sink.Gone()
	m = c.expect("chunk")
	has(t, m, "final", true)
	has(t, m, "offset", 2.0)
	select {
	case other := <-e.broker.tokens.readers:
		t.Fatalf("it was read twice: %+v", other.spec)
	default:
	}
}

// TestSlowReaderDropsChunks: a socket that takes nothing has no room, costs no memory
// for it, and is asked on when it takes something.
func TestSlowReaderDropsChunks(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	r := e.read(c, 1, leaseOf(2, 5).Event.String(), "")
	<-r.resumed // At the beginning.
	sent := uint64(0)
	for r.sink.Room() { // The client reads into a channel that nobody empties, then not at all.
		r.sink.Chunk(textChunk(sent, string(make([]byte, 8<<10))))
		sent += 8 << 10
		if sent > 1<<30 {
			t.Fatal("there is always room")
		}
	}
	go func() {
		for range c.messages {
		}
	}()
	<-r.resumed
}

// TestReadsAreBounded: streams that came to their end make room, others do not.
func TestReadsAreBounded(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	var readers []*fakeReader
	for i := range 64 {
		readers = append(readers, e.read(c, i, leaseOf(2, uint64(i+1)).Event.String(), ""))
	}
	c.send(fmt.Sprintf(`{"type":"read","id":99,"stream":%q,"offset":0}`, leaseOf(2, 99).Event))
	c.expectError(503, "overloaded")
	readers[7].sink.Chunk(&cluster.TokenChunk{Attempt: 1, Final: true})
	c.expect("chunk")
	e.read(c, 99, leaseOf(2, 99).Event.String(), "")
	<-readers[7].closed
}
