package wire

// Limits of the protocol, enforced by the Decoder. Sizes are bytes of UTF-8,
// after unescaping. The size of a whole frame, and how many requests may wait,
// are the gateway's to set (see Limits).
const (
	// MaxInteger is the largest integer: 2^53-1, the last one that every JSON
	// implementation reads exactly.
	MaxInteger = 1<<53 - 1
	// MaxDepth is how deep objects and arrays may nest, the message included.
	MaxDepth = 128
	// MaxNameBytes bounds the names of channels, groups, followers, streams and notifications.
	MaxNameBytes = 255
	// MaxStreamNameBytes bounds the name that a worker gives a token stream; readers
	// put the event's id and a slash before it.
	MaxStreamNameBytes = 128
	// MaxClientIDBytes bounds client_id and tenant.
	MaxClientIDBytes = 255
	// MaxDeviceIDBytes bounds device_id.
	MaxDeviceIDBytes = 255
	// MaxKeyBytes bounds a partition key.
	MaxKeyBytes = 255
	// MaxIdempotencyKeyBytes bounds idempotency_key.
	MaxIdempotencyKeyBytes = 255
	// MaxCorrelationIDBytes bounds correlation_id and causation_id.
	MaxCorrelationIDBytes = 255
	// MaxContentTypeBytes bounds content_type.
	MaxContentTypeBytes = 255
	// MaxReasonBytes bounds free text: reasons, messages, error codes.
	MaxReasonBytes = 4096
	// MaxOpaqueBytes bounds what the server makes up and a client hands back:
	// lease, epoch, event_id, subscription, session, run, step.
	MaxOpaqueBytes = 512
	// MaxCursorBytes bounds a follower's cursor, which has a number for each partition.
	MaxCursorBytes = 16 << 10
	// MaxTokenBytes bounds a credential.
	MaxTokenBytes = 16 << 10
	// MaxHeaders is how many headers an event may have.
	MaxHeaders = 64
	// MaxHeaderBytes bounds an event's headers, names and values together.
	MaxHeaderBytes = 16 << 10
	// MaxEmits is how many events one complete may emit.
	MaxEmits = 256
	// MaxNotifies is how many notifications one complete may send.
	MaxNotifies = 256
	// MaxBroadcastClients is how many clients one broadcast may name.
	MaxBroadcastClients = 10_000
	// MaxRenewLeases is how many leases one renew may name.
	MaxRenewLeases = 1024
	// MaxNodes is how many node URLs, and features, a welcome or bye may list.
	MaxNodes = 256
	// MaxChannelHandles is how many channels a binary connection may give a number,
	// and the highest of them.
	MaxChannelHandles = 64
	// MaxPriority is the highest priority of an event; 0 is the default and lowest.
	MaxPriority = 9
)

// ValidName says whether name may name a channel or a group: 1 to MaxNameBytes
// of letters, digits, dot, underscore and hyphen.
func ValidName[T ~string | ~[]byte](name T) bool {
	if len(name) == 0 || len(name) > MaxNameBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
