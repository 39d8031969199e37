package wire

import "strconv"

// ChannelHandles are the numbers that the client of a binary connection gave to
// names of channels. They belong to the connection, for as long as it lives; the
// zero value has none and is ready. Not safe for concurrent use.
type ChannelHandles struct {
	names *handleNames // nil until there is one: few connections have any
}

// handleNames are by number, from 1; nil where there is none.
type handleNames [MaxChannelHandles + 1][]byte

// of is the name of a number, nil where it has none.
func (h *ChannelHandles) of(number uint8) []byte {
	if h.names == nil || int(number) >= len(h.names) {
		return nil
	}
	return h.names[number]
}

func (h *ChannelHandles) give(number uint8, name []byte) {
	if h.names == nil {
		h.names = new(handleNames)
	}
	h.names[number] = append([]byte(nil), name...)
}

// handle reads the number of a channel. Which channel it is, findChannel and
// keepChannel say at the end of the object, when it is known whether the name
// stands beside it.
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

// findChannel finds the name of a number that stands alone.
func (d *Decoder) findChannel(number uint8, name *[]byte) {
	if number == 0 || d.seen.has(fieldChannel) {
		return
	}
	*name = d.handles.of(number)
	if *name == nil {
		d.field = fieldChannelHandle
		d.refuse(strconv.Itoa(int(number)) + " is not known on this connection: send it once with channel beside it")
		return
	}
	d.seen.add(fieldChannel)
}

// keepChannel gives the number to the name of an event that is not refused. A
// number keeps its name: another one for it would send what is on its way to a
// channel that its sender does not mean.
func (d *Decoder) keepChannel(number uint8, name []byte) {
	if number == 0 || d.fault.text != "" {
		return
	}
	switch former := d.handles.of(number); {
	case former == nil:
		d.handles.give(number, name)
	case string(former) != string(name):
		d.field = fieldChannelHandle
		d.refuse(strconv.Itoa(int(number)) + " is " + string(former) + " already: a handle keeps its channel while the connection lasts")
	}
}
