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
	TypeListen                  // listen: client to server.
	TypeUnlisten                // unlisten: client to server.
	TypeBroadcast               // broadcast: client to server.

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
	opening string // as a JSON object begins, the name in it
	side    Side
}

func (i *typeInfo) name() string { return i.opening[len(`{"type":"`) : len(i.opening)-len(`"`)] }

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var types = [TypeCount]typeInfo{
	TypeUnknown:     {`{"type":"unknown"`, 0},
	TypeHello:       {`{"type":"hello"`, FromClient},
	TypeWelcome:     {`{"type":"welcome"`, FromServer},
	TypeReady:       {`{"type":"ready"`, FromClient},
	TypeBye:         {`{"type":"bye"`, fromBoth},
	TypePing:        {`{"type":"ping"`, fromBoth},
	TypePong:        {`{"type":"pong"`, fromBoth},
	TypeAuth:        {`{"type":"auth"`, FromClient},
	TypePublish:     {`{"type":"publish"`, FromClient},
	TypeOK:          {`{"type":"ok"`, FromServer},
	TypeError:       {`{"type":"error"`, FromServer},
	TypeNotify:      {`{"type":"notify"`, FromServer},
	TypeAck:         {`{"type":"ack"`, FromClient},
	TypeGap:         {`{"type":"gap"`, FromServer},
	TypeSynced:      {`{"type":"synced"`, FromServer},
	TypeSubscribe:   {`{"type":"subscribe"`, FromClient},
	TypeCredit:      {`{"type":"credit"`, FromClient},
	TypeJob:         {`{"type":"job"`, FromServer},
	TypeRenew:       {`{"type":"renew"`, FromClient},
	TypeRenewed:     {`{"type":"renewed"`, FromServer},
	TypeComplete:    {`{"type":"complete"`, FromClient},
	TypeFail:        {`{"type":"fail"`, FromClient},
	TypeRelease:     {`{"type":"release"`, FromClient},
	TypePark:        {`{"type":"park"`, FromClient},
	TypeCancel:      {`{"type":"cancel"`, fromBoth},
	TypeUnsubscribe: {`{"type":"unsubscribe"`, FromClient},
	TypeFollow:      {`{"type":"follow"`, FromClient},
	TypeEvent:       {`{"type":"event"`, FromServer},
	TypeCommit:      {`{"type":"commit"`, FromClient},
	TypeChunk:       {`{"type":"chunk"`, fromBoth},
	TypeReset:       {`{"type":"reset"`, FromServer},
	TypeRead:        {`{"type":"read"`, FromClient},
	TypeCheckpoint:  {`{"type":"checkpoint"`, FromClient},
	TypeListen:      {`{"type":"listen"`, FromClient},
	TypeUnlisten:    {`{"type":"unlisten"`, FromClient},
	TypeBroadcast:   {`{"type":"broadcast"`, FromClient},
}

// String is the type's name on the wire.
func (t Type) String() string {
	if t >= TypeCount {
		t = TypeUnknown
	}
	return types[t].name()
}

// SentBy says whether a side may send messages of this type.
func (t Type) SentBy(side Side) bool { return t < TypeCount && types[t].side&side != 0 }

// numbered is the field that stands in a record's header: the number that tells
// messages of the type apart.
func (t Type) numbered() uint8 {
	switch t { //nolint:exhaustive // the others are requests and their answers
	case TypeNotify, TypeAck, TypeSynced:
		return fieldSeq
	default:
		return fieldID
	}
}

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
	case "listen":
		return TypeListen
	case "unlisten":
		return TypeUnlisten
	case "broadcast":
		return TypeBroadcast
	default:
		return TypeUnknown
	}
}
