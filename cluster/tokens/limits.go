package tokens

import "time"

// The limits of token streams, for each partition at its leader.
const (
	// MaxRingBytes is how much of one stream is kept: the last bytes.
	MaxRingBytes = 256 << 10
	// MaxStreams is how many streams are kept; beyond it those that ended make room,
	// and where none has, no new one is taken.
	MaxStreams = 4096
	// MaxBytes is how much is kept of all of them together; beyond it those that ended
	// make room, then a stream forgets of its own, all of it if need be.
	MaxBytes = 64 << 20
	// MaxReaders is how many readers may wait.
	MaxReaders = 1 << 16
	// MaxPieceBytes is how much one answer to a reader has, and one write.
	MaxPieceBytes = 32 << 10
	// KeepTimeout is how long a stream is kept after its job has ended.
	KeepTimeout = time.Minute
	// AnnounceInterval is how often the client's sockets are told of a stream that
	// goes on: what is told may be lost, and sockets come.
	AnnounceInterval = time.Second

	crowdedTime = 100 * time.Millisecond
)
