package wire

import "strconv"

// ChannelHandles are the numbers that the client of a binary connection gave to
// names of channels. They belong to the connection, for as long as it lives; the
// zero value has none and is ready. Not safe for concurrent use.
type ChannelHandles struct {
	names [][]byte // by number, from 1; nil where there is none
}

// handle reads the number of a channel. Which one it is, bind says at the end of
// the object, when it is known whether the name stands beside it.
func (d *Decoder) handle(dst *uint8) {
	if !d.binary || d.handles == nil {
		d.ignore(fieldChannelHandle)
		return
	}
	var n uint64
	if d.uint(&n); n == 0 || n > MaxChannelHandles {
		d.refuse("must be an integer from 1 to 64")
		return
	}
	*dst = uint8(n)
}

// bind gives the number to the name, or finds the name of the number. A number
// keeps its name: another one for it would send what is under way in between to
// a channel that its sender does not mean.
func (d *Decoder) bind(number uint8, name *[]byte) {
	if number == 0 {
		return
	}
	d.field = fieldChannelHandle
	h := d.handles
	known := int(number) < len(h.names) && h.names[number] != nil
	switch {
	case d.seen.has(fieldChannel) && !known:
		for len(h.names) <= int(number) {
			h.names = append(h.names, nil)
		}
		h.names[number] = append([]byte(nil), *name...)
	case d.seen.has(fieldChannel) && string(h.names[number]) != string(*name):
		d.refuse(strconv.Itoa(int(number)) + " is " + string(h.names[number]) + " already: a handle keeps its channel while the connection lasts")
	case known:
		*name = h.names[number]
		d.seen.add(fieldChannel)
	default:
		d.refuse(strconv.Itoa(int(number)) + " is not known on this connection: send it once with channel beside it")
	}
}
