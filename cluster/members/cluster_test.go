package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// lab is a set of real Members on loopback gossip, with calls made directly.
type lab struct {
	t    *testing.T
	lock sync.Mutex
	// peers are the running nodes by peer address.
	peers map[string]*Members
	// admitted is what the meta groups would hold, by cluster.
	admitted map[string][]command.Member
	founded  map[string]Formation
}

// unit is one node's configuration and data: it can be started again.
type unit struct {
	lab    *lab
	config Config
	node   *Members
	lock   sync.Mutex
	formed []bool // founding, one per call of Hooks.Formed
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return &lab{
		t: t, peers: map[string]*Members{}, admitted: map[string][]command.Member{}, founded: map[string]Formation{},
	}
}

func (l *lab) call(ctx context.Context, address string, request []byte) ([]byte, error) {
	l.lock.Lock()
	peer := l.peers[address]
	l.lock.Unlock()
	if peer == nil {
		return nil, errors.New("connection refused")
	}
	return peer.Serve(ctx, "", request)
}

// unit prepares a node; incarnation changes with its data.
func (l *lab) unit(name string, incarnation, expect int, join ...string) *unit {
	u := &unit{lab: l}
	self := testMember(name, incarnation)
	self.PeerAddress = fmt.Sprintf("peer-%s-%d", name, incarnation)
	self.GossipAddress = "127.0.0.1:0"
	u.config = Config{
		Self: self, GossipListen: "127.0.0.1:0", Join: join, Expect: expect,
		GossipKeys: [][]byte{[]byte("sixteen byte key")},
		Local:      newDisk(), Call: l.call, Timing: FastTiming(),
		Hooks: Hooks{Formed: u.onFormed, Admit: u.onAdmit, Changed: func() {}},
	}
	return u
}

func (u *unit) onFormed(f Formation, founding bool) error {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.formed = append(u.formed, founding)
	u.lab.lock.Lock()
	defer u.lab.lock.Unlock()
	if _, known := u.lab.founded[f.ClusterID]; !known {
		u.lab.founded[f.ClusterID], u.lab.admitted[f.ClusterID] = f, f.Members
	}
	return nil
}

func (u *unit) onAdmit(_ context.Context, m command.Member) (Formation, error) {
	u.lab.lock.Lock()
	defer u.lab.lock.Unlock()
	id := u.node.ClusterID()
	if !hasMember(u.lab.admitted[id], m.ID) {
		u.lab.admitted[id] = append(slices.Clone(u.lab.admitted[id]), m)
	}
	return u.lab.founded[id], nil
}

func (u *unit) start() *unit {
	u.lab.t.Helper()
	node, err := New(u.config)
	if err != nil {
		u.lab.t.Fatalf("new %s: %v", u.config.Self.ID, err)
	}
	u.node = node
	u.lab.lock.Lock()
	u.lab.peers[u.config.Self.PeerAddress] = node
	u.lab.lock.Unlock()
	if err := node.Start(u.lab.t.Context()); err != nil {
		u.lab.t.Fatalf("start %s: %v", u.config.Self.ID, err)
	}
	u.lab.t.Cleanup(func() { _ = node.Stop() })
	return u
}

func (u *unit) unlist() {
	u.lab.lock.Lock()
	defer u.lab.lock.Unlock()
	delete(u.lab.peers, u.config.Self.PeerAddress)
}

func (u *unit) stop() {
	u.lab.t.Helper()
	u.unlist()
	if err := u.node.Stop(); err != nil {
		u.lab.t.Fatalf("stop %s: %v", u.config.Self.ID, err)
	}
}

// kill ends the node without a good-bye.
func (u *unit) kill() {
	u.lab.t.Helper()
	u.unlist()
	u.node.life.gossip.list.Shutdown() //nolint:errcheck // Always nil.
	u.node.setServing(false)
	u.node.life.cancel()
	u.node.loops.Wait()
	u.node.life.gossip = nil
}

func (u *unit) calls() []bool {
	u.lock.Lock()
	defer u.lock.Unlock()
	return slices.Clone(u.formed)
}

// state is how u sees a member; "" when not at all.
func (u *unit) state(id string) string {
	for _, p := range u.node.Table() {
		if p.ID == id {
			return p.State.String()
		}
	}
	return ""
}

// until waits for a condition.
func (l *lab) until(what string, condition func() bool) {
	l.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			for address, peer := range l.peers {
				l.t.Logf("%s: cluster %q, waiting %q, table %+v", address, peer.ClusterID(), peer.Waiting(), peer.Table())
			}
			l.t.Fatalf("never: %s", what)
		}
	}
}

func (l *lab) untilOne(units ...*unit) {
	l.t.Helper()
	l.until("one cluster", func() bool {
		for _, u := range units {
			if u.node.Waiting() != "" || u.node.ClusterID() != units[0].node.ClusterID() {
				return false
			}
			for _, other := range units {
				if u.state(other.config.Self.ID) != "alive" {
					return false
				}
			}
		}
		return true
	})
}

// three founds a cluster of three.
func (l *lab) three() []*unit {
	l.t.Helper()
	first := l.unit("n1", 1, 3).start()
	join := first.node.GossipAddress()
	units := []*unit{first, l.unit("n2", 1, 3, join).start(), l.unit("n3", 1, 3, join).start()}
	l.untilOne(units...)
	return units
}
