package wire

// Message is any message of the protocol: Type says which of the structs is
// filled, the others hold what earlier messages left there. One Message is meant
// to be decoded into again and again, so that its slices are allocated once.
type Message struct {
	Type Type

	Hello       Hello
	Welcome     Welcome
	Ready       Ready
	Bye         Bye
	Ping        Ping
	Pong        Pong
	Auth        Auth
	Publish     Publish
	OK          OK
	Error       Error
	Notify      Notify
	Ack         Ack
	Gap         Gap
	Synced      Synced
	Subscribe   Subscribe
	Credit      Credit
	Job         Job
	Renew       Renew
	Renewed     Renewed
	Complete    Complete
	Fail        Fail
	Release     Release
	Park        Park
	Cancel      Cancel
	Unsubscribe Unsubscribe
	Follow      Follow
	Event       Event
	Commit      Commit
	Chunk       Chunk
	Reset       Reset
	Read        Read
	Checkpoint  Checkpoint
	Listen      Listen
	Unlisten    Unlisten
	Broadcast   Broadcast
}

// body is what every message, and every object inside one, can do for the
// Decoder. set consumes the value of one field; check looks at the whole.
type body interface {
	reset()
	set(d *Decoder, field uint8)
	check(d *Decoder)
}

// Append appends the message that Type names. A message without a type appends nothing.
//
//nolint:revive,funlen // one case per type
func (m *Message) Append(dst Buffer) Buffer {
	switch m.Type {
	case TypeHello:
		return AppendHello(dst, &m.Hello)
	case TypeWelcome:
		return AppendWelcome(dst, &m.Welcome)
	case TypeReady:
		return AppendReady(dst, &m.Ready)
	case TypeCheckpoint:
		return AppendCheckpoint(dst, &m.Checkpoint)
	case TypeListen:
		return AppendListen(dst, &m.Listen)
	case TypeUnlisten:
		return AppendUnlisten(dst, &m.Unlisten)
	case TypeBroadcast:
		return AppendBroadcast(dst, &m.Broadcast)
	case TypeBye:
		return AppendBye(dst, &m.Bye)
	case TypePing:
		return AppendPing(dst, &m.Ping)
	case TypePong:
		return AppendPong(dst, &m.Pong)
	case TypeAuth:
		return AppendAuth(dst, &m.Auth)
	case TypePublish:
		return AppendPublish(dst, &m.Publish)
	case TypeOK:
		return AppendOK(dst, &m.OK)
	case TypeError:
		return AppendError(dst, &m.Error)
	case TypeNotify:
		return AppendNotify(dst, &m.Notify)
	case TypeAck:
		return AppendAck(dst, &m.Ack)
	case TypeGap:
		return AppendGap(dst, &m.Gap)
	case TypeSynced:
		return AppendSynced(dst, &m.Synced)
	case TypeSubscribe:
		return AppendSubscribe(dst, &m.Subscribe)
	case TypeCredit:
		return AppendCredit(dst, &m.Credit)
	case TypeJob:
		return AppendJob(dst, &m.Job)
	case TypeRenew:
		return AppendRenew(dst, &m.Renew)
	case TypeRenewed:
		return AppendRenewed(dst, &m.Renewed)
	case TypeComplete:
		return AppendComplete(dst, &m.Complete)
	case TypeFail:
		return AppendFail(dst, &m.Fail)
	case TypeRelease:
		return AppendRelease(dst, &m.Release)
	case TypePark:
		return AppendPark(dst, &m.Park)
	case TypeCancel:
		return AppendCancel(dst, &m.Cancel)
	case TypeUnsubscribe:
		return AppendUnsubscribe(dst, &m.Unsubscribe)
	case TypeFollow:
		return AppendFollow(dst, &m.Follow)
	case TypeEvent:
		return AppendEvent(dst, &m.Event)
	case TypeCommit:
		return AppendCommit(dst, &m.Commit)
	case TypeChunk:
		return AppendChunk(dst, &m.Chunk)
	case TypeReset:
		return AppendReset(dst, &m.Reset)
	case TypeRead:
		return AppendRead(dst, &m.Read)
	case TypeUnknown:
	}
	return dst
}

//nolint:revive,funlen // one case per type
func (m *Message) body(t Type) body {
	switch t {
	case TypeHello:
		return &m.Hello
	case TypeWelcome:
		return &m.Welcome
	case TypeReady:
		return &m.Ready
	case TypeBye:
		return &m.Bye
	case TypePing:
		return &m.Ping
	case TypePong:
		return &m.Pong
	case TypeAuth:
		return &m.Auth
	case TypePublish:
		return &m.Publish
	case TypeOK:
		return &m.OK
	case TypeError:
		return &m.Error
	case TypeNotify:
		return &m.Notify
	case TypeAck:
		return &m.Ack
	case TypeGap:
		return &m.Gap
	case TypeSynced:
		return &m.Synced
	case TypeSubscribe:
		return &m.Subscribe
	case TypeCredit:
		return &m.Credit
	case TypeJob:
		return &m.Job
	case TypeRenew:
		return &m.Renew
	case TypeRenewed:
		return &m.Renewed
	case TypeComplete:
		return &m.Complete
	case TypeFail:
		return &m.Fail
	case TypeRelease:
		return &m.Release
	case TypePark:
		return &m.Park
	case TypeCancel:
		return &m.Cancel
	case TypeUnsubscribe:
		return &m.Unsubscribe
	case TypeFollow:
		return &m.Follow
	case TypeEvent:
		return &m.Event
	case TypeCommit:
		return &m.Commit
	case TypeChunk:
		return &m.Chunk
	case TypeReset:
		return &m.Reset
	case TypeRead:
		return &m.Read
	case TypeCheckpoint:
		return &m.Checkpoint
	case TypeListen:
		return &m.Listen
	case TypeUnlisten:
		return &m.Unlisten
	case TypeBroadcast:
		return &m.Broadcast
	case TypeUnknown:
	}
	return nil
}
