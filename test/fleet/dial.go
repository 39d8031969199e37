package fleet

import (
	"context"
	"errors"
	"testing"

	"github.com/batonmq/baton/client"
)

// Dial connects; the connection ends with the test.
func Dial(t *testing.T, options client.Options) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	c, err := client.Dial(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Report fails the test when a part of the load ended before its time.
func Report(t *testing.T, who string, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, client.ErrClosed) {
		t.Errorf("%s: %v", who, err)
	}
}

// Work starts a worker, a part of this process, that is connected to a node.
// Stop, or the test's end, has it finish what it has begun and go.
func (f *Fleet) Work(t *testing.T, at int, name string, options client.WorkOptions, handler client.Handler) (stop func()) {
	t.Helper()
	c := Dial(t, client.Options{Nodes: f.URLs(at), InOrder: true, Name: name})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	stop = func() {
		cancel()
		<-done
		_ = c.Close()
	}
	t.Cleanup(stop)
	go func() {
		defer close(done)
		Report(t, name, c.Work(ctx, options, handler))
	}()
	return stop
}

// HTTP asks the fleet what needs no connection.
func (f *Fleet) HTTP(t *testing.T) *client.HTTP {
	t.Helper()
	h, err := client.NewHTTP(client.Options{Nodes: f.URLs(0)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
