package cluster

import (
	"context"
	"encoding/json"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// Why tells why an event waits, as JSON; ErrNotFound when the tenant has no such event.
func (c *Cluster) Why(ctx context.Context, tenant string, id command.EventID) ([]byte, error) {
	var why json.RawMessage
	if err := c.askOf(ctx, id, opWhy, command.AppendEventID(command.AppendString(nil, tenant), id), &why); err != nil {
		return nil, err
	}
	if string(why) == "null" {
		return nil, ErrNotFound
	}
	return why, nil
}

// whyOf reads why an event waits from a view, with the workers that this leader knows of
// where it waits for one.
func whyOf(g *Group, tenant string, id command.EventID) func(*storage.View) (any, error) {
	return func(view *storage.View) (any, error) {
		why, err := fsm.ReadWhy(view, tenant, id)
		if err != nil || why == nil {
			return nil, err
		}
		for i := range why.Groups {
			if at := &why.Groups[i]; at.Reason == fsm.WhyInLine {
				workers, credit := g.duty.Workers(why.Channel, at.Group, tenant)
				at.Workers, at.Credit = &workers, &credit
			}
		}
		return why, nil
	}
}
