package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
)

// TestExitCodes: 3 is for what could not be reached; a node that was reached and
// has no leader refused, whatever ended the attempts.
func TestExitCodes(t *testing.T) {
	noLeader := &client.Error{Code: 503, Reason: "no_leader", Message: "no majority", Retryable: true}
	for _, c := range []struct {
		err  error
		want int
	}{
		{&client.ConnectError{Err: context.DeadlineExceeded}, exitUnreachable},
		{&client.ConnectError{Err: errors.New("connection refused")}, exitUnreachable},
		{&client.ConnectError{Err: context.DeadlineExceeded, Refusal: noLeader, Refuser: "ws://a/ws"}, exitRefused},
		{&client.ConnectError{Err: noLeader, Refusal: noLeader, Refuser: "ws://a/ws"}, exitRefused},
		{fmt.Errorf("publishing: %w; the last answer was: %w", context.DeadlineExceeded, noLeader), exitRefused},
		{context.DeadlineExceeded, exitUnreachable},
		{misuse("no"), exitUsage},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
		if _, connecting := errors.AsType[*client.ConnectError](c.err); connecting && isMistake(c.err) {
			t.Errorf("%v is taken for a wrong option", c.err)
		}
	}
}
