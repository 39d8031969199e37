package transport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

var update = flag.Bool("update", false, "rewrite the golden bytes")

var (
	testHeader = raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a.1"), Addr: []byte("a.1")}
	testAppend = &raft.AppendEntriesRequest{
		RPCHeader: testHeader, Term: 7, PrevLogEntry: 300, PrevLogTerm: 6, LeaderCommitIndex: 299,
		Entries: []*raft.Log{
			{Index: 301, Term: 7, Type: raft.LogCommand, Data: []byte("hello"), AppendedAt: time.Unix(12, 34)},
			{Index: 302, Term: 7, Type: raft.LogNoop, Extensions: []byte("x")},
		},
	}
	testHeartbeat = &raft.AppendEntriesRequest{RPCHeader: testHeader, Term: 7}
	testVote      = &raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte("name"), Addr: []byte("other")}, Term: 8, LastLogIndex: 302, LastLogTerm: 7, LeadershipTransfer: true,
	}
	testPreVote    = &raft.RequestPreVoteRequest{RPCHeader: testHeader, Term: 8, LastLogIndex: 302, LastLogTerm: 7}
	testTimeoutNow = &raft.TimeoutNowRequest{RPCHeader: testHeader}
	testInstall    = &raft.InstallSnapshotRequest{
		RPCHeader: testHeader, SnapshotVersion: 1, Term: 7, LastLogIndex: 302, LastLogTerm: 7,
		Configuration: []byte("configuration"), ConfigurationIndex: 5, Size: 1 << 33,
	}
)

// testReplies are decoded into a fresh value of the same type.
func testReplies() map[string]any {
	return map[string]any{
		"append-reply":     &raft.AppendEntriesResponse{Term: 7, LastLog: 302, Success: true},
		"append-rejected":  &raft.AppendEntriesResponse{Term: 8, LastLog: 100, NoRetryBackoff: true},
		"vote-reply":       &raft.RequestVoteResponse{Term: 8, Granted: true, Peers: []byte("peers")},
		"pre-vote-reply":   &raft.RequestPreVoteResponse{Term: 8, Granted: true},
		"install-reply":    &raft.InstallSnapshotResponse{Term: 7, Success: true},
		"timeoutnow-reply": &raft.TimeoutNowResponse{},
	}
}

// golden holds an encoding to its bytes in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		must(t, os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o600))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	want, err := hex.DecodeString(strings.TrimSpace(string(text)))
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s\n got %x\nwant %x", name, got, want)
	}
}

func same(t *testing.T, name string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
	}
}

// TestRequestsKeepTheirBytes holds each request to its golden bytes, whole and cut short.
func TestRequestsKeepTheirBytes(t *testing.T) {
	cases := []struct {
		name string
		kind frameKind
		body []byte
		want any
	}{
		{"append", frameAppend, appendAppend(nil, testAppend, "a.1"), testAppend},
		{"heartbeat", frameHeartbeat, appendHeartbeat(nil, testHeartbeat, "a.1"), testHeartbeat},
		{"vote", frameVote, appendVote(nil, testVote, "a.1"), testVote},
		{"pre-vote", framePreVote, appendPreVote(nil, testPreVote, "a.1"), testPreVote},
		{"timeoutnow", frameTimeoutNow, appendTimeoutNow(nil, testTimeoutNow, 7, "a.1"), testTimeoutNow},
	}
	for _, c := range cases {
		golden(t, c.name, c.body)
		got, led, err := decodeRequest(c.kind, c.body, []byte("a.1"))
		must(t, err)
		same(t, c.name, got, c.want)
		if c.kind == frameTimeoutNow && led != 7 {
			t.Errorf("term %d, want 7", led)
		}
		for cut := range c.body { // Every prefix is malformed, and none is a panic.
			if _, _, err := decodeRequest(c.kind, c.body[:cut], []byte("a.1")); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d: %v", c.name, cut, err)
			}
		}
	}
}

// TestInstallKeepsItsBytes holds a snapshot's header to its golden bytes.
func TestInstallKeepsItsBytes(t *testing.T) {
	body := appendInstall(nil, 9, testInstall, "a.1")
	golden(t, "install", body)
	group, got, err := decodeInstall(body, []byte("a.1"))
	must(t, err)
	same(t, "install", got, testInstall)
	if group != 9 {
		t.Errorf("group %d, want 9", group)
	}
}

// TestRepliesKeepTheirBytes holds each reply to its golden bytes.
func TestRepliesKeepTheirBytes(t *testing.T) {
	for name, reply := range testReplies() {
		body, err := appendReply(nil, reply)
		must(t, err)
		golden(t, name, body)
		got := reflect.New(reflect.TypeOf(reply).Elem()).Interface()
		_, err = decodeReply(body, got)
		must(t, err)
		same(t, name, got, reply)
	}
}

// TestFailuresKeepTheirMeaning sends each sentinel over the wire and back.
func TestFailuresKeepTheirMeaning(t *testing.T) {
	for _, want := range []error{ErrGroupNotHosted, ErrGroupBusy, ErrStaleTerm, ErrSnapshotConflict, ErrBusy} {
		if got := decodeFailure(appendFailure(nil, want)); !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	var remote *RemoteError
	err := decodeFailure(appendFailure(nil, errors.New("disk on fire")))
	if !errors.As(err, &remote) || remote.Message != "disk on fire" {
		t.Errorf("got %v", err)
	}
}

// TestGreetingsKeepTheirBytes holds both halves of the greeting to their golden bytes.
func TestGreetingsKeepTheirBytes(t *testing.T) {
	hello := greeting{kind: kindLink, incarnation: 0xabcd, cluster: "cluster", sender: "a.1", receiver: "b.2"}
	golden(t, "greeting", hello.encode())
	what, rest, err := readGreeting(bytes.NewReader(hello.encode()))
	must(t, err)
	got, err := decodeGreeting(what, rest)
	must(t, err)
	same(t, "greeting", got, hello)

	reply := greetingReply{refusal: RefusedCluster, incarnation: 1, cluster: "x", receiver: "b.2", message: "no"}
	golden(t, "greeting-reply", reply.encode())
	what, rest, err = readGreeting(bytes.NewReader(reply.encode()))
	must(t, err)
	gotReply, err := decodeGreetingReply(what, rest)
	must(t, err)
	same(t, "greeting reply", gotReply, reply)
}

// TestDecodedEntriesOwnTheirMemory reads a second frame over the first: Raft keeps entries.
func TestDecodedEntriesOwnTheirMemory(t *testing.T) {
	var stream []byte
	for range 2 {
		at := len(stream)
		stream = appendAppend(beginFrame(stream, frameAppend), testAppend, "a.1")
		endFrame(stream, at)
	}
	frames := newFrameReader(bytes.NewReader(stream), MaxRaftFrame, readBufferBytes)
	_, body, err := frames.next()
	must(t, err)
	first, _, err := decodeRequest(frameAppend, body, []byte("a.1"))
	must(t, err)
	clear(stream)
	if _, _, err := frames.next(); err != nil {
		t.Fatal(err)
	}
	same(t, "the first append after the second was read", first, testAppend)
}

// TestOversizeFramesAreRefused checks a frame reader's limits.
func TestOversizeFramesAreRefused(t *testing.T) {
	frame := append(beginFrame(nil, frameData), make([]byte, 100)...)
	endFrame(frame, 0)
	if _, _, err := newFrameReader(bytes.NewReader(frame), 99, 16).next(); !errors.Is(err, ErrFrameTooLarge) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := newFrameReader(bytes.NewReader(frame), 100, 16).next(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := newFrameReader(bytes.NewReader(make([]byte, 9)), 100, 16).next(); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a frame without a kind: %v", err)
	}
}

// TestLongAppendsAreCut checks where an append is cut.
func TestLongAppendsAreCut(t *testing.T) {
	r := &raft.AppendEntriesRequest{}
	for range 10 {
		r.Entries = append(r.Entries, &raft.Log{Data: make([]byte, MaxAppendBytes/4)})
	}
	cutEntries(r)
	if len(r.Entries) != 3 {
		t.Fatalf("%d entries left, want 3", len(r.Entries))
	}
	large := &raft.AppendEntriesRequest{Entries: []*raft.Log{{Data: make([]byte, 2*MaxAppendBytes)}}}
	cutEntries(large)
	if len(large.Entries) != 1 {
		t.Fatal("a large entry must travel alone")
	}
}

// FuzzRequest decodes anything, and what decodes survives a second round.
func FuzzRequest(f *testing.F) {
	f.Add(byte(frameAppend), appendAppend(nil, testAppend, "a.1"))
	f.Add(byte(frameHeartbeat), appendHeartbeat(nil, testHeartbeat, "a.1"))
	f.Add(byte(frameVote), appendVote(nil, testVote, "a.1"))
	f.Add(byte(framePreVote), appendPreVote(nil, testPreVote, "a.1"))
	f.Add(byte(frameTimeoutNow), appendTimeoutNow(nil, testTimeoutNow, 7, "a.1"))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		command, led, err := decodeRequest(frameKind(kind), body, []byte("a.1"))
		if err != nil {
			return
		}
		var again []byte
		switch r := command.(type) {
		case *raft.AppendEntriesRequest:
			if again = appendAppend(nil, r, "a.1"); frameKind(kind) == frameHeartbeat {
				again = appendHeartbeat(nil, r, "a.1")
			}
		case *raft.RequestVoteRequest:
			again = appendVote(nil, r, "a.1")
		case *raft.RequestPreVoteRequest:
			again = appendPreVote(nil, r, "a.1")
		case *raft.TimeoutNowRequest:
			again = appendTimeoutNow(nil, r, led, "a.1")
		default:
			return
		}
		got, _, err := decodeRequest(frameKind(kind), again, []byte("a.1"))
		if err != nil || !reflect.DeepEqual(got, command) {
			t.Fatalf("%x became %x, %v", body, again, err)
		}
	})
}

// FuzzInstall decodes anything, and what decodes survives a second round.
func FuzzInstall(f *testing.F) {
	f.Add(appendInstall(nil, 9, testInstall, "a.1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		group, r, err := decodeInstall(body, []byte("a.1"))
		if err != nil {
			return
		}
		_, got, err := decodeInstall(appendInstall(nil, group, r, "a.1"), []byte("a.1"))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v became %+v, %v", r, got, err)
		}
	})
}

// FuzzReply decodes anything as any reply.
func FuzzReply(f *testing.F) {
	for _, reply := range testReplies() {
		body, err := appendReply(nil, reply)
		must(f, err)
		f.Add(body)
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		for _, reply := range testReplies() {
			_, _ = decodeReply(body, reply)
		}
		_ = decodeFailure(body)
	})
}

// FuzzGreeting decodes anything; what decodes has one encoding.
func FuzzGreeting(f *testing.F) {
	hello := greeting{kind: kindLink, incarnation: 1, cluster: "c", sender: "a.1", receiver: "b.2"}
	f.Add(hello.encode())
	reply := greetingReply{refusal: RefusedCluster, cluster: "x", receiver: "b.2", message: "no"}
	f.Add(reply.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		what, rest, err := readGreeting(bytes.NewReader(b))
		if err != nil {
			return
		}
		if g, err := decodeGreeting(what, rest); err == nil && !bytes.Equal(g.encode(), b[:greetingHead+len(rest)]) {
			t.Fatalf("%x is not how %+v is written", b, g)
		}
		_, _ = decodeGreetingReply(what, rest)
	})
}

// FuzzFrames reads frames from anything.
func FuzzFrames(f *testing.F) {
	frame := append(beginFrame(nil, frameData), "hello"...)
	endFrame(frame, 0)
	f.Add(append(frame, frame...))
	f.Fuzz(func(_ *testing.T, b []byte) {
		frames := newFrameReader(bytes.NewReader(b), 1<<16, 64)
		for {
			if _, _, err := frames.next(); err != nil {
				return
			}
		}
	})
}
