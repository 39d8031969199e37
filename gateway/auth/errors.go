package auth

import "errors"

// ErrUnauthenticated is what every refusal of a credential wraps. Its text may be
// told to whoever showed it: it never says whether a secret was nearly right.
var ErrUnauthenticated = errors.New("not authenticated")

// ErrUnavailable means that the credential could not be looked at now: another
// node, or another try, may know more.
var ErrUnavailable = errors.New("credentials cannot be checked now")

// refusedError is ErrUnauthenticated with a sentence.
type refusedError struct{ sentence string }

// Error implements error.
func (e *refusedError) Error() string { return e.sentence }

// Unwrap implements errors.Is.
func (e *refusedError) Unwrap() error { return ErrUnauthenticated }

func refuse(sentence string) error { return &refusedError{sentence} }
