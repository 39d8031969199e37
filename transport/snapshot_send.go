package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// A snapshot travels alone on its connection: a frameInstall, then Size bytes
// of data without frames; the other way frameProgress, and frameDone or
// frameFailure, which may come before all data was sent (nobody wants the rest).

// snapshotReply is how the other side ended it.
type snapshotReply struct {
	body []byte
	err  error
}

func (h *handle) sendSnapshot(
	target NodeID, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	if h.isClosed() {
		return ErrClosed
	}
	raw, err := h.t.connectPeer(target, kindSnapshot)
	if err != nil {
		return err
	}
	defer h.t.drop(raw)
	if !h.holdSnapshot(raw) {
		return ErrClosed
	}
	defer h.releaseSnapshot(raw)

	replies := make(chan snapshotReply, 1)
	stalled := progressWriter{raw: raw, counters: &h.t.counters.kinds[kindSnapshot]}
	go func() { replies <- h.awaitSnapshot(raw) }()
	answered, sendErr := h.stream(stalled, args, data, replies)
	if answered == nil {
		if sendErr != nil {
			_ = raw.Close() // Ends awaitSnapshot.
		}
		reply := <-replies
		answered = &reply
	}
	if answered.err != nil {
		return errors.Join(sendErr, answered.err)
	}
	if _, err := decodeReply(answered.body, resp); err != nil {
		return err
	}
	return nil
}

// stream sends the header and the data, unless a reply comes first.
func (h *handle) stream(
	w io.Writer, args *raft.InstallSnapshotRequest, data io.Reader, replies <-chan snapshotReply,
) (*snapshotReply, error) {
	header := appendInstall(beginFrame(nil, frameInstall), h.group.id, args, h.t.config.Self)
	if len(header) > maxSnapshotHeader {
		return nil, fmt.Errorf("snapshot header: %w", ErrFrameTooLarge)
	}
	endFrame(header, 0)
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	buffer := make([]byte, min(args.Size, snapshotChunk))
	for left := args.Size; left > 0; {
		select {
		case reply := <-replies:
			return &reply, nil
		default:
		}
		n, err := io.ReadFull(data, buffer[:min(left, snapshotChunk)])
		if err != nil {
			return nil, fmt.Errorf("reading the snapshot, %d bytes before its end: %w", left-int64(n), err)
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return nil, err
		}
		left -= int64(n)
	}
	return nil, nil
}

// awaitSnapshot reads progress until the end. It ends when the connection does.
func (h *handle) awaitSnapshot(raw net.Conn) snapshotReply {
	counters := &h.t.counters.kinds[kindSnapshot]
	frames := newFrameReader(progressReader{raw: raw}, maxSnapshotHeader, rareBufferBytes)
	for {
		kind, body, err := frames.next()
		if err != nil {
			return snapshotReply{err: err}
		}
		counters.read(frameHead + len(body))
		switch kind { //nolint:exhaustive // Another kind is a later version's: skipped.
		case frameDone:
			return snapshotReply{body: append([]byte(nil), body...)}
		case frameFailure:
			return snapshotReply{err: decodeFailure(body)}
		}
	}
}

// progressWriter and progressReader bound the time without progress, not the
// time of the whole.
type progressWriter struct {
	raw      net.Conn
	counters *kindCounters
}

func (p progressWriter) Write(b []byte) (int, error) {
	if err := p.raw.SetWriteDeadline(time.Now().Add(SnapshotStall)); err != nil {
		return 0, err
	}
	n, err := p.raw.Write(b)
	p.counters.wrote(1, n)
	return n, err
}

type progressReader struct{ raw net.Conn }

func (p progressReader) Read(b []byte) (int, error) {
	if err := p.raw.SetReadDeadline(time.Now().Add(SnapshotStall)); err != nil {
		return 0, err
	}
	return p.raw.Read(b)
}
