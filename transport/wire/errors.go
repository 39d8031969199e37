package wire

import (
	"strconv"
	"strings"
)

// Reason is the stable word of an error. The set is closed; a client that meets
// a newer word keeps it as it came.
type Reason string

// The reasons of errors.
const (
	ReasonBadRequest          Reason = "bad_request"
	ReasonUnauthenticated     Reason = "unauthenticated"
	ReasonForbidden           Reason = "forbidden"
	ReasonNotFound            Reason = "not_found"
	ReasonLeaseLost           Reason = "lease_lost"
	ReasonIdempotencyConflict Reason = "idempotency_conflict"
	ReasonSequence            Reason = "sequence"
	ReasonTooLarge            Reason = "too_large"
	ReasonTooManyInFlight     Reason = "too_many_in_flight"
	ReasonTooManyUnfinished   Reason = "too_many_unfinished"
	ReasonRateLimited         Reason = "rate_limited"
	ReasonTenantLimit         Reason = "tenant_limit"
	ReasonNotAvailable        Reason = "not_available"
	ReasonNoLeader            Reason = "no_leader"
	ReasonOverloaded          Reason = "overloaded"
	ReasonDraining            Reason = "draining"
	ReasonOutcomeUnknown      Reason = "outcome_unknown"
)

// ReasonInfo is a line of the error table.
type ReasonInfo struct {
	Reason    Reason
	Code      int  // The HTTP status.
	Retryable bool // Whether the same request may succeed later.
	Meaning   string
}

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var reasons = [...]ReasonInfo{
	{ReasonBadRequest, 400, false, "The message is not one of the protocol, or a field is missing, of the wrong kind or out of bounds."},
	{ReasonUnauthenticated, 401, false, "There is no token, or it is not valid any more."},
	{ReasonForbidden, 403, false, "The token does not allow this."},
	{ReasonNotFound, 404, false, "What the request names does not exist."},
	{ReasonLeaseLost, 409, false, "The lease ended or was granted to another worker; nothing was changed."},
	{ReasonIdempotencyConflict, 409, false, "The idempotency key was used before, with other data."},
	{ReasonSequence, 409, false, "client_seq does not follow the last one of this client, device and key."},
	{ReasonTooLarge, 413, false, "The data is larger than limits.max_payload_bytes in welcome, or the whole request than a node takes."},
	{ReasonTooManyInFlight, 429, true, "More requests of this connection wait for an answer than welcome allows."},
	{ReasonTooManyUnfinished, 429, true, "The client has too much unfinished work."},
	{ReasonRateLimited, 429, true, "Requests come faster than the rate that is allowed."},
	{ReasonTenantLimit, 429, true, "The tenant has reached its quota."},
	{ReasonNotAvailable, 501, false, "This node cannot do that yet."},
	{ReasonNoLeader, 503, true, "The partition had no leader for as long as the gateway kept trying; nothing was stored."},
	{ReasonOverloaded, 503, true, "The node sheds load; nothing was stored."},
	{ReasonDraining, 503, true, "The node is about to stop; another one will answer."},
	{ReasonOutcomeUnknown, 503, true, "The request may or may not have taken effect; sending it again with the same idempotency key is safe."},
}

// Reasons lists every reason, by code.
func Reasons() []ReasonInfo { return append([]ReasonInfo(nil), reasons[:]...) }

// Info is the reason's line of the table; of an unknown word, one that is not
// retryable and has no code.
func (r Reason) Info() ReasonInfo {
	for i := range reasons {
		if reasons[i].Reason == r {
			return reasons[i]
		}
	}
	return ReasonInfo{Reason: r}
}

// Code is the HTTP status of the reason, 0 of an unknown one.
func (r Reason) Code() int { return r.Info().Code }

// Retryable says whether the same request may succeed later.
func (r Reason) Retryable() bool { return r.Info().Retryable }

// reasonOf is the reason of a word, without a copy where it is a known one.
func reasonOf(word []byte) Reason {
	for i := range reasons {
		if string(reasons[i].Reason) == string(word) {
			return reasons[i].Reason
		}
	}
	return Reason(word)
}

// NewError makes the reply that refuses a request, with the table's code and
// retryability. Without an id it is about the connection; see Error.HasID.
func NewError(reason Reason, message string) Error {
	info := reason.Info()
	return Error{Code: info.Code, Reason: reason, Message: []byte(message), Retryable: info.Retryable}
}

// Reply makes the error 400 that answers a message which did not decode.
func (e *DecodeError) Reply() Error {
	reply := NewError(ReasonBadRequest, e.Message)
	reply.ID, reply.HasID = e.ID, e.HasID
	return reply
}

// ErrorTableMarkdown is the table of errors for the documentation.
func ErrorTableMarkdown() string {
	var b strings.Builder
	b.WriteString("| code | reason | retryable | meaning |\n|---|---|---|---|\n")
	for i := range reasons {
		line := &reasons[i]
		b.WriteString("| " + strconv.Itoa(line.Code) + " | `" + string(line.Reason) + "` | " +
			strconv.FormatBool(line.Retryable) + " | " + line.Meaning + " |\n")
	}
	return b.String()
}
