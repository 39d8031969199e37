// Package auth answers who is asking: it turns a bearer token, or a client's
// certificate, into an Identity, which says what its holder may do.
//
// It refuses to know what is asked for, over which protocol, and where API keys are
// kept: those come through KeySource.
//
// # Tokens
//
// A token is one of three, told apart by its looks: an API key (bk_ID_SECRET), the
// administrator's key (a file's content), or a JWT. Each way is there only where it
// was configured.
//
// # Invariants
//
//   - A JWT is checked with the algorithm of its key, never with the one that it
//     names itself: a key is of one algorithm. So none is refused, and a public RSA
//     key is never taken for an HMAC secret.
//   - What a credential does not grant, it refuses: no pattern matches nothing.
//   - Secrets are compared in constant time, as hashes, and stand in no error and no
//     log.
package auth
