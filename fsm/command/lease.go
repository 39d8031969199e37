package command

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// ErrBadLease is returned for a token that is not one of this cluster's.
var ErrBadLease = errors.New("not a lease of this cluster")

// LeaseID names one grant of one event to one worker.
type LeaseID struct {
	// Event is the leased event.
	Event EventID
	// Group is the partition's interned consumer group.
	Group uint32
	// Attempt counts the grants of the event, from 1.
	Attempt uint32
	// Fence grows with every grant of the partition: a late acknowledgement
	// carries an old one and changes nothing.
	Fence uint64
}

// AppendLeaseID appends the id's numbers as uvarints.
func AppendLeaseID(dst []byte, id LeaseID) []byte {
	dst = appendEventID(dst, id.Event)
	dst = AppendUint(dst, uint64(id.Group))
	dst = AppendUint(dst, uint64(id.Attempt))
	return AppendUint(dst, id.Fence)
}

// LeaseID reads what AppendLeaseID wrote.
func (r *Reader) LeaseID() LeaseID {
	return LeaseID{
		Event:   r.EventID(),
		Group:   r.Uint32(),
		Attempt: r.Uint32(),
		Fence:   r.Uint(),
	}
}

const (
	leaseBodyBytes = 34
	leaseMACBytes  = 11
	// LeaseTokenLength is the length of a token's text, in bytes.
	LeaseTokenLength = 60
)

// AppendLeaseToken appends the token of id: 34 bytes of numbers and the first
// 11 of their HMAC-SHA256 under the cluster's key, in URL-safe base64.
func AppendLeaseToken(dst []byte, id LeaseID, key []byte) []byte {
	var raw [leaseBodyBytes + leaseMACBytes]byte
	binary.BigEndian.PutUint32(raw[0:], id.Event.Epoch)
	binary.BigEndian.PutUint16(raw[4:], id.Event.Partition)
	binary.BigEndian.PutUint32(raw[6:], id.Event.Queue)
	binary.BigEndian.PutUint64(raw[10:], id.Event.Position)
	binary.BigEndian.PutUint32(raw[18:], id.Group)
	binary.BigEndian.PutUint32(raw[22:], id.Attempt)
	binary.BigEndian.PutUint64(raw[26:], id.Fence)
	copy(raw[leaseBodyBytes:], leaseMAC(raw[:leaseBodyBytes], key))
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

// ParseLeaseToken reads a token and checks that it was made under key, or
// returns ErrBadLease.
func ParseLeaseToken(token, key []byte) (LeaseID, error) {
	if len(token) != LeaseTokenLength {
		return LeaseID{}, ErrBadLease
	}
	var raw [leaseBodyBytes + leaseMACBytes]byte
	if n, err := base64.RawURLEncoding.Decode(raw[:], token); err != nil || n != len(raw) {
		return LeaseID{}, ErrBadLease
	}
	if !hmac.Equal(raw[leaseBodyBytes:], leaseMAC(raw[:leaseBodyBytes], key)) {
		return LeaseID{}, ErrBadLease
	}
	return LeaseID{
		Event: EventID{
			Epoch:     binary.BigEndian.Uint32(raw[0:]),
			Partition: binary.BigEndian.Uint16(raw[4:]),
			Queue:     binary.BigEndian.Uint32(raw[6:]),
			Position:  binary.BigEndian.Uint64(raw[10:]),
		},
		Group:   binary.BigEndian.Uint32(raw[18:]),
		Attempt: binary.BigEndian.Uint32(raw[22:]),
		Fence:   binary.BigEndian.Uint64(raw[26:]),
	}, nil
}

func leaseMAC(body, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(body)
	return mac.Sum(nil)[:leaseMACBytes]
}
