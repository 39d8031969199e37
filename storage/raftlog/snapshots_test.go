package raftlog

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

// FuzzConfiguration: what cannot be read as a configuration is corrupt, and what
// can is read the same when it is written again.
func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(raft.EncodeConfiguration(raft.Configuration{}))
	f.Add(raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: "n1", Address: "127.0.0.1:1"}, {Suffrage: raft.Nonvoter, ID: "n2", Address: "127.0.0.1:2"},
	}}))
	f.Add([]byte{0x81, 0xa7, 'S', 'e', 'r', 'v', 'e', 'r', 's', 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		original := bytes.Clone(encoded)
		configuration, err := decodeConfiguration(encoded)
		if !bytes.Equal(encoded, original) {
			t.Fatal("the row was written to")
		}
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("an unnamed error: %v", err)
			}
			return
		}
		again, err := decodeConfiguration(raft.EncodeConfiguration(configuration))
		if err != nil {
			t.Fatal(err)
		}
		if len(configuration.Servers)+len(again.Servers) > 0 && !reflect.DeepEqual(configuration, again) {
			t.Fatalf("%+v is read as %+v", configuration, again)
		}
	})
}
