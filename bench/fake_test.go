package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/batonmq/baton/transport/wire"
)

// fakeCluster is a broker of one process without durability: enough for events
// to pass steps and come back, and to lose or repeat some on purpose.
type fakeCluster struct {
	server *httptest.Server
	// lose and repeat say which notifications (counted from 1) do not come, or
	// come twice: every so many. 0 for none.
	lose, repeat int

	mu       sync.Mutex // guards the rest
	events   uint64
	notified int
	queues   map[string][]wire.Payload
	workers  map[string][]*fakeWorker
	streams  map[string]*fakeSocket
	seqs     map[string]uint64
	leases   map[string]*fakeLease
}

type fakeWorker struct {
	socket *fakeSocket
	id     string
	credit int
}

type fakeLease struct {
	worker  *fakeWorker
	channel string
	client  string
}

type fakeSocket struct {
	conn   net.Conn
	client string

	mu sync.Mutex // guards writing
}

func (s *fakeSocket) send(m *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = wsutil.WriteServerText(s.conn, m.Append(wire.JSON.On(nil)).Bytes)
}

func newFakeCluster(t *testing.T) *fakeCluster {
	t.Helper()
	f := &fakeCluster{
		queues: make(map[string][]wire.Payload), workers: make(map[string][]*fakeWorker),
		streams: make(map[string]*fakeSocket), seqs: make(map[string]uint64), leases: make(map[string]*fakeLease),
	}
	f.server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.HTTPUpgrader{Protocol: func(p string) bool { return p == wire.JSON.Protocol() }}.Upgrade(r, w)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	s := &fakeSocket{conn: conn}
	decoder := wire.NewDecoder(wire.FromClient)
	var m wire.Message
	for {
		frame, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		decoder.Reset(frame)
		for {
			if err := decoder.Next(&m); err != nil {
				if err != io.EOF { //nolint:errorlint // the decoder does not wrap it
					return
				}
				break
			}
			f.handle(s, &m)
		}
	}
}

func (f *fakeCluster) handle(s *fakeSocket, m *wire.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m.Type { //nolint:exhaustive // what a pipeline needs
	case wire.TypeHello:
		s.client = string(m.Hello.ClientID)
		f.streams[s.client] = s
		s.send(&wire.Message{Type: wire.TypeWelcome, Welcome: wire.Welcome{
			Session: []byte("s"), Node: []byte("n"), Tenant: []byte("default"), ClientID: []byte(s.client), Epoch: []byte("x"),
			Protocol: []byte("baton.v1.json"), Limits: wire.Limits{MaxInFlight: 64, MaxMessageBytes: 1 << 20, Window: 1024},
		}})
	case wire.TypePing:
		s.send(&wire.Message{Type: wire.TypePong})
	case wire.TypePublish:
		f.events++
		id := fmt.Appendf(nil, "e%d", f.events)
		s.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.Publish.ID, EventID: id, CorrelationID: id}})
		f.store(string(m.Publish.Channel), s.client, m.Publish.Payload)
	case wire.TypeSubscribe:
		channel := string(m.Subscribe.Channel)
		worker := &fakeWorker{socket: s, id: fmt.Sprintf("s%d", m.Subscribe.ID), credit: int(m.Subscribe.Credit)}
		s.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.Subscribe.ID, Subscription: []byte(worker.id)}})
		f.workers[channel] = append(f.workers[channel], worker)
		f.lend(channel)
	case wire.TypeComplete:
		f.complete(s, &m.Complete)
	}
}

func (f *fakeCluster) store(channel, client string, p wire.Payload) {
	data := append([]byte(client+" "), p.Bytes...)
	f.queues[channel] = append(f.queues[channel], wire.Payload{Bytes: data, Kind: wire.PayloadJSON})
	f.lend(channel)
}

// lend hands queued events to workers with credit.
func (f *fakeCluster) lend(channel string) {
	for _, worker := range f.workers[channel] {
		for worker.credit > 0 && len(f.queues[channel]) > 0 {
			head := f.queues[channel][0]
			f.queues[channel] = f.queues[channel][1:]
			worker.credit--
			var client string
			_, _ = fmt.Sscan(string(head.Bytes), &client)
			f.events++
			lease := fmt.Sprintf("l%d", f.events)
			f.leases[lease] = &fakeLease{worker, channel, client}
			head.Bytes = head.Bytes[len(client)+1:]
			worker.socket.send(&wire.Message{Type: wire.TypeJob, Job: wire.Job{
				Subscription: []byte(worker.id), Lease: []byte(lease), Fence: 1, EventID: []byte("e"), Channel: []byte(channel),
				Group: []byte("default"), Attempt: 1, LeaseMs: 30000, Key: []byte(client), IdempotencyKey: []byte("i"),
				CorrelationID: []byte("c"), CausationID: []byte("c"), ClientID: []byte(client), Tenant: []byte("default"), Payload: head,
			}})
		}
	}
}

func (f *fakeCluster) complete(s *fakeSocket, m *wire.Complete) {
	lease := f.leases[string(m.Lease)]
	delete(f.leases, string(m.Lease))
	s.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true}})
	lease.worker.credit++
	for i := range m.Emit {
		f.store(string(m.Emit[i].Channel), lease.client, m.Emit[i].Payload)
	}
	for i := range m.Notify {
		f.notified++
		times := 1
		switch {
		case f.lose > 0 && f.notified%f.lose == 0:
			times = 0
		case f.repeat > 0 && f.notified%f.repeat == 0:
			times = 2
		}
		for range times {
			f.seqs[lease.client]++
			f.streams[lease.client].send(&wire.Message{Type: wire.TypeNotify, Notify: wire.Notify{
				Seq: f.seqs[lease.client], Name: m.Notify[i].Name, EventID: []byte("e"), Payload: m.Notify[i].Payload,
			}})
		}
	}
	f.lend(lease.channel)
}
