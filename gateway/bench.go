package gateway

import (
	"unsafe"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const readBytes = 16 << 10

// workbench is what a connection needs only while it has bytes to work on.
// A connection that waits for its socket holds none.
type workbench struct {
	input    [readBytes]byte
	decoder  *wire.Decoder
	message  wire.Message
	encoded  []byte // the command being made
	headers  []byte
	publish  command.Publish
	complete command.Complete
	fail     command.Fail
	release  command.Release
	leases   []command.LeaseID
	times    []command.Delivery
	made     []byte // an idempotency key
	text     []byte // of a chunk
}

// tidy lets go of what one large message left behind.
func (b *workbench) tidy() {
	if cap(b.encoded) > maxKept {
		b.encoded = nil
	}
	if cap(b.headers) > maxKept {
		b.headers = nil
	}
}

// alias is text as a string, without a copy. The string must not outlive the
// bytes: it is for commands that are encoded and forgotten in the same call.
func alias(text []byte) string {
	return unsafe.String(unsafe.SliceData(text), len(text)) //nolint:gosec // see above
}

// aliasBytes is text as bytes, without a copy. They must not be written to.
func aliasBytes(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // see above
}

func (g *Gateway) borrow() *workbench {
	if bench, ok := g.benches.Get().(*workbench); ok {
		return bench
	}
	return &workbench{decoder: wire.NewDecoder(wire.FromClient)}
}

func (g *Gateway) giveBack(bench *workbench) {
	bench.tidy()
	g.benches.Put(bench)
}
