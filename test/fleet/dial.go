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
