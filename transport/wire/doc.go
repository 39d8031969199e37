// Package wire is the client protocol: what a client and a node say to each
// other over a WebSocket. This comment is the protocol's one page. The package
// knows the grammar and its limits; it does not know sockets, sessions, tokens
// or what a message does.
//
// There are two encodings of one grammar. baton.v1.json is text frames that hold
// one JSON object, or several one after the other (usually between newlines; data
// may hold newlines too, so a frame is read value by value). baton.v1.binary is
// binary frames of records, described below. Field names, and the numbers of types
// and fields, are normative. A question mark follows an optional field; without
// one a field of a request is required, while the fields of the server's messages
// are required only as far as a client cannot do without.
//
// # Session
//
//	C> hello        token? tenant? client_id? device_id? window? resume? ready? name? version?
//	                resume: {epoch, seq} | "live"
//	S> welcome      session node tenant [client_id epoch seq oldest resumed] protocol features
//	                limits{max_in_flight, max_message_bytes, max_payload_bytes?, window} nodes heartbeat_ms server_time
//	                token_expires_ms?
//	                resumed: "full" | "partial" | "none"; in brackets: only where there is a client id
//	C> ready
//	C> bye
//	S> bye          reason reconnect after_ms? nodes?
//	C> auth         id token                                        answered by ok, with token_expires_ms?
//	   ping, pong   time?                                           either side
//
// # Publishing
//
//	C> publish      id, client_id? (of a backend), event fields     answered by ok
//	   event fields channel idempotency_key? correlation_id? causation_id? key? client_seq? priority?
//	                delay_ms? deliver_at? ttl_ms? on_end? headers?{string: string} content_type? data
//	S> ok           id, and of a publish: event_id correlation_id offset duplicate?
//	                of a complete: events[event_id | null] duplicate?
//	                of a subscribe: subscription; of a follow: subscription cursor
//	                of a listen: subscription epoch seq oldest resumed
//	                of a broadcast: event_id correlation_id duplicate?
//	S> error        id? code reason message retryable retry_after_ms?
//
// # Notifications
//
//	S> notify       seq name event_id correlation_id causation_id time redelivered? data
//	                of a listen: subscription client_id too
//	C> ack          subscription? seq
//	S> gap          from to reason, of a follow: subscription reason   reason: "trimmed" | "epoch"
//	                of a listen: subscription too
//	S> synced       subscription? seq
//	C> listen       id client_id device_id? window? resume?         answered by ok
//	C> unlisten     id subscription                                 answered by ok
//	C> broadcast    id client_ids[string] name idempotency_key? correlation_id? causation_id? data
//	                                                                answered by ok
//
// # Work
//
//	C> subscribe    id channel group? from? credit lease_ms?        answered by ok
//	                from: "new" | "earliest" | {cursor} | {time}
//	C> credit       subscription credit
//	S> job          subscription lease fence event_id channel group attempt lease_ms key
//	                idempotency_key correlation_id causation_id client_id? tenant headers?
//	                content_type? run? step? checkpoint? data
//	C> renew        leases[lease | {lease, progress?, checkpoint?}]  answered by renewed
//	S> renewed      leases[{lease, lease_ms}] lost[lease]
//	C> checkpoint   id lease checkpoint                             answered by ok, when it is kept
//	C> complete     id lease result? usage? emit?[{client_id?, event fields}]
//	                notify?[{client_id?, name, data}]               answered by ok
//	C> fail         id lease error{code, message, detail?} retryable? retry_after_ms? throttled?
//	                                                                answered by ok
//	C> release      lease
//	C> park         id lease timeout_ms?                            answered by ok
//	S> cancel       lease reason grace_ms
//	C> unsubscribe  id subscription                                 answered by ok
//
// # Following, and token streams
//
//	C> follow       id channel from? name? window?                  answered by ok
//	S> event        subscription cursor event_id client_id? tenant? time?, event fields
//	C> commit       subscription cursor
//	C> chunk        lease stream? offset final? data (data? of the final one)
//	S> chunk        stream correlation_id attempt offset final? data
//	S> reset        stream attempt
//	C> read         id stream offset                                answered by ok
//	C> cancel       id, one of correlation_id run event_id, reason? answered by ok
//
// # Values
//
// data, result, usage, detail, progress and checkpoint hold any JSON value and
// are kept as the bytes received; there null is a value, everywhere else it
// means that the field is not given. data_base64 (standard alphabet, padded) may
// stand wherever data does, not beside it. data is written last. id, seq, fence,
// offset, attempt, credit, window, client_seq (from 1), priority (0 to 9) and
// code are integers, times and durations (names ending in _ms, time, deliver_at,
// server_time) are milliseconds; all of them from 0 to 2^53-1, written without
// sign, fraction or exponent. Of an optional number, zero is the same as none.
// code in fail is a string, or an integer taken as its digits. Everything else
// is a string. Channels and groups are 1 to 255 of [A-Za-z0-9._-]. Lengths and
// counts are in limits.go, errors in errors.go, close codes in close.go.
//
// An emit cannot name a tenant: it has the job's. Nor can it have on_end, which is
// for a publish.
//
// # Strictness
//
// JSON is RFC 8259 to the letter: valid UTF-8, no byte order mark, at most 128
// levels deep with the message as the first. An object may start with any field;
// one that starts with its type is read in one pass. Unknown fields must be JSON
// and are skipped. A known field given twice is refused, and so is half a
// surrogate pair in a string that is a field; inside data it passes, as what it
// is. A message that is refused (DecodeError) does no harm to those after it in
// the frame; malformed JSON does.
//
// # Records
//
// A binary frame holds one record, or several one after the other. All fixed
// numbers are little-endian; a varint has seven bits a byte, lowest first, in its
// shortest form.
//
//	record   offset  0  u32  size of the whole record, this header included
//	                 4  u8   type                           numbers: type.go
//	                 5  u8   payload: 0 none, 1 JSON, 2 bytes
//	                 6  u16  reserved, 0
//	                 8  u64  the id; of notify, ack and synced the seq; 0: none here
//	                16       fields, to the end of the record
//	                         where there is a payload: a byte 0, and the payload
//
//	field    u8 number, value                               numbers: fields.go
//	value    u8 kind, body
//
//	kind     0  false    no body
//	         4  true     no body
//	         1  integer  varint
//	         2  text     varint n, n bytes of UTF-8
//	         6  JSON     varint n, n bytes: one JSON value
//	        10  bytes    varint n, n bytes
//	         3  list     u32 n, n bytes: values
//	         7  object   u32 n, n bytes: fields
//
// The two lowest bits of a kind are its body's shape (none, varint, varint n and n
// bytes, u32 n and n bytes), so that a field is passed over whose number or kind
// is not known. Lists and objects have a size of fixed length for writers to fill
// in afterwards.
//
// A record says what the object with the same fields says, with the same required
// fields, limits and refusals, under the same names. Integers and times are
// integers, words are text, a boolean is its kind; null is a field that is left
// out, and in events empty text. result, usage, detail, progress, checkpoint and
// headers are of the kind JSON: what JSON embeds stays as it is. An id or seq of 0
// is a field, for in the header 0 is none. The payload is the field data, or
// data_base64 as the bytes themselves; inside emit and notify it is that field, of
// the kind JSON or bytes. JSON nests as deep as it may in the other encoding.
//
// What cannot be framed is malformed, and the rest of the frame is lost: a size
// that is not that of a record, reserved bytes, an unknown kind of payload, a value
// that is longer than what it is part of, a varint of more than 64 bits or not in
// its shortest form, a field with the number 0, a payload without a byte 0 before
// it. Text that is not UTF-8 and JSON that is none refuse their message only: the
// record's size tells where the next one begins. A field that the message does not
// know is not looked into.
//
// # Channel handles
//
// In a record, a publish and an emit may have channel_handle, 1 to 64, which JSON
// does not know. Beside channel it gives the name that number; without channel it
// stands for the name that it was given. The numbers are the connection's, and end
// with its socket. An event that is refused gives none. The same name may be given
// again; another name for a number that has one is refused, so that nothing on its
// way is sent elsewhere. Whoever has to reconnect often, or resends what it has
// encoded, does not use them: the Go client does not.
//
// # Use
//
// Decoder.Reset begins a frame of JSON, Decoder.ResetAs one of either encoding, and
// Decoder.Next reads its messages into one Message, again and again, without
// allocating: bytes point into the frame, or into the decoder's scratch where text
// had escapes, until the next call. The Append functions write one message each,
// without a newline, in the encoding that their Buffer names, and never fail:
// whoever fills a Payload or a Raw by hand sees to it that it is one value
// (ValidJSON).
//
// # A new message
//
// A message is a file: the struct; set, which reads each field with the Decoder's
// primitives; check; and an Append function, which writes them with the encoder's,
// data last. Both encodings follow from it. Its type goes to the end of the table
// and the switch in type.go, and into Message; a new field goes to the end of the
// numbers in fields.go, into the table and the switch. The golden tests fail until
// there is an example of it.
package wire
