package transport

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/hashicorp/raft"
)

// appendReply encodes what Raft answered; the layouts are in raftwire.go.
func appendReply(b []byte, reply any) ([]byte, error) {
	switch r := reply.(type) {
	case *raft.AppendEntriesResponse:
		b = binary.AppendUvarint(b, r.Term)
		b = binary.AppendUvarint(b, r.LastLog)
		b = appendBool(b, r.Success)
		return appendBool(b, r.NoRetryBackoff), nil
	case *raft.RequestVoteResponse:
		b = binary.AppendUvarint(b, r.Term)
		b = appendBool(b, r.Granted)
		return appendBytes(b, r.Peers), nil
	case *raft.RequestPreVoteResponse:
		b = binary.AppendUvarint(b, r.Term)
		return appendBool(b, r.Granted), nil
	case *raft.InstallSnapshotResponse:
		b = binary.AppendUvarint(b, r.Term)
		return appendBool(b, r.Success), nil
	case *raft.TimeoutNowResponse:
		return b, nil
	}
	return b, fmt.Errorf("raft answered with %T", reply)
}

// decodeReply fills the response that the caller of the request waits with,
// and returns the term in it, 0 when there is none. A malformed reply leaves
// the response as it was.
func decodeReply(body []byte, reply any) (uint64, error) {
	d := decoder{b: body}
	switch r := reply.(type) {
	case *raft.AppendEntriesResponse:
		got := raft.AppendEntriesResponse{
			Term: d.uvarint(), LastLog: d.uvarint(), Success: d.boolean(), NoRetryBackoff: d.boolean(),
		}
		return finishReply(&d, r, got, got.Term)
	case *raft.RequestVoteResponse:
		got := raft.RequestVoteResponse{Term: d.uvarint(), Granted: d.boolean(), Peers: append([]byte(nil), d.bytes()...)}
		return finishReply(&d, r, got, got.Term)
	case *raft.RequestPreVoteResponse:
		got := raft.RequestPreVoteResponse{Term: d.uvarint(), Granted: d.boolean()}
		return finishReply(&d, r, got, 0)
	case *raft.InstallSnapshotResponse:
		got := raft.InstallSnapshotResponse{Term: d.uvarint(), Success: d.boolean()}
		return finishReply(&d, r, got, got.Term)
	case *raft.TimeoutNowResponse:
		return finishReply(&d, r, raft.TimeoutNowResponse{}, 0)
	}
	return 0, fmt.Errorf("no reply is decoded into %T", reply)
}

func finishReply[R any](d *decoder, into *R, got R, term uint64) (uint64, error) {
	if err := d.end(); err != nil {
		return 0, err
	}
	*into = got
	return term, nil
}

func appendFailure(b []byte, err error) []byte {
	text := err.Error()
	b = append(b, byte(codeOf(err)))
	return append(b, text[:min(len(text), maxErrorText)]...)
}

// decodeFailure returns the error that travelled.
func decodeFailure(body []byte) error {
	if len(body) == 0 {
		return ErrMalformed
	}
	return errorOf(failureCode(body[0]), string(body[1:]))
}

func appendInstall(b []byte, group uint32, r *raft.InstallSnapshotRequest, dialer NodeID) []byte {
	b = binary.BigEndian.AppendUint32(b, group)
	b = appendHeader(b, &r.RPCHeader, dialer)
	b = append(b, byte(r.SnapshotVersion)) //nolint:gosec // 0 or 1.
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	b = binary.AppendUvarint(b, r.LastLogTerm)
	b = appendBytes(b, r.Peers)
	b = appendBytes(b, r.Configuration)
	b = binary.AppendUvarint(b, r.ConfigurationIndex)
	return binary.AppendUvarint(b, uint64(r.Size)) //nolint:gosec // Sizes are not negative; the receiver checks.
}

// decodeInstall copies: the body is reused and Raft keeps the request.
func decodeInstall(body, dialer []byte) (uint32, *raft.InstallSnapshotRequest, error) {
	d := decoder{b: append([]byte(nil), body...)}
	group := d.uint32()
	r := &raft.InstallSnapshotRequest{
		RPCHeader: d.header(dialer), SnapshotVersion: raft.SnapshotVersion(d.byte()),
		Term:         d.uvarint(),
		LastLogIndex: d.uvarint(), LastLogTerm: d.uvarint(),
		Peers: d.bytes(), Configuration: d.bytes(), ConfigurationIndex: d.uvarint(),
	}
	size := d.uvarint()
	if size > math.MaxInt64 {
		d.fail()
	}
	r.Size = int64(size) //nolint:gosec // Just checked.
	return group, r, d.end()
}
