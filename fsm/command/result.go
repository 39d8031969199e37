package command

// Reason is why a command was refused; Done when it was not. The words are
// those of the client protocol. Numbers are for ever: they are kept in state.
type Reason uint8

// The reasons.
const (
	Done                Reason = 0
	BadRequest          Reason = 1
	Forbidden           Reason = 2
	NotFound            Reason = 3
	LeaseLost           Reason = 4
	IdempotencyConflict Reason = 5
	Sequence            Reason = 6
	TooLarge            Reason = 7
	NotAvailable        Reason = 8
	NoLeader            Reason = 9
	Overloaded          Reason = 10
	OutcomeUnknown      Reason = 11
	Draining            Reason = 12
	TooManyUnfinished   Reason = 13
	TenantLimit         Reason = 14
)

// String is the reason's stable word.
func (r Reason) String() string { //nolint:revive // A line for each reason.
	switch r {
	case Done:
		return "done"
	case BadRequest:
		return "bad_request"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not_found"
	case LeaseLost:
		return "lease_lost"
	case IdempotencyConflict:
		return "idempotency_conflict"
	case Sequence:
		return "sequence"
	case TooLarge:
		return "too_large"
	case NotAvailable:
		return "not_available"
	case NoLeader:
		return "no_leader"
	case Overloaded:
		return "overloaded"
	case OutcomeUnknown:
		return "outcome_unknown"
	case Draining:
		return "draining"
	case TooManyUnfinished:
		return "too_many_unfinished"
	case TenantLimit:
		return "tenant_limit"
	default:
		return "unknown"
	}
}

// Result is what apply answers to one command. Which fields are set follows
// from the command's kind.
type Result struct {
	// Reason is Done, or why nothing was changed.
	Reason  Reason
	Message string
	// Duplicate means that this is the answer of an earlier, equal command.
	Duplicate bool
	// Event, Offset and CorrelationID answer a publish. CorrelationID is empty
	// where it is the event's own id. Offset answers a relay too: the number of
	// the last row that is applied.
	Event         EventID
	Offset        uint64
	CorrelationID string
	// Events answers a complete: the ids of its emits, in order; zero for one
	// that is on its way to another partition.
	Events []EventID
	// Generation answers a leader start.
	Generation uint64
	// RetryAfterMS tells when to try again, 0 for not said.
	RetryAfterMS uint64
}

// AppendResult appends the result for the way back to the gateway, or for the
// row in which a complete's answer is kept.
func AppendResult(dst []byte, res *Result) []byte {
	dst = append(dst, byte(res.Reason))
	dst = AppendString(dst, res.Message)
	dst = AppendBool(dst, res.Duplicate)
	dst = appendEventID(dst, res.Event)
	dst = AppendUint(dst, res.Offset)
	dst = AppendString(dst, res.CorrelationID)
	dst = AppendUint(dst, uint64(len(res.Events)))
	for _, id := range res.Events {
		dst = appendEventID(dst, id)
	}
	dst = AppendUint(dst, res.Generation)
	return AppendUint(dst, res.RetryAfterMS)
}

// Result reads what AppendResult wrote.
func (r *Reader) Result() Result {
	res := Result{
		Reason:        Reason(r.Byte()),
		Message:       r.String(),
		Duplicate:     r.Bool(),
		Event:         r.EventID(),
		Offset:        r.Uint(),
		CorrelationID: r.String(),
	}
	for range r.Count(MaxEmits) {
		res.Events = append(res.Events, r.EventID())
	}
	res.Generation = r.Uint()
	res.RetryAfterMS = r.Uint()
	return res
}
