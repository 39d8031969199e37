package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Applied says how far a group's state has come.
type Applied struct {
	// Index and Term are those of the last Raft entry in the state; 0 before the first.
	Index, Term uint64
	// Chain is the chain hash after that entry.
	Chain uint64
	// ConfigurationIndex is the Raft index of Configuration; 0 when there is none.
	ConfigurationIndex uint64
	// Configuration is the encoded Raft configuration, opaque here. Read only.
	Configuration []byte
}

const appliedRowBytes = 1 + 3*8

// putApplied adds the applied row to a batch.
func putApplied(b *pebble.Batch, group, epoch uint32, a Applied) error {
	row := make([]byte, 0, appliedRowBytes)
	row = append(row, rowVersion)
	row = binary.BigEndian.AppendUint64(row, a.Index)
	row = binary.BigEndian.AppendUint64(row, a.Term)
	row = binary.BigEndian.AppendUint64(row, a.Chain)
	return wrap("set applied row", b.Set(epochKey(kindApplied, group, epoch), row, nil))
}

// putConfiguration adds the configuration row, which seldom changes.
func putConfiguration(b *pebble.Batch, group, epoch uint32, a Applied) error {
	row := binary.BigEndian.AppendUint64([]byte{rowVersion}, a.ConfigurationIndex)
	row = append(row, a.Configuration...)
	return wrap("set configuration row", b.Set(epochKey(kindConfiguration, group, epoch), row, nil))
}

// getApplied reads both rows; the zero Applied when there are none.
func getApplied(r pebble.Reader, group, epoch uint32) (Applied, error) {
	var a Applied
	_, err := getWith(r, epochKey(kindApplied, group, epoch), func(row []byte) error {
		if len(row) != appliedRowBytes || row[0] != rowVersion {
			return fmt.Errorf("read applied row of group %d: %w", group, ErrCorrupt)
		}
		a.Index = binary.BigEndian.Uint64(row[1:])
		a.Term = binary.BigEndian.Uint64(row[9:])
		a.Chain = binary.BigEndian.Uint64(row[17:])
		return nil
	})
	if err != nil {
		return Applied{}, err
	}
	_, err = getWith(r, epochKey(kindConfiguration, group, epoch), func(row []byte) error {
		if len(row) < 9 || row[0] != rowVersion {
			return fmt.Errorf("read configuration row of group %d: %w", group, ErrCorrupt)
		}
		a.ConfigurationIndex = binary.BigEndian.Uint64(row[1:])
		a.Configuration = append([]byte(nil), row[9:]...)
		return nil
	})
	return a, err
}
