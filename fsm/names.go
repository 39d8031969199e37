package fsm

import (
	"strings"

	"github.com/batonmq/baton/internal/invariants"
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
		invariants.Check(len(key) >= 2, "a name's key has %d bytes", len(key))
		n.put(key[1], string(key[2:]), nameID(value))
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
	// text is a piece of a whole event's: see command.Reader.Event.
	m.names.put(kind, strings.Clone(text), id)
	m.set(keyName(m.scratch.key[:0], kind, text), appendU32(append(m.scratch.value[:0], rowVersion), id))
	m.set(keyNameOf(m.scratch.key[:0], kind, id), append(append(m.scratch.value[:0], rowVersion), text...))
	return id
}

// nameReader looks up the names that a reader of rows meets, each once. The
// first failure sticks in err.
type nameReader struct {
	view  *storage.View
	texts map[internedID]string
	err   error
}

func newNameReader(view *storage.View) nameReader {
	return nameReader{view: view, texts: make(map[internedID]string)}
}

// text is the name behind an id, empty when there is none.
func (n *nameReader) text(kind byte, id uint32) string {
	of := internedID{kind, id}
	if text, known := n.texts[of]; known || n.err != nil {
		return text
	}
	value, found, err := n.view.Get(keyNameOf(nil, kind, id))
	if err != nil || !found {
		n.err = err
		return ""
	}
	text := string(openRest(value))
	n.texts[of] = text
	return text
}

// openRest is what follows a row's version byte.
func openRest(value []byte) []byte {
	r := openRow(value)
	return r.Rest()
}

// lookUpTenant is lookUpName for a tenant.
func lookUpTenant(view *storage.View, text string) (uint32, error) {
	return lookUpName(view, nameTenant, text)
}

// lookUpName reads an interned name's id from rows; 0 when it was never seen.
func lookUpName(view *storage.View, kind byte, text string) (uint32, error) {
	value, found, err := view.Get(keyName(nil, kind, text))
	if err != nil || !found {
		return 0, err
	}
	return nameID(value), nil
}

// nameID is the id in a name's row.
func nameID(value []byte) uint32 { return u32At(openRest(value), 0) }
