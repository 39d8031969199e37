package command

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// same compares what was encoded with what came back; nil and empty are one.
func same(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, got, want any,
) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("came back as\n%s\nwas\n%s", g, w)
	}
}

func roundTrip[T any](t *testing.T, encode func([]byte, *T) []byte, decode func(*Reader) T) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Make[T]().Draw(t, "value")
		encoded := encode([]byte("before"), &value)[len("before"):]
		r := NewReader(encoded)
		got := decode(&r)
		if r.Err() != nil || len(r.Rest()) != 0 {
			t.Fatalf("%v, %d bytes left", r.Err(), len(r.Rest()))
		}
		same(t, got, value)
	})
}

// TestRecordsComeBack: what is encoded is decoded to the same, to the last byte.
func TestRecordsComeBack(t *testing.T) {
	t.Run("event", func(t *testing.T) { roundTrip(t, AppendEvent, (*Reader).Event) })
	t.Run("offer", func(t *testing.T) { roundTrip(t, AppendOffer, (*Reader).offer) })
	t.Run("job", func(t *testing.T) { roundTrip(t, AppendJob, (*Reader).Job) })
	t.Run("followed", func(t *testing.T) { roundTrip(t, AppendFollowed, (*Reader).Followed) })
	t.Run("notification", func(t *testing.T) { roundTrip(t, AppendNotification, (*Reader).Notification) })
	t.Run("relay_row", func(t *testing.T) { roundTrip(t, AppendRelayRow, (*Reader).RelayRow) })
	t.Run("result", func(t *testing.T) { roundTrip(t, AppendResult, (*Reader).Result) })
	t.Run("member", func(t *testing.T) { roundTrip(t, AppendMember, (*Reader).Member) })
}

func commandComesBack[T any, P interface {
	*T
	body
}](t *testing.T,
) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Make[T]().Draw(t, "value")
		encoded := P(&value).Append(nil)
		got, prefix, err := decodeCommand(encoded)
		if err != nil {
			t.Fatalf("%v", err)
		}
		same(t, routed(got, prefix.Route), P(&value))
	})
}

// TestCommandsComeBack: so is every command, with its route.
func TestCommandsComeBack(t *testing.T) {
	t.Run("leader_start", commandComesBack[LeaderStart])
	t.Run("publish", commandComesBack[Publish])
	t.Run("complete", commandComesBack[Complete])
	t.Run("fail", commandComesBack[Fail])
	t.Run("release", commandComesBack[Release])
	t.Run("expire", commandComesBack[Expire])
	t.Run("ack", commandComesBack[Ack])
	t.Run("cancel", commandComesBack[Cancel])
	t.Run("checkpoint", commandComesBack[Checkpoint])
	t.Run("relay", commandComesBack[Relay])
	t.Run("relay_trim", commandComesBack[RelayTrim])
	t.Run("redrive", commandComesBack[Redrive])
	t.Run("discard", commandComesBack[Discard])
	t.Run("form_cluster", commandComesBack[FormCluster])
	t.Run("admit_member", commandComesBack[AdmitMember])
	t.Run("set_replicas", commandComesBack[SetReplicas])
	t.Run("create_group", commandComesBack[CreateGroup])
	t.Run("cancel_lineage", commandComesBack[CancelLineage])
	t.Run("configure_channel", commandComesBack[ConfigureChannel])
	t.Run("park", commandComesBack[Park])
	t.Run("set_channel", commandComesBack[SetChannel])
	t.Run("set_tenant", commandComesBack[SetTenant])
	t.Run("configure_tenant", commandComesBack[ConfigureTenant])
	t.Run("commit_follower", commandComesBack[CommitFollower])
	t.Run("start_run", commandComesBack[StartRun])
	t.Run("control_run", commandComesBack[ControlRun])
	t.Run("send_message", commandComesBack[SendMessage])
	t.Run("cancel_gone", commandComesBack[CancelGone])
	t.Run("put_schedule", commandComesBack[PutSchedule])
	t.Run("delete_schedule", commandComesBack[DeleteSchedule])
	t.Run("control_schedule", commandComesBack[ControlSchedule])
}

// TestSamplesComeBack: so do those whose random values would be beyond their limits.
func TestSamplesComeBack(t *testing.T) {
	for kind, sample := range sampleCommands() {
		got, prefix, err := decodeCommand(sample.Append(nil))
		if err != nil || prefix.Kind != kind {
			t.Fatalf("%v: %v, %v", kind, prefix.Kind, err)
		}
		same(t, routed(got, prefix.Route), sample)
	}
}

// TestEntryComesBack also when an Entry is used again for a smaller one.
func TestEntryComesBack(t *testing.T) {
	var e Entry
	rapid.Check(t, func(t *rapid.T) {
		header := rapid.Make[Header]().Draw(t, "header")
		commands := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 8).Draw(t, "commands")
		encoded := AppendEntry(nil, &header, commands)
		if err := e.Decode(encoded); err != nil {
			t.Fatalf("%v", err)
		}
		same(t, e.Header, header)
		same(t, e.Commands, commands)
	})
}

// TestBodiesMayEndEarly: a field that was added later is zero in an older body.
func TestBodiesMayEndEarly(t *testing.T) {
	whole := sampleCommands()[KindLeaderStart].Append(nil)
	got, _, err := decodeCommand(whole[:len(whole)-1])
	if start, ok := got.(*LeaderStart); !ok || err != nil || start.Epoch != 0 || start.Partitions != 8 {
		t.Fatalf("an early end: %+v %v", got, err)
	}
	if _, _, err := decodeCommand(whole[:5]); !errors.Is(err, ErrTruncated) {
		t.Fatalf("an end within a field: %v", err)
	}
}

// TestHostileRecordsAreRefused before anything is made of what they claim.
func TestHostileRecordsAreRefused(t *testing.T) {
	huge := AppendUint(nil, 1<<60)
	header := AppendHeader(nil, &Header{})
	for name, record := range map[string][]byte{
		"offers":             append(header[:len(header)-1:len(header)-1], huge...),
		"commands":           append(bytes.Clone(header), huge...),
		"a command's length": append(append(bytes.Clone(header), 1), huge...),
	} {
		var e Entry
		if err := e.Decode(record); !errors.Is(err, ErrOversized) && !errors.Is(err, ErrTruncated) {
			t.Errorf("an entry of 2^60 %s: %v", name, err)
		}
	}
	var e Entry
	if err := e.Decode(append(sampleEntry(), 0)); !errors.Is(err, ErrOversized) {
		t.Errorf("bytes behind the last command: %v", err)
	}
	if err := e.Decode([]byte{EntryVersion + 1}); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: %v", err)
	}
	if err := e.Decode(nil); !errors.Is(err, ErrVersion) {
		t.Errorf("nothing at all: %v", err)
	}
	for kind := range bodies() {
		record := appendPrefix(nil, kind, Route{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 20 {
			_, _, _ = decodeCommand(append(record, huge...))
			record = append(record, 0xff)
		}
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; made > 1<<20 {
			t.Errorf("%v: %d bytes were made of a few", kind, made)
		}
	}
	few := NewReader(append(AppendUint(nil, 5), 0, 0, 0, 0))
	if n := few.Count(MaxLeases); n != 0 || !errors.Is(few.Err(), ErrOversized) {
		t.Errorf("five items in four bytes: %d, %v", n, few.Err())
	}
	limit := NewReader(append(AppendUint(nil, MaxLeases+1), make([]byte, 9*MaxLeases)...))
	if n := limit.Count(MaxLeases); n != 0 || !errors.Is(limit.Err(), ErrOversized) {
		t.Errorf("more than the limit: %d, %v", n, limit.Err())
	}
	r := NewReader(AppendUint(nil, 1<<32))
	if id := r.EventID(); !errors.Is(r.Err(), ErrOversized) {
		t.Errorf("an epoch that does not fit became %d", id.Epoch)
	}
}

// TestNothingIsRetained: strings are the decoder's own, so that a pooled record
// may be used again; what aliases it is documented to.
func TestNothingIsRetained(t *testing.T) {
	encoded := sampleCommands()[KindPublish].Append(nil)
	got, _, err := decodeCommand(encoded)
	if err != nil {
		t.Fatal(err)
	}
	clear(encoded)
	publish, ok := got.(*Publish)
	if !ok || publish.Event.Channel != "orders" || publish.Event.Traceparent != "00-8" {
		t.Fatalf("strings changed with the record: %+v", got)
	}
}

// TestEventIDs: one text for each id, and an error for any other.
func TestEventIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Make[EventID]().Draw(t, "id")
		if id.IsZero() {
			return
		}
		got, err := ParseEventID(id.String())
		if err != nil || got != id {
			t.Fatalf("%+v is %q and comes back as %+v, %v", id, id, got, err)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Make[EventID]().Draw(t, "a"), rapid.Make[EventID]().Draw(t, "b")
		a.Epoch, a.Partition, a.Queue = b.Epoch|1, b.Partition, b.Queue
		b.Epoch = a.Epoch
		if (a.String() < b.String()) != (a.Position < b.Position) {
			t.Fatalf("texts sort as ids do: %+v %+v", a, b)
		}
	})
	id := sampleID().String()
	for name, text := range map[string]string{
		"empty": "", "short": id[:28], "long": id + "0", "another digit": "w" + id[1:], "upper case": "0000000" + "A" + id[8:],
		"a bit too many": id[:28] + "1", "zero": "00000000000000000000000000000", "a line end": id[:28] + "\n",
	} {
		if got, err := ParseEventID(text); !errors.Is(err, ErrBadID) {
			t.Errorf("%s: %q is %+v, %v", name, text, got, err)
		}
	}
}

// TestLeaseTokens: a token is taken whole, unchanged and under its own key, or not at all.
func TestLeaseTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, key := rapid.Make[LeaseID]().Draw(t, "id"), rapid.SliceOf(rapid.Byte()).Draw(t, "key")
		token := AppendLeaseToken(nil, id, key)
		got, err := ParseLeaseToken(token, key)
		if err != nil || got != id || len(token) != LeaseTokenLength {
			t.Fatalf("%+v comes back as %+v, %v", id, got, err)
		}
		at, letter := rapid.IntRange(0, len(token)-1).Draw(t, "at"), rapid.Byte().Draw(t, "letter")
		forged := bytes.Clone(token)
		forged[at] = letter
		if _, err := ParseLeaseToken(forged, key); (err == nil) != (letter == token[at]) {
			t.Fatalf("%q was taken for %q", forged, token)
		}
		if _, err := ParseLeaseToken(token[:at], key); !errors.Is(err, ErrBadLease) {
			t.Fatal("a truncated token was taken")
		}
		if _, err := ParseLeaseToken(token, append(key, 1)); !errors.Is(err, ErrBadLease) {
			t.Fatal("a token of another cluster was taken")
		}
	})
}

// TestVisitChannels agrees with the decoder about what a command stores.
func TestVisitChannels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		publish := Publish{Event: rapid.Make[Event]().Draw(t, "event")}
		complete := rapid.Make[Complete]().Draw(t, "complete")
		relay := Relay{First: 1}
		rows := rapid.SliceOfN(rapid.Make[RelayRow](), 0, 3).Draw(t, "rows")
		for i := range rows {
			relay.Rows = append(relay.Rows, encodedRow(rows[i]))
		}
		for _, c := range []body{&publish, &complete, &relay, &Release{}} {
			var want, got []string
			switch c := c.(type) {
			case *Publish:
				want = []string{c.Event.Channel}
			case *Complete:
				for i := range c.Emits {
					want = append(want, c.Emits[i].Channel)
				}
			case *Relay:
				for i := range rows {
					if rows[i].Kind == RelayEvent {
						want = append(want, rows[i].Event.Channel)
					}
				}
			}
			VisitChannels(c.Append(nil), func(channel []byte) { got = append(got, string(channel)) })
			same(t, got, want)
		}
		header := rapid.Make[Header]().Draw(t, "header")
		index, chain, err := PeekCheck(AppendEntry(nil, &header, nil))
		if err != nil || index != header.CheckIndex || chain != header.CheckChain {
			t.Fatalf("peeked %d %x, %v", index, chain, err)
		}
	})
}
