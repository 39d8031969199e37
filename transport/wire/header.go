package wire

// Header is one of an event's headers.
type Header struct {
	Name, Value []byte
}

// headers reads an object of strings. Names are not repeated.
func (d *Decoder) headers(dst *[]Header) {
	if d.binary {
		d.recordHeaders(dst)
		return
	}
	if d.peek() != '{' {
		d.refuse("must be an object of strings")
		return
	}
	if !d.enter() {
		return
	}
	size := 0
	for n := 0; d.more(n, '}'); n++ {
		name, escaped, ok := d.key()
		if !ok {
			return
		}
		if escaped {
			if name, ok = d.unescape(name); !ok {
				d.refuse("must not escape half a surrogate pair")
				return
			}
		}
		value, ok := d.string("must be an object of strings")
		if !ok {
			return
		}
		size += len(name) + len(value)
		switch {
		case n == MaxHeaders:
			d.refuse("must be at most 64")
		case size > MaxHeaderBytes:
			d.refuse("must be at most 16384 bytes, names and values together")
		case hasHeader(*dst, name):
			d.refuse("must not repeat a name")
		}
		if d.fault.text != "" {
			return
		}
		*dst = append(*dst, Header{Name: name, Value: value})
	}
}

func hasHeader(headers []Header, name []byte) bool {
	for i := range headers {
		if string(headers[i].Name) == string(name) {
			return true
		}
	}
	return false
}

// AppendHeaders appends headers as a JSON object of strings.
func AppendHeaders(dst []byte, headers []Header) []byte {
	dst = append(dst, '{')
	for i := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, headers[i].Name)
		dst = append(dst, ':')
		dst = appendQuoted(dst, headers[i].Value)
	}
	return append(dst, '}')
}
