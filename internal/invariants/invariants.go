package invariants

import "fmt"

// Violation is the panic value of Failf and Check: a sentence that says which
// invariant was broken, and with what values.
type Violation struct { //nolint:errname // It is a panic's value first.
	// Message is the whole sentence, arguments included.
	Message string
}

// Error implements error, so that a recovered Violation can be wrapped.
func (v Violation) Error() string { return "invariant broken: " + v.Message }

// Failf stops the current replica: it panics with a Violation.
func Failf(format string, args ...any) {
	panic(Violation{Message: fmt.Sprintf(format, args...)})
}

// Check panics with a Violation when condition is false.
//
//nolint:revive // An assertion's flag is what it is about.
func Check(condition bool, format string, args ...any) {
	if !condition {
		Failf(format, args...)
	}
}

// Recover turns a Violation that is unwinding the caller into an error at
// *target. Any other panic goes on. Call it deferred, at a replica's boundary.
func Recover(target *error) {
	switch value := recover().(type) {
	case nil:
	case Violation:
		*target = value
	default:
		panic(value)
	}
}
