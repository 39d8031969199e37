package transport

import (
	"context"
	"errors"
	"testing"
)

// TestCalls goes through replies, failures and limits.
func TestCalls(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a := start(t, n, Config{Self: "a.1"})
		start(t, n, Config{Self: "b.1", Calls: func(_ context.Context, from NodeID, request []byte) ([]byte, error) {
			if string(request) == "fail" {
				return nil, errors.New("as you wish")
			}
			return append([]byte(from+" said "), request...), nil
		}})
		reply, err := a.Call(t.Context(), n.address("b.1"), []byte("hello"))
		must(t, err)
		if string(reply) != "a.1 said hello" {
			t.Errorf("got %q", reply)
		}
		var remote *RemoteError
		if _, err = a.Call(t.Context(), n.address("b.1"), []byte("fail")); !errors.As(err, &remote) {
			t.Errorf("got %v", err)
		}
		if _, err = a.Call(t.Context(), n.address("b.1"), make([]byte, MaxCallFrame+1)); !errors.Is(err, ErrFrameTooLarge) {
			t.Errorf("got %v", err)
		}
		if _, err = a.Call(t.Context(), n.address("a.1"), nil); !errors.As(err, &remote) {
			t.Errorf("a node that serves no calls: %v", err)
		}
	})
}

// TestCallEndsWithItsContext gives a call up.
func TestCallEndsWithItsContext(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		a := start(t, n, Config{Self: "a.1"})
		called := make(chan struct{})
		start(t, n, Config{Self: "b.1", Calls: func(ctx context.Context, _ NodeID, _ []byte) ([]byte, error) {
			close(called)
			<-ctx.Done() // Until the node closes.
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-called
			cancel()
		}()
		if _, err := a.Call(ctx, n.address("b.1"), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
