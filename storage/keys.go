package storage

import "encoding/binary"

// The physical keys, all of them. Numbers are big endian, so that byte order is
// numeric order.
//
//	'a' group:4 epoch:4               Applied: version:1 index:8 term:8 chain:8
//	'c' group:4 epoch:4               configuration: version:1 index:8 encoded configuration
//	'e' group:4                       live epoch: version:1 epoch:4. No row means firstEpoch
//	'i'                               incarnation: version:1 number:8
//	'l' group:4 index:8               one log row, opaque
//	'n' name                          one local row, opaque
//	's' group:4 epoch:4 logical key   one state row, opaque
//
// Kinds are ASCII letters, so every prefix has a successor of the same length.
const (
	kindApplied       = 'a'
	kindConfiguration = 'c'
	kindEpoch         = 'e'
	kindIncarnation   = 'i'
	kindLog           = 'l'
	kindLocal         = 'n'
	kindState         = 's'
)

const (
	rowVersion    = 1
	firstEpoch    = 1
	groupKeyBytes = 1 + 4
	epochKeyBytes = groupKeyBytes + 4
)

// perEpoch lists the kinds whose keys begin with a group and an epoch.
func perEpoch() [3]byte { return [3]byte{kindApplied, kindConfiguration, kindState} }

func groupKey(kind byte, group uint32) []byte {
	key := make([]byte, 0, epochKeyBytes)
	return binary.BigEndian.AppendUint32(append(key, kind), group)
}

func epochKey(kind byte, group, epoch uint32) []byte {
	return binary.BigEndian.AppendUint32(groupKey(kind, group), epoch)
}

func logKey(group uint32, index uint64) []byte {
	key := make([]byte, 0, groupKeyBytes+8)
	key = binary.BigEndian.AppendUint32(append(key, kindLog), group)
	return binary.BigEndian.AppendUint64(key, index)
}

func localKey(name string) []byte {
	return append([]byte{kindLocal}, name...)
}

// successor returns the first key behind all keys that begin with prefix.
func successor(prefix []byte) []byte {
	next := append([]byte(nil), prefix...)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			break
		}
	}
	return next
}
