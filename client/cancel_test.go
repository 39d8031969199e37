package client

import (
	"errors"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// A cancel names what it stops, is asked again where that helps, and tells what is
// not there.
func TestCancelRequests(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	result := make(chan error, 1)
	go func() { result <- c.CancelLineage(t.Context(), "story", "enough") }()
	m := conn.expect(wire.TypeCancel).Cancel
	if string(m.CorrelationID) != "story" || string(m.Reason) != "enough" || len(m.EventID) > 0 {
		t.Errorf("sent %+v", m)
	}
	conn.refuse(m.ID, wire.ReasonOutcomeUnknown, time.Millisecond)
	conn.ok(conn.expect(wire.TypeCancel).Cancel.ID, "")
	if err := <-result; err != nil {
		t.Error(err)
	}
	go func() { result <- c.CancelEvent(t.Context(), "e1", "") }()
	m = conn.expect(wire.TypeCancel).Cancel
	if string(m.EventID) != "e1" || len(m.CorrelationID) > 0 {
		t.Errorf("sent %+v", m)
	}
	conn.refuse(m.ID, wire.ReasonNotFound, 0)
	if err := <-result; !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := c.CancelLineage(t.Context(), "", ""); err == nil {
		t.Error("nothing was named, and nobody minded")
	}
}
