package client

import (
	"context"
	"errors"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// A worker names its group and where that begins, in every session.
func TestGroupAndFromAreSent(t *testing.T) {
	for from, want := range map[From]wire.FromKind{"": wire.FromUnset, FromNew: wire.FromNew, FromEarliest: wire.FromEarliest} {
		n := newFakeNode(t)
		c, conn := dial(t, n, Options{})
		working(t.Context(), c, WorkOptions{Group: "audit", From: from}, func(context.Context, *Job) error { return nil })
		if m := conn.subscribed().Subscribe; string(m.Group) != "audit" || m.From.Kind != want {
			t.Errorf("from %q is sent as %+v", from, m)
		}
		conn.close(wire.CloseDrain)
		if m := n.greet().subscribed().Subscribe; string(m.Group) != "audit" || m.From.Kind != want {
			t.Errorf("from %q is sent as %+v after a reconnect", from, m)
		}
	}
}

// What cannot be is refused before anything is sent.
func TestWrongGroups(t *testing.T) {
	c, _ := dial(t, newFakeNode(t), Options{})
	for _, o := range []WorkOptions{
		{Group: "a b"}, {From: FromEarliest}, {Group: "default", From: FromNew}, {Group: "g", From: "yesterday"},
	} {
		o.Channel = "work"
		if err := c.Work(t.Context(), o, func(context.Context, *Job) error { return nil }); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
