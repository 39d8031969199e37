// Package wire is the client protocol: what a client and a node say to each
// other over a WebSocket. This comment is the protocol's one page. The package
// knows the grammar and its limits; it does not know sockets, sessions, tokens
// or what a message does.
//
// The encoding is baton.v1.json: text frames that hold one JSON object, or
// several one after the other (usually between newlines; data may hold newlines
// too, so a frame is read value by value). Type numbers are fixed, so that a
// binary encoding can stand beside it. Field names are normative. A question
// mark follows an optional field; without one a field of a request is required,
// while the fields of the server's messages are required only as far as a client
// cannot do without.
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
// # Use
//
// Decoder.Reset begins a frame, Decoder.Next reads its messages into one Message,
// again and again, without allocating: bytes point into the frame, or into the
// decoder's scratch where text had escapes, until the next call. The Append
// functions write one object each, without a newline, and never fail: whoever
// fills a Payload or a Raw by hand sees to it that it is one value (ValidJSON).
package wire
