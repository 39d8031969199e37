package members

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// rowName is the name of this package's only row in LocalStore.
const rowName = "members.formation"

const rowVersion = 1

// standing is where a node stands on its way into a cluster.
type standing byte

const (
	// free: bound to nothing.
	free standing = 1 + iota
	// promised: bound to one set until its coordinator decides or gives up.
	promised
	// formed: a member of a cluster, for good.
	formed
)

// promise is one set of founders and the number its coordinator gave the try.
type promise struct {
	attempt uint64
	// members are sorted by ID; the first one coordinates.
	members []command.Member
}

func (p *promise) coordinator() *command.Member { return &p.members[0] }

// row is everything a node remembers of founding and joining.
//
//	version byte (1) | standing byte | owner | last attempt |
//	promised: attempt, members
//	formed: founding byte, announced byte, formation
type row struct {
	standing standing
	// owner is the node's ID: data of another node is refused.
	owner string
	// attempt is the highest number this node has given to a try of its own. It
	// never goes back, whatever the standing.
	attempt uint64
	promise promise
	// founding tells whether the formation was this node's own promise.
	founding bool
	// announced is set by a coordinator when every founder has the decision.
	announced bool
	formation Formation
}

func (w *row) encode() []byte {
	dst := command.AppendString([]byte{rowVersion, byte(w.standing)}, w.owner)
	dst = command.AppendUint(dst, w.attempt)
	switch w.standing {
	case free:
	case promised:
		dst = appendMembers(command.AppendUint(dst, w.promise.attempt), w.promise.members)
	case formed:
		dst = command.AppendBool(command.AppendBool(dst, w.founding), w.announced)
		dst = w.formation.Append(dst)
	}
	return dst
}

func decodeRow(record []byte) (row, error) {
	if len(record) == 0 || record[0] != rowVersion {
		return row{}, ErrVersion
	}
	r := command.NewReader(record[1:])
	w := row{standing: standing(r.Byte()), owner: r.String(), attempt: r.Uint()}
	switch w.standing {
	case free:
	case promised:
		w.promise = promise{attempt: r.Uint(), members: readMembers(&r)}
		if r.Err() == nil && !hasMember(w.promise.members, w.owner) {
			return row{}, fmt.Errorf("%w: a promise of a set without its owner", ErrMalformed)
		}
	case formed:
		w.founding, w.announced = r.Bool(), r.Bool()
		w.formation = readFormation(&r)
		if err := w.formation.check(); r.Err() == nil && err != nil {
			return row{}, err
		}
	default:
		return row{}, fmt.Errorf("%w: standing %d", ErrMalformed, w.standing)
	}
	return w, readerError(&r)
}
