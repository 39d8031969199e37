package transport

import (
	"encoding/binary"
	"errors"
	"testing"
)

// chunkRecorder takes the frames of the connections for chunks.
type chunkRecorder struct {
	ups    chan NodeID
	frames chan uint64
	hold   chan struct{} // closed: frames are taken
}

func newChunkRecorder() *chunkRecorder {
	return &chunkRecorder{ups: make(chan NodeID, 100), frames: make(chan uint64, 100_000), hold: make(chan struct{})}
}

func (r *chunkRecorder) ChunksUp(peer NodeID) { r.ups <- peer }

func (r *chunkRecorder) ReceiveChunk(_ NodeID, frame []byte) {
	<-r.hold
	r.frames <- binary.BigEndian.Uint64(frame)
}

// TestChunksHoldNothingUp fills the connection for chunks to a peer that takes none:
// chunks are refused, and the link beside it goes on.
func TestChunksHoldNothingUp(t *testing.T) {
	n := newTCPNetwork()
	links, chunks := newRecorder(t), newChunkRecorder()
	a := start(t, n, Config{Self: "a.1"})
	b := start(t, n, Config{Self: "b.1", Handler: links, Chunks: chunks})
	a.SetPeers([]NodeID{"b.1"})
	b.SetPeers([]NodeID{"a.1"})
	receive(t, "the link is up", links.ups)
	receive(t, "chunks are up", chunks.ups)
	frame := make([]byte, MaxChunkFrame)
	sent := uint64(0)
	eventually(t, "the buffer is full", func() bool {
		binary.BigEndian.PutUint64(frame, sent+1)
		err := a.SendChunk("b.1", frame)
		if err == nil {
			sent++
		}
		return errors.Is(err, ErrLinkFull)
	})
	eventually(t, "a frame passes by", func() bool {
		return a.Send("b.1", binary.BigEndian.AppendUint64(nil, 1)) == nil
	})
	eventually(t, "it is there", func() bool { return links.received.Load() == 1 })
	close(chunks.hold)
	for want := uint64(1); want <= sent; want++ {
		if got := receive(t, "a chunk", chunks.frames); got != want {
			t.Fatalf("frame %d came in the place of %d", got, want)
		}
	}
	if err := a.SendChunk("b.1", make([]byte, MaxChunkFrame+1)); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("a frame beyond the limit: %v", err)
	}
	if stats := b.Stats().Chunks; stats.FramesReceived < sent {
		t.Errorf("%d frames counted of %d", stats.FramesReceived, sent)
	}
}
