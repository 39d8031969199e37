package transport

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The greeting, big endian. Neither side sends anything else before the reply.
//
//	dialing side                      accepting side
//	0  4  magic "BTN\x01"             0  4  magic "BTN\x01"
//	4  1  protocol version, 1         4  1  protocol version, 1
//	5  1  kind of connection          5  1  0 accepted, else a Refusal
//	6  2  length of what follows      6  2  length of what follows
//	8  8  sender's incarnation        8  8  its incarnation
//	   1+n cluster id                    1+n cluster id
//	   1+n sender's id                   1+n its id
//	   1+n id expected here, or ""       2+n message, when refused
const (
	greetingMagic   = "BTN\x01"
	protocolVersion = 1
	greetingHead    = 8
)

// connKind says what a connection carries.
type connKind byte

const (
	kindRaft connKind = iota + 1
	kindSnapshot
	kindLink
	kindCall
	kindChunks
)

func (k connKind) String() string {
	switch k {
	case kindRaft:
		return "raft"
	case kindSnapshot:
		return "snapshot"
	case kindLink:
		return "link"
	case kindCall:
		return "call"
	case kindChunks:
		return "chunks"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// Refusal is why a greeting was refused. Values are part of the protocol.
type Refusal byte

// The reasons.
const (
	RefusedVersion      Refusal = iota + 1 // a protocol version this node does not speak
	RefusedKind                            // a kind of connection this node does not serve
	RefusedCluster                         // another cluster
	RefusedNotFormed                       // one of the two belongs to no cluster yet
	RefusedReceiver                        // the address now belongs to another node
	RefusedNotPeer                         // a link from a node that is not a peer here (yet)
	RefusedUnavailable                     // closing, or busy
	RefusedNotOurDialer                    // a link that this side should have dialed
)

// String names the reason.
func (r Refusal) String() string {
	names := [...]string{
		"", "version", "kind", "cluster", "not formed", "receiver", "not a peer", "unavailable", "wrong dialer",
	}
	if int(r) < len(names) && r > 0 {
		return names[r]
	}
	return fmt.Sprintf("reason %d", byte(r))
}

type greeting struct {
	kind        connKind
	incarnation uint64
	cluster     string
	sender      NodeID
	receiver    NodeID
}

type greetingReply struct {
	refusal     Refusal
	incarnation uint64
	cluster     string
	receiver    NodeID
	message     string
}

func (g *greeting) encode() []byte {
	b := appendGreetingHead(byte(g.kind))
	b = binary.BigEndian.AppendUint64(b, g.incarnation)
	b = appendShort(b, g.cluster)
	b = appendShort(b, string(g.sender))
	b = appendShort(b, string(g.receiver))
	return endGreeting(b)
}

func (g *greetingReply) encode() []byte {
	b := appendGreetingHead(byte(g.refusal))
	b = binary.BigEndian.AppendUint64(b, g.incarnation)
	b = appendShort(b, g.cluster)
	b = appendShort(b, string(g.receiver))
	message := g.message[:min(len(g.message), maxErrorText)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(message))) //nolint:gosec // At most maxErrorText.
	b = append(b, message...)
	return endGreeting(b)
}

func appendGreetingHead(what byte) []byte {
	return append([]byte(greetingMagic), protocolVersion, what, 0, 0)
}

func endGreeting(b []byte) []byte {
	binary.BigEndian.PutUint16(b[6:], uint16(len(b)-greetingHead)) //nolint:gosec // Four short strings.
	return b
}

func appendShort(b []byte, s string) []byte {
	s = s[:min(len(s), MaxIdentity)]
	return append(append(b, byte(len(s))), s...) //nolint:gosec // At most MaxIdentity.
}

// readGreeting returns the byte after the version and the rest. It reads no
// byte more than the greeting: what follows belongs to another reader.
func readGreeting(r io.Reader) (what byte, rest []byte, err error) {
	var head [greetingHead]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("reading a greeting: %w", err)
	}
	if string(head[:4]) != greetingMagic {
		return 0, nil, fmt.Errorf("%w: not a greeting", ErrMalformed)
	}
	size := int(binary.BigEndian.Uint16(head[6:]))
	if size > maxGreetingRest {
		return 0, nil, fmt.Errorf("greeting of %d bytes: %w", size, ErrFrameTooLarge)
	}
	rest = make([]byte, size)
	if _, err = io.ReadFull(r, rest); err != nil {
		return 0, nil, fmt.Errorf("reading a greeting: %w", err)
	}
	if head[4] != protocolVersion {
		return 0, nil, &RefusedError{
			Reason: RefusedVersion, Message: fmt.Sprintf("protocol version %d, want %d", head[4], protocolVersion),
		}
	}
	return head[5], rest, nil
}

func decodeGreeting(what byte, rest []byte) (greeting, error) {
	d := decoder{b: rest}
	g := greeting{kind: connKind(what), incarnation: d.uint64()}
	g.cluster = d.short()
	g.sender = NodeID(d.short())
	g.receiver = NodeID(d.short())
	if g.sender == "" {
		d.fail()
	}
	return g, d.end()
}

func decodeGreetingReply(what byte, rest []byte) (greetingReply, error) {
	d := decoder{b: rest}
	g := greetingReply{refusal: Refusal(what), incarnation: d.uint64()}
	g.cluster = d.short()
	g.receiver = NodeID(d.short())
	g.message = string(d.take(int(d.uint16())))
	return g, d.end()
}
