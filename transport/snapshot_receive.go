package transport

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// serveSnapshot serves one InstallSnapshot.
func (t *TCP) serveSnapshot(raw net.Conn, peer NodeID) {
	counters := &t.counters.kinds[kindSnapshot]
	frames := newFrameReader(progressReader{raw: raw}, maxSnapshotHeader, readBufferBytes)
	kind, body, err := frames.next()
	if err != nil || kind != frameInstall {
		t.logger.Debug("snapshot connection without a snapshot", "peer", string(peer), "error", err)
		return
	}
	counters.read(frameHead + len(body))
	id, args, err := decodeInstall(body, []byte(peer))
	if err != nil {
		t.logger.Warn("malformed snapshot header", "peer", string(peer), "error", err)
		return
	}
	if frames.consume > 0 {
		if _, err = frames.r.Discard(frames.consume); err != nil {
			return
		}
	}
	data := &countingReader{r: io.LimitReader(frames.r, args.Size), counters: counters}
	w := progressWriter{raw: raw, counters: counters}
	response, err := t.install(id, args, data, w)
	if t.finishSnapshot(w, response, err) == nil {
		// The rest is taken in, or the reply could be lost with the connection.
		_, _ = io.Copy(io.Discard, data)
	}
}

func (t *TCP) install(
	id uint32, args *raft.InstallSnapshotRequest, data io.Reader, w progressWriter,
) (any, error) {
	h := t.hosted(id)
	if h == nil || !h.holdSnapshot(w.raw) {
		return nil, ErrGroupNotHosted
	}
	defer h.releaseSnapshot(w.raw)
	raise(&h.group.newest, args.Term)
	verdict := Install
	if t.config.SnapshotGuard != nil {
		verdict = t.config.SnapshotGuard(id, args)
	}
	switch verdict {
	case AcknowledgeStale:
		return &raft.InstallSnapshotResponse{Term: h.group.newest.Load(), Success: true}, nil
	case Conflict:
		return nil, ErrSnapshotConflict
	case Install:
	}
	return h.install(args, data, w)
}

// install gives the snapshot to Raft and says every second that it is at work:
// a restore may take minutes.
func (h *handle) install(args *raft.InstallSnapshotRequest, data io.Reader, w progressWriter) (any, error) {
	answer := make(chan raft.RPCResponse, 1)
	ticker := time.NewTicker(snapshotProgress)
	defer ticker.Stop()
	progress := beginFrame(nil, frameProgress)
	endFrame(progress, 0)
	given := h.consumer
	for {
		select {
		case given <- raft.RPC{Command: args, Reader: data, RespChan: answer}:
			given = nil
		case response := <-answer:
			return response.Response, response.Error
		case <-ticker.C:
			if _, err := w.Write(progress); err != nil {
				_ = w.raw.Close() // Raft's reads fail, and then it answers.
				if given != nil {
					return nil, err
				}
			}
		case <-h.done:
			_ = w.raw.Close()
			return nil, errors.Join(ErrGroupNotHosted, ErrClosed)
		}
	}
}

func (t *TCP) finishSnapshot(w progressWriter, response any, err error) error {
	frame := beginFrame(nil, frameDone)
	if err == nil {
		frame, err = appendReply(frame, response)
	}
	if err != nil {
		frame = appendFailure(beginFrame(nil, frameFailure), err)
	}
	endFrame(frame, 0)
	_, err = w.Write(frame)
	return err
}

// countingReader counts a snapshot's data.
type countingReader struct {
	r        io.Reader
	counters *kindCounters
}

// Read implements io.Reader.
func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.counters.bytesReceived.Add(uint64(n)) //nolint:gosec // Never negative.
	return n, err
}
