package wire

// maxTypeName is how much of an unknown type's name an error repeats.
const maxTypeName = 64

// survey is what can be said of an object that is not decoded.
type survey struct {
	start   int
	name    []byte // its type
	hasType bool
	id      uint64
	hasID   bool
}

// survey walks the object at start to its end, validates it, and picks out type
// and id. Only refused messages, and those that do not begin with their type,
// come here. A syntax error wins over the refusal: problem is set.
func (d *Decoder) survey(start int) survey {
	found := survey{start: start}
	d.pos, d.depth, d.problem = start, 0, ""
	d.enter()
	for n := 0; d.more(n, '}'); n++ {
		span, escaped, ok := d.key()
		if !ok {
			break
		}
		field := lookup(span)
		if escaped {
			field = d.lookupEscaped(span)
		}
		value, ok := d.value()
		if !ok {
			break
		}
		switch field {
		case fieldType:
			if value[0] == '"' && !found.hasType {
				found.name, found.hasType = d.unescape(value[1 : len(value)-1])
			}
		case fieldID:
			if id, ok := integer(value); ok {
				found.id, found.hasID = id, true
			}
		}
	}
	return found
}

// surveyAny is survey in the frame's own encoding.
func (d *Decoder) surveyAny(start int) survey {
	if d.binary {
		return d.surveyRecord(start)
	}
	return d.survey(start)
}

func (s *survey) decodeError(kind error, message string) *DecodeError {
	return &DecodeError{Kind: kind, Message: message, ID: s.id, HasID: s.hasID, Position: s.start}
}

// refused makes the error of the message at start, and moves on to its end.
func (d *Decoder) refused(start int, t Type) error {
	fault := d.fault
	found := d.surveyAny(start)
	if d.problem != "" {
		return d.malformedError()
	}
	message := fault.text
	if fault.field != "" {
		message = fault.field + " " + message
	}
	err := found.decodeError(ErrBadField, message)
	err.Type, err.Field = t, fault.field
	return err
}

func (d *Decoder) unknownType(start int) error {
	found := d.survey(start)
	if d.problem != "" {
		return d.malformedError()
	}
	name := string(found.name[:min(len(found.name), maxTypeName)])
	err := found.decodeError(ErrUnknownType, "unknown type "+string(appendQuoted(nil, []byte(name))))
	err.TypeName = name
	return err
}

func (d *Decoder) malformedError() error {
	language := "malformed JSON: "
	if d.binary {
		language = "malformed record: "
	}
	return &DecodeError{Kind: ErrMalformed, Message: language + d.problem, Position: d.pos}
}
