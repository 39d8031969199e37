package workflow

// kind is what a node of a text is.
type kind uint8

const (
	kindNothing kind = iota
	kindText
	kindNumber
	kindFlag
	kindList
	kindObject
)

// String names a kind as a message does.
func (k kind) String() string {
	switch k {
	case kindNothing:
		return "nothing"
	case kindText:
		return "text"
	case kindNumber:
		return "a number"
	case kindFlag:
		return "true or false"
	case kindList:
		return "a list"
	case kindObject:
		return "an object"
	}
	return "something else"
}

// node is a piece of a text, read from YAML or JSON: what both have in common, and where
// it stands.
type node struct {
	kind kind
	// text is a scalar as it is written.
	text         string
	line, column int
	items        []*node
	entries      []entry
}

// entry is a key of an object with its value.
type entry struct {
	key, value *node
}

// value is a node and the way to it, as problems name it.
type value struct {
	*node

	path string
}

// at is the value of a key.
func (v value) at(e entry) value {
	if v.path == "" {
		return value{e.value, shownName(e.key.text)}
	}
	return value{e.value, v.path + "." + shownName(e.key.text)}
}

// named is the place of a key itself.
func (v value) named(e entry) value {
	return value{e.key, v.at(e).path}
}
