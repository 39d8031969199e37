package members

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

var update = flag.Bool("update", false, "write the golden records anew")

func testFormation() Formation {
	return Formation{
		ClusterID: "00112233445566aa", Partitions: 8, Replicas: 3,
		LeaseKey: bytes.Repeat([]byte{7}, 32),
		Members:  []command.Member{testMember("n1", 1), testMember("n2", 0xbeef)},
	}
}

// records is one of every record that leaves the process, by name.
func records() map[string][]byte {
	f := testFormation()
	list := map[string][]byte{
		"formation":    f.Append(nil),
		"row_free":     (&row{standing: free, owner: "n1.1", attempt: 3}).encode(),
		"row_promised": (&row{standing: promised, owner: "n1.1", attempt: 3, promise: promise{attempt: 2, members: f.Members}}).encode(),
		"row_formed":   (&row{standing: formed, owner: "n1.1", founding: true, announced: true, formation: f}).encode(),
		"meta": (&meta{
			leaving: true, expect: 3, clusterID: f.ClusterID, peerAddress: "10.0.0.1:7701", clientURL: "http://10.0.0.1:7700", version: "1.2.3",
		}).encode(),
	}
	for name, q := range map[string]request{
		"promise":  {kind: askPromise, attempt: 2, members: f.Members},
		"state":    {kind: askState, coordinator: "n1.1", attempt: 2},
		"decision": {kind: tellDecision, formation: f},
		"join":     {kind: askJoin, clusterID: f.ClusterID, member: f.Members[0]},
	} {
		q.from, q.to = "n1.1", "n2.beef"
		list["request_"+name] = q.encode()
	}
	for name, p := range map[string]reply{
		"promise": {outcome: gavePromise, attempt: 2},
		"refused": {outcome: refused, text: "no"},
		"belongs": {outcome: belongs, founding: true, formation: f},
	} {
		p.from = "n2.beef"
		list["reply_"+name] = p.encode()
	}
	return list
}

// again decodes a record by the kind in its name, and encodes it again.
func again(name string, record []byte) ([]byte, error) {
	kind, _, _ := strings.Cut(name, "_")
	switch kind {
	case "formation":
		f, err := DecodeFormation(record)
		return f.Append(nil), err
	case "row":
		w, err := decodeRow(record)
		return w.encode(), err
	case "meta":
		t, err := decodeMeta(record)
		return t.encode(), err
	case "request":
		q, err := decodeRequest(record)
		return q.encode(), err
	default:
		p, err := decodeReply(record)
		return p.encode(), err
	}
}

// TestGolden holds every format to its recorded bytes: nodes of different
// releases speak them.
func TestGolden(t *testing.T) {
	for name, record := range records() {
		path := filepath.Join("testdata", "golden", name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(record)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSpace(string(text)); hex.EncodeToString(record) != want {
			t.Errorf("%s: %x, want %s", name, record, want)
		}
		back, err := again(name, record)
		if err != nil || !bytes.Equal(back, record) {
			t.Errorf("%s: decoded and encoded again: %x, %v", name, back, err)
		}
		for cut := range record {
			if _, err := again(name, record[:cut]); err == nil && cut == 0 {
				t.Errorf("%s: %d bytes were accepted", name, cut)
			}
		}
	}
}

// TestDecodesWhole: no field of a formation gets lost.
func TestDecodesWhole(t *testing.T) {
	f := testFormation()
	back, err := DecodeFormation(f.Append(nil))
	if err != nil || !reflect.DeepEqual(back, f) {
		t.Errorf("%+v, %v", back, err)
	}
}

// FuzzDecode: whatever arrives is refused or is a record that stays the same when
// it is encoded and decoded once more.
func FuzzDecode(f *testing.F) {
	kinds := []string{"formation", "row", "meta", "request", "reply"}
	for name, record := range records() {
		for i, kind := range kinds {
			if strings.HasPrefix(name, kind) {
				f.Add(byte(i), record)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, record []byte) {
		kind := kinds[int(which)%len(kinds)]
		first, err := again(kind, record)
		if err != nil {
			return
		}
		second, err := again(kind, first)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s: %x, then %x, %v", kind, first, second, err)
		}
	})
}
