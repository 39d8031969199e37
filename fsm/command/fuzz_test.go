package command

import (
	"bytes"
	"testing"
)

// stable decodes data; what could be decoded must encode to something that
// decodes to the same again.
func stable[T any](t *testing.T, data []byte, encode func([]byte, *T) []byte, decode func(*Reader) T) {
	t.Helper()
	r := NewReader(data)
	value := decode(&r)
	if r.Err() != nil {
		return
	}
	encoded := encode(nil, &value)
	again := NewReader(encoded)
	same(t, decode(&again), value)
	if again.Err() != nil || len(again.Rest()) != 0 {
		t.Fatalf("%v, %d bytes left", again.Err(), len(again.Rest()))
	}
}

// FuzzEntry: an entry that can be read is the same when written again.
func FuzzEntry(f *testing.F) {
	f.Add(sampleEntry())
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again Entry
		_, _, peeked := PeekCheck(data)
		if e.Decode(data) != nil {
			return
		}
		if peeked != nil {
			t.Fatalf("an entry whose check cannot be read: %v", peeked)
		}
		if err := again.Decode(AppendEntry(nil, &e.Header, e.Commands)); err != nil {
			t.Fatal(err)
		}
		same(t, again, e)
	})
}

// FuzzCommand: so is a command of any kind.
func FuzzCommand(f *testing.F) {
	for _, c := range sampleCommands() {
		f.Add(c.Append(nil))
	}
	lasting := sampleEvent()
	lasting.TTLMS, lasting.OnEnd = 14_000, "answered"
	f.Add((&Publish{Event: lasting, MaxUnfinished: 300}).Append(nil))
	f.Add((&Publish{Event: lasting, MaxTenantBytes: 1 << 20}).Append(nil))
	f.Add((&Complete{Emits: []Event{lasting, lasting}}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		VisitChannels(data, func([]byte) {})
		c, prefix, err := decodeCommand(data)
		if err != nil || c == nil {
			return
		}
		routed(c, prefix.Route)
		encoded := c.Append(nil)
		again, prefix, err := decodeCommand(encoded)
		if err != nil {
			t.Fatal(err)
		}
		same(t, routed(again, prefix.Route), c)
	})
}

// FuzzResult: so is a result.
func FuzzResult(f *testing.F) {
	result := sampleResult()
	f.Add(AppendResult(nil, &result))
	f.Fuzz(func(t *testing.T, data []byte) { stable(t, data, AppendResult, (*Reader).Result) })
}

// FuzzJob: so is a job.
func FuzzJob(f *testing.F) {
	job := sampleJob()
	f.Add(AppendJob(nil, &job))
	f.Fuzz(func(t *testing.T, data []byte) { stable(t, data, AppendJob, (*Reader).Job) })
}

// FuzzFollowed: so is an event on its way to a follower.
func FuzzFollowed(f *testing.F) {
	followed := sampleFollowed()
	f.Add(AppendFollowed(nil, &followed))
	f.Fuzz(func(t *testing.T, data []byte) { stable(t, data, AppendFollowed, (*Reader).Followed) })
}

// FuzzNotification: so is a notification.
func FuzzNotification(f *testing.F) {
	n := sampleNotification()
	f.Add(AppendNotification(nil, &n))
	f.Fuzz(func(t *testing.T, data []byte) { stable(t, data, AppendNotification, (*Reader).Notification) })
}

// FuzzRelayRow: so is a row of a relay.
func FuzzRelayRow(f *testing.F) {
	f.Add(encodedRow(sampleRelayRow()))
	canceled := sampleRelayRow()
	canceled.Lineage = RelayedLineage{Failed: true, Canceled: true, Client: "c", Reason: "asked", GraceMS: 5000, Epoch: 3}
	f.Add(encodedRow(canceled))
	f.Fuzz(func(t *testing.T, data []byte) { stable(t, data, AppendRelayRow, (*Reader).RelayRow) })
}

// FuzzEventID: an id has one text.
func FuzzEventID(f *testing.F) {
	f.Add(sampleID().String())
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseEventID(text); err == nil && id.String() != text {
			t.Fatalf("%q and %q are one event", text, id)
		}
	})
}

// FuzzLeaseToken: a token is taken only if it was made under the key.
func FuzzLeaseToken(f *testing.F) {
	f.Add(AppendLeaseToken(nil, sampleLease(), sampleKey()))
	f.Fuzz(func(t *testing.T, token []byte) {
		id, err := ParseLeaseToken(token, sampleKey())
		if err == nil && !bytes.Equal(AppendLeaseToken(nil, id, sampleKey()), token) {
			t.Fatalf("%q is no token of %+v", token, id)
		}
	})
}
