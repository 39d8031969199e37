package members

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
)

// Errors of decoding.
var (
	// ErrMalformed is returned for a message or row that does not decode.
	ErrMalformed = errors.New("members: malformed record")
	// ErrVersion is returned for a message or row of a version made later.
	ErrVersion = errors.New("members: record of an unknown version")
)

// Formation is what a cluster is made of: the founding decision.
//
//	version byte (1) | cluster id | partitions | replicas | lease key | count | members
//
// Integers are uvarints, texts and keys a length and their bytes.
type Formation struct {
	// ClusterID is 16 hexadecimal characters.
	ClusterID  string
	Partitions uint32
	Replicas   uint32
	// LeaseKey authenticates lease tokens; 32 bytes. Never log it.
	LeaseKey []byte
	// Members are the founders, by ID, smallest first; for an admitted node,
	// whatever its cluster's Admit returned.
	Members []command.Member
}

const formationVersion = 1

// Append appends the encoded formation.
func (f *Formation) Append(dst []byte) []byte {
	dst = command.AppendString(append(dst, formationVersion), f.ClusterID)
	dst = command.AppendUint(dst, uint64(f.Partitions))
	dst = command.AppendUint(dst, uint64(f.Replicas))
	dst = command.AppendString(dst, f.LeaseKey)
	return appendMembers(dst, f.Members)
}

// DecodeFormation reads what Append wrote.
func DecodeFormation(record []byte) (Formation, error) {
	if len(record) > 0 && record[0] != formationVersion {
		return Formation{}, fmt.Errorf("%w: %d", ErrVersion, record[0])
	}
	r := command.NewReader(record)
	f := readFormation(&r)
	if err := readerError(&r); err != nil {
		return Formation{}, err
	}
	return f, f.check()
}

func readFormation(r *command.Reader) Formation {
	if version := r.Byte(); version != formationVersion {
		return Formation{} // Without a cluster id it is refused by every reader.
	}
	return Formation{
		ClusterID:  r.String(),
		Partitions: uint32(r.Uint()), //nolint:gosec // A founder's own numbers; check bounds them.
		Replicas:   uint32(r.Uint()), //nolint:gosec // As above.
		LeaseKey:   slices.Clone(r.Bytes()),
		Members:    readMembers(r),
	}
}

// check refuses a formation that no coordinator can have decided.
func (f *Formation) check() error {
	switch {
	case f.ClusterID == "" || len(f.ClusterID) > maxClusterID:
		return fmt.Errorf("%w: cluster id of %d bytes", ErrMalformed, len(f.ClusterID))
	case f.Partitions == 0 || f.Replicas == 0 || len(f.LeaseKey) > MaxText:
		return fmt.Errorf("%w: %d partitions, %d replicas", ErrMalformed, f.Partitions, f.Replicas)
	}
	return nil
}

// public is the formation without its secret.
func (f *Formation) public() Formation {
	public := *f
	public.LeaseKey = nil
	return public
}

func appendMembers(dst []byte, list []command.Member) []byte {
	dst = command.AppendUint(dst, uint64(len(list)))
	for i := range list {
		dst = command.AppendMember(dst, &list[i])
	}
	return dst
}

func readMembers(r *command.Reader) []command.Member {
	list := make([]command.Member, 0, 4)
	for range r.Count(command.MaxMembers) {
		list = append(list, r.Member())
	}
	return list
}

func readerError(r *command.Reader) error {
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// sameSet tells whether both lists name the same nodes; both are sorted by ID.
func sameSet(a, b []command.Member) bool {
	return slices.EqualFunc(a, b, func(x, y command.Member) bool { return x.ID == y.ID })
}

func hasMember(list []command.Member, id string) bool {
	return slices.ContainsFunc(list, func(m command.Member) bool { return m.ID == id })
}

func sortMembers(list []command.Member) {
	slices.SortFunc(list, func(a, b command.Member) int { return strings.Compare(a.ID, b.ID) })
}

func memberNames(list []command.Member) string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return strings.Join(names, ", ")
}
