package wire

// Every field name of the protocol has a number, so that a message knows which
// of its fields it has seen from a bit set and finds them with a jump, and so that
// the binary encoding can write it. Numbers are for good: a new field goes to the
// end, and the number of one that is given up is never used again. They are uint8
// rather than a type of their own: each message handles only its own few.
const (
	fieldUnknown uint8 = iota
	fieldType
	fieldID
	fieldToken
	fieldTenant
	fieldClientID
	fieldDeviceID
	fieldWindow
	fieldResume
	fieldReady
	fieldName
	fieldVersion
	fieldSession
	fieldNode
	fieldEpoch
	fieldSeq
	fieldOldest
	fieldResumed
	fieldProtocol
	fieldFeatures
	fieldLimits
	fieldNodes
	fieldHeartbeatMs
	fieldServerTime
	fieldTokenExpiresMs
	fieldMaxInFlight
	fieldMaxMessageBytes
	fieldMaxPayloadBytes
	fieldTime
	fieldReason
	fieldReconnect
	fieldAfterMs
	fieldChannel
	fieldIdempotencyKey
	fieldCorrelationID
	fieldCausationID
	fieldKey
	fieldClientSeq
	fieldPriority
	fieldDelayMs
	fieldDeliverAt
	fieldTTLMs
	fieldOnEnd
	fieldHeaders
	fieldContentType
	fieldData
	fieldDataBase64
	fieldEventID
	fieldOffset
	fieldDuplicate
	fieldCode
	fieldMessage
	fieldRetryable
	fieldRetryAfterMs
	fieldRedelivered
	fieldFrom
	fieldTo
	fieldSubscription
	fieldGroup
	fieldCredit
	fieldLeaseMs
	fieldLease
	fieldFence
	fieldAttempt
	fieldRun
	fieldStep
	fieldCheckpoint
	fieldLeases
	fieldProgress
	fieldLost
	fieldResult
	fieldUsage
	fieldEmit
	fieldNotify
	fieldEvents
	fieldError
	fieldDetail
	fieldThrottled
	fieldGraceMs
	fieldCursor
	fieldStream
	fieldFinal
	fieldTimeoutMs
	fieldChannelHandle
	fieldClientIDs
	fieldCount
)

// nameOf is a field's name.
func nameOf(field uint8) string {
	spelling := fieldSpellings[field]
	return spelling[len(`,"`) : len(spelling)-len(`":`)]
}

// fieldSpellings are the names as JSON has them in an object: with the comma
// before and the colon behind, so that one append writes all of it.

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var fieldSpellings = [fieldCount]string{
	fieldUnknown:         `,"unknown field":`,
	fieldType:            `,"type":`,
	fieldID:              `,"id":`,
	fieldToken:           `,"token":`,
	fieldTenant:          `,"tenant":`,
	fieldClientID:        `,"client_id":`,
	fieldDeviceID:        `,"device_id":`,
	fieldWindow:          `,"window":`,
	fieldResume:          `,"resume":`,
	fieldReady:           `,"ready":`,
	fieldName:            `,"name":`,
	fieldVersion:         `,"version":`,
	fieldSession:         `,"session":`,
	fieldNode:            `,"node":`,
	fieldEpoch:           `,"epoch":`,
	fieldSeq:             `,"seq":`,
	fieldOldest:          `,"oldest":`,
	fieldResumed:         `,"resumed":`,
	fieldProtocol:        `,"protocol":`,
	fieldFeatures:        `,"features":`,
	fieldLimits:          `,"limits":`,
	fieldNodes:           `,"nodes":`,
	fieldHeartbeatMs:     `,"heartbeat_ms":`,
	fieldServerTime:      `,"server_time":`,
	fieldTokenExpiresMs:  `,"token_expires_ms":`,
	fieldMaxInFlight:     `,"max_in_flight":`,
	fieldMaxMessageBytes: `,"max_message_bytes":`,
	fieldMaxPayloadBytes: `,"max_payload_bytes":`,
	fieldTime:            `,"time":`,
	fieldReason:          `,"reason":`,
	fieldReconnect:       `,"reconnect":`,
	fieldAfterMs:         `,"after_ms":`,
	fieldChannel:         `,"channel":`,
	fieldIdempotencyKey:  `,"idempotency_key":`,
	fieldCorrelationID:   `,"correlation_id":`,
	fieldCausationID:     `,"causation_id":`,
	fieldKey:             `,"key":`,
	fieldClientSeq:       `,"client_seq":`,
	fieldPriority:        `,"priority":`,
	fieldDelayMs:         `,"delay_ms":`,
	fieldDeliverAt:       `,"deliver_at":`,
	fieldTTLMs:           `,"ttl_ms":`,
	fieldOnEnd:           `,"on_end":`,
	fieldHeaders:         `,"headers":`,
	fieldContentType:     `,"content_type":`,
	fieldData:            `,"data":`,
	fieldDataBase64:      `,"data_base64":`,
	fieldEventID:         `,"event_id":`,
	fieldOffset:          `,"offset":`,
	fieldDuplicate:       `,"duplicate":`,
	fieldCode:            `,"code":`,
	fieldMessage:         `,"message":`,
	fieldRetryable:       `,"retryable":`,
	fieldRetryAfterMs:    `,"retry_after_ms":`,
	fieldRedelivered:     `,"redelivered":`,
	fieldFrom:            `,"from":`,
	fieldTo:              `,"to":`,
	fieldSubscription:    `,"subscription":`,
	fieldGroup:           `,"group":`,
	fieldCredit:          `,"credit":`,
	fieldLeaseMs:         `,"lease_ms":`,
	fieldLease:           `,"lease":`,
	fieldFence:           `,"fence":`,
	fieldAttempt:         `,"attempt":`,
	fieldRun:             `,"run":`,
	fieldStep:            `,"step":`,
	fieldCheckpoint:      `,"checkpoint":`,
	fieldLeases:          `,"leases":`,
	fieldProgress:        `,"progress":`,
	fieldLost:            `,"lost":`,
	fieldResult:          `,"result":`,
	fieldUsage:           `,"usage":`,
	fieldEmit:            `,"emit":`,
	fieldNotify:          `,"notify":`,
	fieldEvents:          `,"events":`,
	fieldError:           `,"error":`,
	fieldDetail:          `,"detail":`,
	fieldThrottled:       `,"throttled":`,
	fieldGraceMs:         `,"grace_ms":`,
	fieldCursor:          `,"cursor":`,
	fieldStream:          `,"stream":`,
	fieldFinal:           `,"final":`,
	fieldTimeoutMs:       `,"timeout_ms":`,
	fieldChannelHandle:   `,"channel_handle":`,
	fieldClientIDs:       `,"client_ids":`,
}

// lookup is the number of a field name, fieldUnknown if the protocol has none.
//
//nolint:revive,funlen // one flat switch: the compiler makes a binary search of it
func lookup(name []byte) uint8 {
	switch string(name) {
	case "type":
		return fieldType
	case "id":
		return fieldID
	case "token":
		return fieldToken
	case "tenant":
		return fieldTenant
	case "client_id":
		return fieldClientID
	case "device_id":
		return fieldDeviceID
	case "window":
		return fieldWindow
	case "resume":
		return fieldResume
	case "ready":
		return fieldReady
	case "name":
		return fieldName
	case "version":
		return fieldVersion
	case "session":
		return fieldSession
	case "node":
		return fieldNode
	case "epoch":
		return fieldEpoch
	case "seq":
		return fieldSeq
	case "oldest":
		return fieldOldest
	case "resumed":
		return fieldResumed
	case "protocol":
		return fieldProtocol
	case "features":
		return fieldFeatures
	case "limits":
		return fieldLimits
	case "nodes":
		return fieldNodes
	case "heartbeat_ms":
		return fieldHeartbeatMs
	case "server_time":
		return fieldServerTime
	case "token_expires_ms":
		return fieldTokenExpiresMs
	case "max_in_flight":
		return fieldMaxInFlight
	case "max_message_bytes":
		return fieldMaxMessageBytes
	case "max_payload_bytes":
		return fieldMaxPayloadBytes
	case "time":
		return fieldTime
	case "reason":
		return fieldReason
	case "reconnect":
		return fieldReconnect
	case "after_ms":
		return fieldAfterMs
	case "channel":
		return fieldChannel
	case "idempotency_key":
		return fieldIdempotencyKey
	case "correlation_id":
		return fieldCorrelationID
	case "causation_id":
		return fieldCausationID
	case "key":
		return fieldKey
	case "client_seq":
		return fieldClientSeq
	case "priority":
		return fieldPriority
	case "delay_ms":
		return fieldDelayMs
	case "deliver_at":
		return fieldDeliverAt
	case "ttl_ms":
		return fieldTTLMs
	case "on_end":
		return fieldOnEnd
	case "headers":
		return fieldHeaders
	case "content_type":
		return fieldContentType
	case "data":
		return fieldData
	case "data_base64":
		return fieldDataBase64
	case "event_id":
		return fieldEventID
	case "offset":
		return fieldOffset
	case "duplicate":
		return fieldDuplicate
	case "code":
		return fieldCode
	case "message":
		return fieldMessage
	case "retryable":
		return fieldRetryable
	case "retry_after_ms":
		return fieldRetryAfterMs
	case "redelivered":
		return fieldRedelivered
	case "from":
		return fieldFrom
	case "to":
		return fieldTo
	case "subscription":
		return fieldSubscription
	case "group":
		return fieldGroup
	case "credit":
		return fieldCredit
	case "lease_ms":
		return fieldLeaseMs
	case "lease":
		return fieldLease
	case "fence":
		return fieldFence
	case "attempt":
		return fieldAttempt
	case "run":
		return fieldRun
	case "step":
		return fieldStep
	case "checkpoint":
		return fieldCheckpoint
	case "leases":
		return fieldLeases
	case "progress":
		return fieldProgress
	case "lost":
		return fieldLost
	case "result":
		return fieldResult
	case "usage":
		return fieldUsage
	case "emit":
		return fieldEmit
	case "notify":
		return fieldNotify
	case "events":
		return fieldEvents
	case "error":
		return fieldError
	case "detail":
		return fieldDetail
	case "throttled":
		return fieldThrottled
	case "grace_ms":
		return fieldGraceMs
	case "cursor":
		return fieldCursor
	case "stream":
		return fieldStream
	case "final":
		return fieldFinal
	case "timeout_ms":
		return fieldTimeoutMs
	case "channel_handle":
		return fieldChannelHandle
	case "client_ids":
		return fieldClientIDs
	default:
		return fieldUnknown
	}
}

// fieldSet is the set of fields an object has shown so far.
type fieldSet [2]uint64

func (s *fieldSet) add(field uint8)      { s[field>>6] |= 1 << (field & 63) }
func (s *fieldSet) remove(field uint8)   { s[field>>6] &^= 1 << (field & 63) }
func (s *fieldSet) has(field uint8) bool { return s[field>>6]&(1<<(field&63)) != 0 }

// isRaw says whether a field holds any JSON value, for which null is a value
// like another. Everywhere else null means that the field is not there.
func isRaw(field uint8) bool {
	switch field {
	case fieldData, fieldResult, fieldUsage, fieldDetail, fieldCheckpoint, fieldProgress:
		return true
	default:
		return false
	}
}
