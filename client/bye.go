package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// bye is the server's: it will close the socket.
type bye struct {
	reason    string
	reconnect bool
	after     time.Duration
}

// awayError means that a bye came instead of welcome: the node has no place, and says
// when to come back.
type awayError struct {
	bye *bye
	err error // how the connection ended
}

// Error implements error.
func (e *awayError) Error() string {
	return fmt.Sprintf("the node has no place (%s): %v", e.bye.reason, e.err)
}

// Unwrap returns how the connection ended.
func (e *awayError) Unwrap() error { return e.err }

// turned is what the end of a connection without a welcome means, behind the bye that
// came, if any.
func (b *bye) turned(err error) error {
	_, rejected := errors.AsType[*RejectedError](err)
	switch {
	case b == nil, rejected:
		return err
	case !b.reconnect:
		return &RejectedError{Reason: b.reason, Last: err}
	default:
		return &awayError{bye: b, err: err}
	}
}

// farewell is the server's bye: it closes the socket when everything it owes is
// written.
func (s *session) farewell(b *wire.Bye) {
	s.bye = &bye{
		reason: string(b.Reason), reconnect: b.Reconnect,
		after: min(time.Duration(b.AfterMs)*time.Millisecond, maxByePause),
	}
}

// maxByePause bounds how long a bye may keep a client away.
const maxByePause = time.Minute
