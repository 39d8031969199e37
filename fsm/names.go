package fsm

import (
	"encoding/binary"

	"github.com/batonmq/baton/storage"
)

// names are the partition's interned strings: a tenant, channel or group is a
// small integer in keys and rows.
type names struct {
	ids   map[internedName]uint32
	texts map[internedID]string
}

type internedName struct {
	kind byte
	text string
}

type internedID struct {
	kind byte
	id   uint32
}

func newNames() names {
	return names{ids: make(map[internedName]uint32), texts: make(map[internedID]string)}
}

// text is the name behind an id, empty when there is none.
func (n *names) text(kind byte, id uint32) string { return n.texts[internedID{kind, id}] }

// find is the id of a name, 0 when it was never seen.
func (n *names) find(kind byte, text string) uint32 { return n.ids[internedName{kind, text}] }

func (n *names) put(kind byte, text string, id uint32) {
	n.ids[internedName{kind, text}] = id
	n.texts[internedID{kind, id}] = text
}

func (n *names) load(from reader) error {
	prefix := []byte{kindName}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		n.put(key[1], string(key[2:]), binary.BigEndian.Uint32(value[1:]))
		return true, nil
	})
}

// intern is the id of a name, made when it is new. next is the kind's counter.
func (m *Machine) intern(kind byte, text string, next *uint32) uint32 {
	if id := m.names.find(kind, text); id != 0 {
		return id
	}
	id := *next
	*next++
	m.names.put(kind, text, id)
	m.set(keyName(m.scratch.key[:0], kind, text), appendU32(append(m.scratch.value[:0], rowVersion), id))
	return id
}

// lookUpName reads an interned name's id from rows; 0 when it was never seen.
func lookUpName(view *storage.View, kind byte, text string) (uint32, error) {
	value, found, err := view.Get(keyName(nil, kind, text))
	if err != nil || !found {
		return 0, err
	}
	return binary.BigEndian.Uint32(value[1:]), nil
}
