package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func refusedFor(t *testing.T, err error, want Refusal) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func clusterID(id string) func() string { return func() string { return id } }

func appendTo(node Transport, to raft.ServerAddress) error {
	return node.Raft(testGroup).AppendEntries("", to, entriesOf(3, 1, 1), &raft.AppendEntriesResponse{})
}

// TestAnotherClusterIsRefused holds two clusters apart, for every kind, with one log line.
func TestAnotherClusterIsRefused(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		var log lockedBuffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		handler := newRecorder(t)
		a := start(t, n, Config{Self: "a.1", ClusterID: clusterID("one"), Handler: handler})
		b := start(t, n, Config{Self: "b.1", ClusterID: clusterID("two"), Handler: handler, Logger: logger, Calls: echo})
		a.SetPeers([]NodeID{"b.1"})
		b.SetPeers([]NodeID{"a.1"})
		serveGroup(t, b.Raft(testGroup), accept)
		refusedFor(t, appendTo(a, "b.1"), RefusedCluster)
		_, err := a.Call(t.Context(), n.address("b.1"), nil)
		refusedFor(t, err, RefusedCluster)
		eventually(t, "the link is tried again", func() bool { return a.Stats().Link.DialFailures > 2 })
		if len(handler.ups) > 0 {
			t.Error("a link between clusters")
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 || b.Stats().Refused < 4 {
			t.Errorf("%d lines for %d refusals:\n%s", lines, b.Stats().Refused, log.String())
		}
	})
}

// TestAnotherReceiverIsRefused dials an address that another node has taken over.
func TestAnotherReceiverIsRefused(t *testing.T) {
	n := newTCPNetwork()
	a := start(t, n, Config{Self: "a.1"})
	start(t, n, Config{Self: "b.2"})
	n.mu.Lock()
	n.mu.addresses["b.1"] = n.mu.addresses["b.2"] // It was there before.
	n.mu.Unlock()
	refusedFor(t, appendTo(a, "b.1"), RefusedReceiver)
}

// TestBeforeAClusterOnlyCallsWork greets from a node without a cluster, and again once it has one.
func TestBeforeAClusterOnlyCallsWork(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		var mu sync.Mutex
		formed := ""
		id := func() string {
			mu.Lock()
			defer mu.Unlock()
			return formed
		}
		a := start(t, n, Config{Self: "a.1", ClusterID: id})
		b := start(t, n, Config{Self: "b.1", ClusterID: clusterID("one"), Calls: echo})
		serveGroup(t, b.Raft(testGroup), accept)
		if err := appendTo(a, "b.1"); !errors.Is(err, ErrNotFormed) {
			t.Errorf("got %v", err)
		}
		_, err := a.Call(t.Context(), n.address("b.1"), []byte("hello"))
		must(t, err)
		refusedFor(t, appendTo(b, "a.1"), RefusedNotFormed)
		mu.Lock()
		formed = "one"
		mu.Unlock()
		eventually(t, "raft works once the cluster is formed", func() bool { return appendTo(a, "b.1") == nil })
	})
}

func echo(_ context.Context, _ NodeID, request []byte) ([]byte, error) { return request, nil }

// greetRaw speaks the greeting by hand.
func greetRaw(t *testing.T, address string, hello []byte) (byte, error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(deadline)))
	_, err = conn.Write(hello)
	must(t, err)
	what, _, err := readGreeting(conn)
	return what, err
}

// TestWhatIsNoGreetingIsRefused says wrong things by hand.
func TestWhatIsNoGreetingIsRefused(t *testing.T) {
	n := newTCPNetwork()
	b := start(t, n, Config{Self: "b.1"})
	address := n.address("b.1")
	hello := greeting{kind: kindChunks + 1, cluster: "test", sender: "a.1", receiver: "b.1"}
	if what, err := greetRaw(t, address, hello.encode()); err != nil || Refusal(what) != RefusedKind {
		t.Errorf("an unknown kind: %v %v", what, err)
	}
	later := hello.encode()
	later[4]++
	if what, err := greetRaw(t, address, later); err != nil || Refusal(what) != RefusedVersion {
		t.Errorf("a later version: %v %v", what, err)
	}
	long := hello.encode()
	long[6] = 0xff
	if _, err := greetRaw(t, address, long); err == nil {
		t.Error("an oversize greeting was answered")
	}
	if _, err := greetRaw(t, address, []byte("GET / HTTP/1.1\r\n\r\n")); err == nil {
		t.Error("HTTP was answered")
	}
	hello.kind, hello.sender = kindLink, "z.1"
	if what, err := greetRaw(t, address, hello.encode()); err != nil || Refusal(what) != RefusedNotOurDialer {
		t.Errorf("a link from the larger id: %v %v", what, err)
	}
	eventually(t, "refusals are counted", func() bool { return b.Stats().Refused >= 4 })
}

// TestOversizeFrameEndsTheConnection announces a frame above the limit.
func TestOversizeFrameEndsTheConnection(t *testing.T) {
	n := newTCPNetwork()
	b := start(t, n, Config{Self: "b.1"})
	conn, err := net.Dial("tcp", n.address("b.1"))
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(deadline)))
	hello := greeting{kind: kindRaft, cluster: "test", sender: "a.1", receiver: "b.1"}
	_, err = conn.Write(hello.encode())
	must(t, err)
	what, _, err := readGreeting(conn)
	must(t, err)
	if what != 0 {
		t.Fatal(what)
	}
	_, err = conn.Write([]byte{0xff, 0xff, 0xff, 0xff, byte(frameAppend)})
	must(t, err)
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Logf("ended with %v", err)
	}
	_ = b
}

// TestSilentGreetingIsCutOff connects and says nothing.
func TestSilentGreetingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(1)
		b := n.Join(Config{Self: "b.1"})
		b.Start()
		conn, err := n.dial(t.Context(), &memoryListener{id: "a.1"}, "b.1")
		must(t, err)
		began := time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("something was said")
		}
		if took := time.Since(began); took != GreetingTimeout {
			t.Errorf("cut off after %v", took)
		}
		must(t, conn.Close())
		must(t, b.Close())
	})
}

// TestConfigIsChecked gives New nothing.
func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

// TestClosedTransportRefusesEverything uses every method after Close.
func TestClosedTransportRefusesEverything(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a, b := twoNodes(t, n)
		_ = b
		open := a.Raft(testGroup)
		must(t, a.Close())
		must(t, a.Close())
		a.SetPeers([]NodeID{"b.1"})
		for _, trans := range []raft.Transport{open, a.Raft(testGroup), a.Raft(1)} {
			if err := trans.AppendEntries("", "b.1", entriesOf(1, 1), &raft.AppendEntriesResponse{}); !errors.Is(err, ErrClosed) {
				t.Errorf("append: %v", err)
			}
		}
		if _, err := a.Call(t.Context(), n.address("b.1"), nil); err == nil {
			t.Error("a call worked")
		}
		if err := a.Send("b.1", nil); !errors.Is(err, ErrLinkDown) {
			t.Errorf("send: %v", err)
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
