package transport

import (
	"encoding/binary"
	"time"

	"github.com/hashicorp/raft"
)

// The Raft requests and replies. Fixed numbers are big endian; v is an
// unsigned varint; bytes is v and that many bytes; a boolean is 0 or 1.
//
//	request   8 request id | 4 group | header | fields
//	reply     8 request id | fields
//	failure   8 request id | 1 failureCode | text to the end
//
//	header    1 protocol version | name ID | name Addr
//	name      0: empty | 1: the id of the connection's dialer | 2, bytes: other
//
//	append    v term | v previous index | v previous term
//	          v commit index | v count | entries
//	entry     v index | v term | 1 type | 8 appended at, Unix ns, 0: unknown
//	          bytes data | bytes extensions
//	heartbeat v term
//	vote      v term | v last index | v last term | 1 transfer
//	pre-vote  v term | v last index | v last term
//	timeout   v term of the leader, 0: unknown
//	install   1 snapshot version | v term | v last index
//	          v last term | bytes peers | bytes configuration
//	          v configuration index | v size
//	          (as a frame of its own, without a request id: 4 group first)
//
//	append reply    v term | v last log | 1 success | 1 no retry backoff
//	vote reply      v term | 1 granted | bytes peers
//	pre-vote reply  v term | 1 granted
//	timeout reply   (nothing)
//	install reply   1 ok: 0, then a failure without id; 1, then v term | 1 success
//
// Replies carry no header: hashicorp/raft reads none. Leader and Candidate, which
// the library still fills and reads when a header is empty, do not travel.
const requestHead = 12

const (
	nameEmpty  = 0
	nameDialer = 1
	nameOther  = 2
)

func appendRequestHead(b []byte, id uint64, group uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, id)
	return binary.BigEndian.AppendUint32(b, group)
}

func appendBytes(b, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

//nolint:revive // The flag is the value that is written.
func appendBool(b []byte, value bool) []byte {
	if value {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendName(b, name []byte, dialer NodeID) []byte {
	switch {
	case len(name) == 0:
		return append(b, nameEmpty)
	case string(name) == string(dialer):
		return append(b, nameDialer)
	}
	return appendBytes(append(b, nameOther), name)
}

// name copies: what it returns may outlive the body.
func (d *decoder) name(dialer []byte) []byte {
	switch d.byte() {
	case nameEmpty:
		return nil
	case nameDialer:
		return dialer
	case nameOther:
		return append([]byte(nil), d.bytes()...)
	}
	d.fail()
	return nil
}

func appendHeader(b []byte, h *raft.RPCHeader, dialer NodeID) []byte {
	b = append(b, byte(h.ProtocolVersion)) //nolint:gosec // 0 to 3.
	b = appendName(b, h.ID, dialer)
	return appendName(b, h.Addr, dialer)
}

func (d *decoder) header(dialer []byte) raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersion(d.byte()), ID: d.name(dialer), Addr: d.name(dialer),
	}
}

func appendAppend(b []byte, r *raft.AppendEntriesRequest, dialer NodeID) []byte {
	b = appendHeader(b, &r.RPCHeader, dialer)
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.PrevLogEntry)
	b = binary.AppendUvarint(b, r.PrevLogTerm)
	b = binary.AppendUvarint(b, r.LeaderCommitIndex)
	b = binary.AppendUvarint(b, uint64(len(r.Entries)))
	for _, entry := range r.Entries {
		b = binary.AppendUvarint(b, entry.Index)
		b = binary.AppendUvarint(b, entry.Term)
		b = append(b, byte(entry.Type))
		b = binary.BigEndian.AppendUint64(b, unixNanos(entry.AppendedAt))
		b = appendBytes(b, entry.Data)
		b = appendBytes(b, entry.Extensions)
	}
	return b
}

// appendSize is an upper bound of an append's body, entries included.
func appendSize(r *raft.AppendEntriesRequest) int {
	size := requestHead + 64 + len(r.ID) + len(r.Addr)
	for _, entry := range r.Entries {
		size += entrySize(entry)
	}
	return size
}

func entrySize(entry *raft.Log) int { return 40 + len(entry.Data) + len(entry.Extensions) }

// appendEntries aliases the body in the entries, one allocation for all of
// them, so the body must be the caller's to give away.
func (d *decoder) appendEntries(dialer []byte) *raft.AppendEntriesRequest {
	r := &raft.AppendEntriesRequest{RPCHeader: d.header(dialer)}
	r.Term = d.uvarint()
	r.PrevLogEntry = d.uvarint()
	r.PrevLogTerm = d.uvarint()
	r.LeaderCommitIndex = d.uvarint()
	count := d.uvarint()
	const smallestEntry = 13
	if count > maxEntries || count > uint64(len(d.b)/smallestEntry) {
		d.fail()
		return r
	}
	if count == 0 {
		return r
	}
	logs := make([]raft.Log, count)
	r.Entries = make([]*raft.Log, count)
	for i := range logs {
		entry := &logs[i]
		entry.Index = d.uvarint()
		entry.Term = d.uvarint()
		entry.Type = raft.LogType(d.byte())
		entry.AppendedAt = timeOf(d.uint64())
		entry.Data = d.bytes()
		entry.Extensions = d.bytes()
		r.Entries[i] = entry
	}
	return r
}

func unixNanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

func timeOf(nanos uint64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanos)) //nolint:gosec // The bits, not the value.
}

// isHeartbeat is the library's own rule (its network transport's handleCommand),
// for requests with a header, which are all that are sent since protocol version 3.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return r.Term != 0 && len(r.Addr) != 0 &&
		r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && len(r.Entries) == 0 && r.LeaderCommitIndex == 0
}

func appendHeartbeat(b []byte, r *raft.AppendEntriesRequest, dialer NodeID) []byte {
	b = appendHeader(b, &r.RPCHeader, dialer)
	return binary.AppendUvarint(b, r.Term)
}

func (d *decoder) heartbeat(dialer []byte) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{RPCHeader: d.header(dialer), Term: d.uvarint()}
}

func appendVote(b []byte, r *raft.RequestVoteRequest, dialer NodeID) []byte {
	b = appendHeader(b, &r.RPCHeader, dialer)
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	b = binary.AppendUvarint(b, r.LastLogTerm)
	return appendBool(b, r.LeadershipTransfer)
}

func (d *decoder) vote(dialer []byte) *raft.RequestVoteRequest {
	return &raft.RequestVoteRequest{
		RPCHeader: d.header(dialer), Term: d.uvarint(),
		LastLogIndex: d.uvarint(), LastLogTerm: d.uvarint(), LeadershipTransfer: d.boolean(),
	}
}

func appendPreVote(b []byte, r *raft.RequestPreVoteRequest, dialer NodeID) []byte {
	b = appendHeader(b, &r.RPCHeader, dialer)
	b = binary.AppendUvarint(b, r.Term)
	b = binary.AppendUvarint(b, r.LastLogIndex)
	return binary.AppendUvarint(b, r.LastLogTerm)
}

func (d *decoder) preVote(dialer []byte) *raft.RequestPreVoteRequest {
	return &raft.RequestPreVoteRequest{
		RPCHeader: d.header(dialer), Term: d.uvarint(), LastLogIndex: d.uvarint(), LastLogTerm: d.uvarint(),
	}
}

func appendTimeoutNow(b []byte, r *raft.TimeoutNowRequest, term uint64, dialer NodeID) []byte {
	b = appendHeader(b, &r.RPCHeader, dialer)
	return binary.AppendUvarint(b, term)
}

func (d *decoder) timeoutNow(dialer []byte) (*raft.TimeoutNowRequest, uint64) {
	return &raft.TimeoutNowRequest{RPCHeader: d.header(dialer)}, d.uvarint()
}
