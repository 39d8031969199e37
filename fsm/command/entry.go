package command

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// EntryVersion is the only entry format there is so far.
	EntryVersion = 1
	// MaxEntryCommands is how many commands one Raft entry carries at most.
	MaxEntryCommands = 512
	// MaxEntryBytes is the size at which the batcher closes an entry. One
	// command may be larger than this: then it travels alone.
	MaxEntryBytes = 256 << 10
	// MaxOffers is how many credit offers one header carries at most.
	MaxOffers = 512
)

// ErrVersion is returned for an entry written by a newer format.
var ErrVersion = errors.New("command: entry version is not known")

// Offer is credit that a worker's subscription lends to one entry: apply may
// grant it up to Credit jobs of the channel and group.
type Offer struct {
	Channel string
	Group   string
	// Tenant limits the offer to one tenant's events; empty means all.
	Tenant string
	// Node is the member whose gateway holds the worker's socket.
	Node string
	// Worker is the name the worker gave itself, for the lineage.
	Worker string
	// Session names the worker's subscription on Node, and Subscription which of
	// its registrations the credit is of.
	Session      uint64
	Subscription uint32
	// LeaseMS is the lease the worker asked for, 0 for the channel's.
	LeaseMS uint32
	// Credit is how many jobs may be granted.
	Credit uint32
}

// Header is what the leader says about an entry as a whole.
type Header struct {
	// Epoch is the group's epoch.
	Epoch uint32
	// SlotMap is the version of the slot map the leader goes by.
	SlotMap uint32
	// Generation is the leadership the entry was written under, 0 before its
	// LeaderStart is applied. Offers of an older one are void.
	Generation uint64
	// TimeMS is the leader's time; apply never lets the state's time go back.
	TimeMS int64
	// CheckIndex and CheckChain are the chain hash after an earlier entry, as
	// the leader has it; 0 means none.
	CheckIndex uint64
	CheckChain uint64
	// Offers is the credit the leader lends to this entry.
	Offers []Offer
}

// AppendHeader appends version and header; AppendCommand and a count follow.
func AppendHeader(dst []byte, h *Header) []byte {
	dst = append(dst, EntryVersion)
	dst = AppendUint(dst, uint64(h.Epoch))
	dst = AppendUint(dst, h.Generation)
	dst = AppendInt(dst, h.TimeMS)
	dst = AppendUint(dst, uint64(h.SlotMap))
	dst = AppendUint(dst, h.CheckIndex)
	dst = binary.LittleEndian.AppendUint64(dst, h.CheckChain)
	dst = AppendUint(dst, uint64(len(h.Offers)))
	for i := range h.Offers {
		dst = AppendOffer(dst, &h.Offers[i])
	}
	return dst
}

// AppendOffer appends one offer.
func AppendOffer(dst []byte, o *Offer) []byte {
	dst = AppendString(dst, o.Channel)
	dst = AppendString(dst, o.Group)
	dst = AppendString(dst, o.Tenant)
	dst = AppendString(dst, o.Node)
	dst = AppendString(dst, o.Worker)
	dst = AppendUint(dst, o.Session)
	dst = AppendUint(dst, uint64(o.Subscription))
	dst = AppendUint(dst, uint64(o.LeaseMS))
	return AppendUint(dst, uint64(o.Credit))
}

// AppendEntry appends a whole entry: header, count and encoded commands.
func AppendEntry(dst []byte, h *Header, commands [][]byte) []byte {
	dst = AppendHeader(dst, h)
	dst = AppendUint(dst, uint64(len(commands)))
	for _, encoded := range commands {
		dst = AppendString(dst, encoded)
	}
	return dst
}

// Entry is a decoded entry. Commands alias the log's bytes.
type Entry struct {
	Header

	Commands [][]byte
}

// Decode reads an entry into e, reusing its slices. It fails with ErrVersion,
// ErrTruncated or ErrOversized.
func (e *Entry) Decode(data []byte) error {
	r := NewReader(data)
	if version := r.Byte(); version != EntryVersion {
		return fmt.Errorf("%w: %d", ErrVersion, version)
	}
	e.Epoch = r.Uint32()
	e.Generation = r.Uint()
	e.TimeMS = r.Int()
	e.SlotMap = r.Uint32()
	e.CheckIndex = r.Uint()
	e.CheckChain = r.Uint64()
	e.Offers = e.Offers[:0]
	for range r.Count(MaxOffers) {
		e.Offers = append(e.Offers, r.offer())
	}
	e.Commands = e.Commands[:0]
	for range r.Count(MaxEntryCommands) {
		e.Commands = append(e.Commands, r.Bytes())
	}
	if err := r.Err(); err != nil {
		return err
	}
	if len(r.Rest()) != 0 {
		return fmt.Errorf("%w: %d bytes behind the last command", ErrOversized, len(r.Rest()))
	}
	return nil
}

func (r *Reader) offer() Offer {
	var o Offer
	r.texts(&o.Channel, &o.Group, &o.Tenant, &o.Node, &o.Worker)
	o.Session = r.Uint()
	o.Subscription, o.LeaseMS, o.Credit = r.Uint32(), r.Uint32(), r.Uint32()
	return o
}
