package members

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestThreeFoundAndAFourthJoins is the everyday case over real gossip.
func TestThreeFoundAndAFourthJoins(t *testing.T) {
	l := newLab(t)
	units := l.three()
	fourth := l.unit("n4", 1, 3, units[1].node.GossipAddress()).start()
	l.untilOne(append(units, fourth)...)
	for i, u := range append(units, fourth) {
		if got := u.calls(); len(got) != 1 || got[0] != (i < 3) {
			t.Errorf("%s: Formed calls %v", u.config.Self.ID, got)
		}
	}
	if len(l.founded) != 1 || len(l.founded[fourth.node.ClusterID()].Members) != 3 {
		t.Errorf("founded %+v", l.founded)
	}
	if address, ok := units[0].node.PeerAddress("n4.1"); !ok || address != "peer-n4-1" {
		t.Errorf("peer address of n4: %q, %v", address, ok)
	}
}

// TestRestartKeepsIdentityAtAnotherAddress: after a good-bye and after a kill.
func TestRestartKeepsIdentityAtAnotherAddress(t *testing.T) {
	l := newLab(t)
	units := l.three()
	id := units[0].node.ClusterID()
	for _, end := range []func(){units[0].stop, units[0].kill} {
		end()
		l.until("n1 is missed", func() bool {
			state := units[1].state("n1.1")
			return state == "dead" || state == "left"
		})
		// Nobody to join is configured: the others are known from the row. A free
		// port is taken, so gossip learns a new address.
		units[0].config.Self.PeerAddress += "-moved"
		units[0].start()
		if got := units[0].node.ClusterID(); got != id {
			t.Fatalf("cluster after restart: %q, want %q", got, id)
		}
		l.untilOne(units...)
		l.until("the new address is known", func() bool {
			address, _ := units[2].node.PeerAddress("n1.1")
			return address == units[0].config.Self.PeerAddress
		})
	}
	if got := units[0].calls(); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("Formed calls %v: want one in each of three lives", got)
	}
}

// TestStatesOfTheMissing: left, dead and never seen are told apart.
func TestStatesOfTheMissing(t *testing.T) {
	l := newLab(t)
	units := l.three()
	units[1].stop()
	l.until("n2 has left", func() bool { return units[0].state("n2.1") == "left" })
	units[0].node.SetAdmitted([]command.Member{testMember("n9", 1)})
	if got := units[0].state("n9.1"); got != "dead" {
		t.Errorf("an admitted node that gossip never saw is %q", got)
	}
	if address, _ := units[0].node.PeerAddress("n9.1"); address != "n9:1" {
		t.Errorf("its address is %q", address)
	}
	units[2].kill()
	l.until("n3 is suspected or dead", func() bool { return units[0].state("n3.1") != "alive" })
	l.until("n3 is dead or forgotten", func() bool {
		state := units[0].state("n3.1")
		return state == "dead" || state == ""
	})
}

// TestWipedNodeIsAnotherMember: it joins under a new ID beside its dead old self.
func TestWipedNodeIsAnotherMember(t *testing.T) {
	l := newLab(t)
	units := l.three()
	units[2].kill()
	units[0].node.SetAdmitted(l.admitted[units[0].node.ClusterID()])
	wiped := l.unit("n3", 2, 3, units[0].node.GossipAddress()).start()
	l.untilOne(units[0], units[1], wiped)
	if got := wiped.calls(); !slices.Equal(got, []bool{false}) {
		t.Errorf("Formed calls %v: want one, not as a founder", got)
	}
	l.until("the old n3 stays listed as dead", func() bool { return units[0].state("n3.1") == "dead" })
}

// TestTwoClustersRefuseEachOther: they never merge, and a free node will not choose.
func TestTwoClustersRefuseEachOther(t *testing.T) {
	l := newLab(t)
	first := l.unit("a", 1, 1).start()
	second := l.unit("b", 1, 1)
	log := &buffer{}
	second.config.Logger = slog.New(slog.NewTextHandler(log, nil))
	second.start()
	second.stop()
	// It is formed already, so the address to join only tells where others may be.
	second.config.Join = []string{first.node.GossipAddress()}
	second.start()
	l.until("the refusal is logged", func() bool { return strings.Contains(log.String(), "another cluster") })
	if len(first.node.Table()) != 1 || len(second.node.Table()) != 1 {
		t.Errorf("tables: %+v, %+v", first.node.Table(), second.node.Table())
	}
	// A node that meets both will not choose.
	third := l.unit("c", 1, 3, first.node.GossipAddress()).start()
	l.until("c has joined", func() bool { return third.node.ClusterID() == first.node.ClusterID() })
	fourth := l.unit("d", 1, 3)
	fourth.config.Local = newDisk()
	fourth.start()
	fourth.node.table.seen(testMember("x", 1), meta{clusterID: "one"})
	fourth.node.table.seen(testMember("y", 1), meta{clusterID: "two"})
	if got := fourth.node.Waiting(); !strings.Contains(got, "will not choose: one, two") {
		t.Errorf("waiting: %q", got)
	}
}

// TestAloneAtOnce: a single node founds inside Start, and one that joins it does not.
func TestAloneAtOnce(t *testing.T) {
	l := newLab(t)
	u := l.unit("n1", 1, 1).start()
	if u.node.ClusterID() == "" || u.node.Waiting() != "" || !slices.Equal(u.calls(), []bool{true}) {
		t.Fatalf("cluster %q, waiting %q, Formed calls %v", u.node.ClusterID(), u.node.Waiting(), u.calls())
	}
	grown := l.unit("n2", 1, 1, u.node.GossipAddress()).start() // As `serve --join`: must not found.
	l.untilOne(u, grown)
	if got := grown.calls(); !slices.Equal(got, []bool{false}) {
		t.Errorf("Formed calls of the second %v", got)
	}
}

// TestFormedErrors: an error of the hook is the error of Start.
func TestFormedErrors(t *testing.T) {
	l := newLab(t)
	failure := errors.New("no space")
	u := l.unit("n1", 1, 1)
	u.config.Hooks.Formed = func(Formation, bool) error { return failure }
	node, err := New(u.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(t.Context()); !errors.Is(err, failure) {
		t.Errorf("start: %v", err)
	}
	if err := node.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := node.Serve(t.Context(), "", (&request{kind: askState, to: "n1.1"}).encode()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("serve when not running: %v", err)
	}
}

// TestWaitsWithAReason: Waiting names who is here, who is missing and who disagrees.
func TestWaitsWithAReason(t *testing.T) {
	l := newLab(t)
	u := l.unit("n1", 1, 3, "127.0.0.1:1").start()
	for _, part := range []string{"1 of 3 nodes are here (n1)", "no answer yet from 127.0.0.1:1"} {
		if got := u.node.Waiting(); !strings.Contains(got, part) {
			t.Errorf("waiting %q does not say %q", got, part)
		}
	}
	other := l.unit("n2", 1, 2, u.node.GossipAddress()).start()
	l.until("the mismatch is named", func() bool {
		return strings.Contains(u.node.Waiting(), "n2 expects 2") && strings.Contains(other.node.Waiting(), "n1 expects 3")
	})
}

// TestRefusesBadConfig: what could not work is refused by New.
func TestRefusesBadConfig(t *testing.T) {
	l := newLab(t)
	for name, spoil := range map[string]func(*Config){
		"no store":      func(c *Config) { c.Local = nil },
		"no hook":       func(c *Config) { c.Hooks.Admit = nil },
		"expect":        func(c *Config) { c.Expect = MaxExpect + 1 },
		"id":            func(c *Config) { c.Self.ID = "other.1" },
		"id suffix":     func(c *Config) { c.Self.ID = c.Self.Name + ".X" },
		"gossip listen": func(c *Config) { c.GossipListen = "nowhere" },
		"long text":     func(c *Config) { c.Self.ClientURL = strings.Repeat("u", MaxText+1) },
		"too much meta": func(c *Config) {
			c.Self.ClientURL, c.Self.Version = strings.Repeat("u", MaxText), strings.Repeat("v", MaxText)
		},
		"other's data": func(c *Config) {
			c.Local = newDisk()
			_ = c.Local.SetLocal(rowName, (&row{standing: free, owner: "n2.1"}).encode())
		},
	} {
		c := l.unit("n1", 1, 3).config
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// buffer is a log that may be read while it is written.
type buffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}
