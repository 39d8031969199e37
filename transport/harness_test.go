package transport

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
)

// TestMain also checks that no goroutine outlives its transport.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds every wait of the tests that run in real time.
const deadline = 20 * time.Second

// network makes nodes that can reach each other, and breaks their connections.
type network interface {
	join(t testing.TB, config Config) Transport
	address(id NodeID) string
	breakAll()
}

// networks is what the shared suite runs over.
func networks() map[string]func() network {
	return map[string]func() network{
		"tcp":    func() network { return newTCPNetwork() },
		"memory": func() network { return &memoryNetwork{Network: NewNetwork(1)} },
	}
}

func overNetworks(t *testing.T, test func(t *testing.T, n network)) {
	t.Helper()
	for name, newNetwork := range networks() {
		t.Run(name, func(t *testing.T) { test(t, newNetwork()) })
	}
}

type memoryNetwork struct {
	*Network

	ids []NodeID
}

func (m *memoryNetwork) join(_ testing.TB, config Config) Transport {
	m.ids = append(m.ids, config.Self)
	return m.Join(config)
}

func (m *memoryNetwork) address(id NodeID) string { return string(id) }

func (m *memoryNetwork) breakAll() {
	for _, a := range m.ids {
		for _, b := range m.ids {
			if a < b {
				m.Break(a, b)
			}
		}
	}
}

// tcpNetwork listens on loopback and remembers the dialed connections.
type tcpNetwork struct {
	mu struct {
		sync.Mutex

		addresses map[NodeID]string
		dialed    []net.Conn
	}
}

func newTCPNetwork() *tcpNetwork {
	n := &tcpNetwork{}
	n.mu.addresses = make(map[NodeID]string)
	return n
}

func (n *tcpNetwork) PeerAddress(id NodeID) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.mu.addresses[id]
	return a, ok
}

func (n *tcpNetwork) join(tb testing.TB, config Config) Transport {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	n.mu.Lock()
	n.mu.addresses[config.Self] = listener.Addr().String()
	n.mu.Unlock()
	config.Listener = listener
	config.Dial = n.dial
	if config.Resolver == nil {
		config.Resolver = n
	}
	if config.ClusterID == nil {
		config.ClusterID = func() string { return "test" }
	}
	tcp, err := New(config)
	must(tb, err)
	return tcp
}

func (n *tcpNetwork) address(id NodeID) string {
	a, _ := n.PeerAddress(id)
	return a
}

func (n *tcpNetwork) dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		n.mu.Lock()
		n.mu.dialed = append(n.mu.dialed, c)
		n.mu.Unlock()
	}
	return c, err
}

func (n *tcpNetwork) breakAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.mu.dialed {
		_ = c.Close()
	}
	n.mu.dialed = nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// start joins, starts, and closes at the end of the test.
func start(tb testing.TB, n network, config Config) Transport {
	tb.Helper()
	node := n.join(tb, config)
	node.Start()
	tb.Cleanup(func() { must(tb, node.Close()) })
	return node
}

// eventually polls on a short ticker; it never decides by a fixed sleep.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	end := time.NewTimer(deadline)
	defer end.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-end.C:
			tb.Fatalf("never: %s", what)
		}
	}
}

func receive[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		tb.Fatalf("nothing came: %s", what)
	}
	return *new(T)
}

// machine is a replicated list.
type machine struct {
	mu struct {
		sync.Mutex

		log [][]byte
	}
}

func (m *machine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.log = append(m.mu.log, l.Data)
	return len(m.mu.log)
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return machineSnapshot(bytes.Join(m.mu.log, []byte("\n"))), nil
}

func (m *machine) Restore(r io.ReadCloser) error {
	defer func() { _ = r.Close() }()
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.log = bytes.Split(all, []byte("\n"))
	return nil
}

func (m *machine) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mu.log)
}

type machineSnapshot []byte

func (s machineSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(s); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

func (s machineSnapshot) Release() {}

// replica is one Raft of one group on one node.
type replica struct {
	id      NodeID
	raft    *raft.Raft
	machine *machine
}

func raftConfig(id NodeID) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id)
	c.HeartbeatTimeout = 250 * time.Millisecond
	c.ElectionTimeout = 250 * time.Millisecond
	c.LeaderLeaseTimeout = 200 * time.Millisecond
	c.CommitTimeout = 10 * time.Millisecond
	c.MaxAppendEntries = 64
	c.Logger = hclog.NewNullLogger()
	return c
}

func startReplica(tb testing.TB, node Transport, id NodeID, group uint32, voters []NodeID) *replica {
	tb.Helper()
	r := &replica{id: id, machine: &machine{}}
	store := raft.NewInmemStore()
	snapshots := raft.NewInmemSnapshotStore()
	trans := node.Raft(group)
	config := raftConfig(id)
	if len(voters) > 0 {
		var servers raft.Configuration
		for _, voter := range voters {
			servers.Servers = append(servers.Servers,
				raft.Server{ID: raft.ServerID(voter), Address: raft.ServerAddress(voter)})
		}
		must(tb, raft.BootstrapCluster(config, store, store, snapshots, trans, servers))
	}
	var err error
	r.raft, err = raft.NewRaft(config, r.machine, store, store, snapshots, trans)
	must(tb, err)
	return r
}

// cluster is three nodes that host the same groups.
type cluster struct {
	nodes  map[NodeID]Transport
	groups map[uint32][]*replica
}

func startCluster(tb testing.TB, n network, groups int) *cluster {
	tb.Helper()
	c := &cluster{nodes: make(map[NodeID]Transport), groups: make(map[uint32][]*replica)}
	ids := []NodeID{"a.1", "b.1", "c.1"}
	for _, id := range ids {
		c.nodes[id] = n.join(tb, Config{Self: id, Logger: slog.New(slog.DiscardHandler)})
		c.nodes[id].Start()
	}
	for g := range uint32(groups) {
		for _, id := range ids {
			c.groups[g] = append(c.groups[g], startReplica(tb, c.nodes[id], id, g, ids))
		}
	}
	return c
}

func (c *cluster) stop(tb testing.TB) {
	tb.Helper()
	for _, node := range c.nodes { // First: nobody waits for a peer that is gone.
		must(tb, node.Close())
	}
	var wait sync.WaitGroup
	for _, group := range c.groups {
		for _, r := range group {
			wait.Go(func() { _ = r.raft.Shutdown().Error() })
		}
	}
	wait.Wait()
}

func (c *cluster) leader(tb testing.TB, group uint32) *replica {
	tb.Helper()
	var leader *replica
	eventually(tb, fmt.Sprintf("group %d has a leader", group), func() bool {
		for _, r := range c.groups[group] {
			if r.raft.State() == raft.Leader {
				leader = r
				return true
			}
		}
		return false
	})
	return leader
}

// commit applies one entry, at whoever leads, until one is committed.
func (c *cluster) commit(tb testing.TB, group uint32, data string) {
	tb.Helper()
	eventually(tb, "an entry is committed", func() bool {
		return c.leader(tb, group).raft.Apply([]byte(data), time.Second).Error() == nil
	})
}

func (c *cluster) converge(tb testing.TB, group uint32, entries int) {
	tb.Helper()
	eventually(tb, fmt.Sprintf("group %d has %d entries everywhere", group, entries), func() bool {
		for _, r := range c.groups[group] {
			if r.machine.len() < entries {
				return false
			}
		}
		return true
	})
}
