package gateway

import "sync"

const (
	firstBuffer = 4 << 10
	maxKept     = 128 << 10
)

// bufferPool lends buffers for what is on its way out. Boxes are pooled too, or
// every put would allocate one.
type bufferPool struct {
	full  sync.Pool // of *[]byte with a buffer in it
	empty sync.Pool // of *[]byte with none
}

func (p *bufferPool) get() []byte {
	box, ok := p.full.Get().(*[]byte)
	if !ok {
		return make([]byte, 0, firstBuffer)
	}
	buf := *box
	*box = nil
	p.empty.Put(box)
	return buf[:0]
}

func (p *bufferPool) put(buf []byte) {
	if cap(buf) > maxKept || cap(buf) < firstBuffer {
		return
	}
	box, ok := p.empty.Get().(*[]byte)
	if !ok {
		box = new([]byte)
	}
	*box = buf
	p.full.Put(box)
}
