package wire

// Type says what a message is. The set is closed, and the numbers are for good:
// the binary encoding writes them.
type Type uint8

// The message types, in the order of the page in doc.go.
const (
	TypeUnknown     Type = iota // No type: the zero Message.
	TypeHello                   // hello: client to server.
	TypeWelcome                 // welcome: server to client.
	TypeReady                   // ready: client to server.
	TypeBye                     // bye: both ways.
	TypePing                    // ping: both ways.
	TypePong                    // pong: both ways.
	TypeAuth                    // auth: client to server.
	TypePublish                 // publish: client to server.
	TypeOK                      // ok: server to client.
	TypeError                   // error: server to client.
	TypeNotify                  // notify: server to client.
	TypeAck                     // ack: client to server.
	TypeGap                     // gap: server to client.
	TypeSynced                  // synced: server to client.
	TypeSubscribe               // subscribe: client to server.
	TypeCredit                  // credit: client to server.
	TypeJob                     // job: server to client.
	TypeRenew                   // renew: client to server.
	TypeRenewed                 // renewed: server to client.
	TypeComplete                // complete: client to server.
	TypeFail                    // fail: client to server.
	TypeRelease                 // release: client to server.
	TypePark                    // park: client to server.
	TypeCancel                  // cancel: both ways.
	TypeUnsubscribe             // unsubscribe: client to server.
	TypeFollow                  // follow: client to server.
	TypeEvent                   // event: server to client.
	TypeCommit                  // commit: client to server.
	TypeChunk                   // chunk: both ways.
	TypeReset                   // reset: server to client.
	TypeRead                    // read: client to server.
	TypeCheckpoint              // checkpoint: client to server.

	// TypeCount is how many types there are, TypeUnknown among them.
	TypeCount = iota
)

// Side is who writes the messages that a Decoder reads.
type Side uint8

// The two sides of a connection.
const (
	FromClient Side = 1 << iota // The gateway decodes these.
	FromServer                  // A client decodes these.

	fromBoth = FromClient | FromServer
)

type typeInfo struct {
	name string
	side Side
}

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var types = [TypeCount]typeInfo{
	TypeUnknown:     {"unknown", 0},
	TypeHello:       {"hello", FromClient},
	TypeWelcome:     {"welcome", FromServer},
	TypeReady:       {"ready", FromClient},
	TypeBye:         {"bye", fromBoth},
	TypePing:        {"ping", fromBoth},
	TypePong:        {"pong", fromBoth},
	TypeAuth:        {"auth", FromClient},
	TypePublish:     {"publish", FromClient},
	TypeOK:          {"ok", FromServer},
	TypeError:       {"error", FromServer},
	TypeNotify:      {"notify", FromServer},
	TypeAck:         {"ack", FromClient},
	TypeGap:         {"gap", FromServer},
	TypeSynced:      {"synced", FromServer},
	TypeSubscribe:   {"subscribe", FromClient},
	TypeCredit:      {"credit", FromClient},
	TypeJob:         {"job", FromServer},
	TypeRenew:       {"renew", FromClient},
	TypeRenewed:     {"renewed", FromServer},
	TypeComplete:    {"complete", FromClient},
	TypeFail:        {"fail", FromClient},
	TypeRelease:     {"release", FromClient},
	TypePark:        {"park", FromClient},
	TypeCancel:      {"cancel", fromBoth},
	TypeUnsubscribe: {"unsubscribe", FromClient},
	TypeFollow:      {"follow", FromClient},
	TypeEvent:       {"event", FromServer},
	TypeCommit:      {"commit", FromClient},
	TypeChunk:       {"chunk", fromBoth},
	TypeReset:       {"reset", FromServer},
	TypeRead:        {"read", FromClient},
	TypeCheckpoint:  {"checkpoint", FromClient},
}

// String is the type's name on the wire.
func (t Type) String() string {
	if t >= TypeCount {
		return types[TypeUnknown].name
	}
	return types[t].name
}

// SentBy says whether a side may send messages of this type.
func (t Type) SentBy(side Side) bool { return t < TypeCount && types[t].side&side != 0 }

// typeOf is the type of a name, TypeUnknown if there is none.
//
//nolint:revive,funlen // one flat switch: the compiler makes a binary search of it
func typeOf(name []byte) Type {
	switch string(name) {
	case "hello":
		return TypeHello
	case "welcome":
		return TypeWelcome
	case "ready":
		return TypeReady
	case "bye":
		return TypeBye
	case "ping":
		return TypePing
	case "pong":
		return TypePong
	case "auth":
		return TypeAuth
	case "publish":
		return TypePublish
	case "ok":
		return TypeOK
	case "error":
		return TypeError
	case "notify":
		return TypeNotify
	case "ack":
		return TypeAck
	case "gap":
		return TypeGap
	case "synced":
		return TypeSynced
	case "subscribe":
		return TypeSubscribe
	case "credit":
		return TypeCredit
	case "job":
		return TypeJob
	case "renew":
		return TypeRenew
	case "renewed":
		return TypeRenewed
	case "complete":
		return TypeComplete
	case "fail":
		return TypeFail
	case "release":
		return TypeRelease
	case "park":
		return TypePark
	case "cancel":
		return TypeCancel
	case "unsubscribe":
		return TypeUnsubscribe
	case "follow":
		return TypeFollow
	case "event":
		return TypeEvent
	case "commit":
		return TypeCommit
	case "chunk":
		return TypeChunk
	case "reset":
		return TypeReset
	case "read":
		return TypeRead
	case "checkpoint":
		return TypeCheckpoint
	default:
		return TypeUnknown
	}
}
