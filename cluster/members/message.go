package members

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// RequestMark is the first byte of every request that Serve understands.
const RequestMark = 'F'

const messageVersion = 1

type requestKind byte

const (
	// askPromise: promise to found exactly this set with me. attempt, members.
	askPromise requestKind = 1 + iota
	// askState: what became of that attempt? coordinator, attempt.
	askState
	// tellDecision: this is our cluster. formation.
	tellDecision
	// askJoin: admit me. cluster id, member.
	askJoin
)

// request is a question of one node to another.
//
//	mark byte 'F' | version byte (1) | kind byte | from id | to id | body
//
// The body is what stands behind the kind, above. from and to name incarnations:
// a node that listens where a wiped one did answers under its own id.
type request struct {
	kind        requestKind
	from, to    string
	coordinator string
	attempt     uint64
	members     []command.Member
	clusterID   string
	member      command.Member
	formation   Formation
}

func (q *request) encode() []byte {
	dst := []byte{RequestMark, messageVersion, byte(q.kind)}
	dst = command.AppendString(command.AppendString(dst, q.from), q.to)
	switch q.kind {
	case askPromise:
		dst = appendMembers(command.AppendUint(dst, q.attempt), q.members)
	case askState:
		dst = command.AppendUint(command.AppendString(dst, q.coordinator), q.attempt)
	case tellDecision:
		dst = q.formation.Append(dst)
	case askJoin:
		dst = command.AppendMember(command.AppendString(dst, q.clusterID), &q.member)
	}
	return dst
}

func decodeRequest(record []byte) (request, error) {
	switch {
	case len(record) < 3 || record[0] != RequestMark || len(record) > MaxMessage:
		return request{}, ErrMalformed
	case record[1] != messageVersion:
		return request{}, fmt.Errorf("%w: %d", ErrVersion, record[1])
	}
	r := command.NewReader(record[3:])
	q := request{kind: requestKind(record[2]), from: r.String(), to: r.String()}
	switch q.kind {
	case askPromise:
		q.attempt, q.members = r.Uint(), readMembers(&r)
	case askState:
		q.coordinator, q.attempt = r.String(), r.Uint()
	case tellDecision:
		q.formation = readFormation(&r)
	case askJoin:
		q.clusterID, q.member = r.String(), r.Member()
	default:
		return request{}, fmt.Errorf("%w: request kind %d", ErrMalformed, q.kind)
	}
	return q, readerError(&r)
}

type outcome byte

const (
	// gavePromise: durably bound to the attempt in question.
	gavePromise outcome = 1 + iota
	// refused: not now; text says why.
	refused
	// undecided: nothing has become of it yet.
	undecided
	// released: its coordinator will never decide it.
	released
	// belongs: the answering node is a member of a cluster. founding, formation.
	belongs
	// acknowledged: the decision is durable here.
	acknowledged
)

// reply answers a request.
//
//	version byte (1) | outcome byte | id of who answers | attempt | text | founding byte, formation
//
// The lease key is in the formation only for founders and for who was admitted.
type reply struct {
	outcome   outcome
	from      string
	attempt   uint64
	text      string
	founding  bool
	formation Formation
}

func (p *reply) encode() []byte {
	dst := command.AppendString([]byte{messageVersion, byte(p.outcome)}, p.from)
	dst = command.AppendString(command.AppendUint(dst, p.attempt), p.text)
	if p.outcome == belongs {
		dst = p.formation.Append(command.AppendBool(dst, p.founding))
	}
	return dst
}

func decodeReply(record []byte) (reply, error) {
	switch {
	case len(record) < 2 || len(record) > MaxMessage:
		return reply{}, ErrMalformed
	case record[0] != messageVersion:
		return reply{}, fmt.Errorf("%w: %d", ErrVersion, record[0])
	}
	r := command.NewReader(record[2:])
	p := reply{outcome: outcome(record[1]), from: r.String(), attempt: r.Uint(), text: r.String()}
	switch p.outcome {
	case gavePromise, refused, undecided, released, acknowledged:
	case belongs:
		p.founding, p.formation = r.Bool(), readFormation(&r)
		if err := p.formation.check(); r.Err() == nil && err != nil {
			return reply{}, err
		}
	default:
		return reply{}, fmt.Errorf("%w: outcome %d", ErrMalformed, p.outcome)
	}
	return p, readerError(&r)
}
