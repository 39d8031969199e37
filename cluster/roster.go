package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

const (
	// rosterInterval is how often a node reads who the members of its cluster are.
	rosterInterval = 5 * time.Second
	// rosterTimeout is how long it waits for the meta group's leader.
	rosterTimeout = 5 * time.Second
)

// roster is how a node knows the admitted members: from its own replica of the
// meta group, or from that group's leader where it has none. What is applied
// while the node runs tells of changes at once; this is for what was applied
// before it started, and for nodes without a replica.
type roster struct {
	read    time.Time // of the clock's goroutine
	reading atomic.Bool
}

// readRoster reads the members now and then; it does not wait.
func (c *Cluster) readRoster(now time.Time) {
	if c.formation.Load() == nil || now.Sub(c.roster.read) < rosterInterval || c.roster.reading.Swap(true) {
		return
	}
	c.roster.read = now
	c.running.Go(func() {
		defer c.roster.reading.Store(false)
		admitted, err := c.askRoster()
		if err != nil {
			c.config.Logger.Debug("cannot read the members of the cluster", "error", err)
			return
		}
		if len(admitted) > 0 {
			c.setAdmitted(admitted)
		}
	})
}

func (c *Cluster) askRoster() (admitted []command.Member, err error) {
	if g := c.group(MetaGroup); g != nil {
		view := g.state.View()
		admitted, err = readMembers(view)
		_ = view.Close() // Nothing can fail that matters to a reader.
		return admitted, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), rosterTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	body, err := c.await(ctx, c.groupLane(MetaGroup), opMembers, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &admitted); err != nil {
		return nil, fmt.Errorf("read the members of the cluster: %w", err)
	}
	return admitted, nil
}

func readMembers(view *storage.View) ([]command.Member, error) {
	meta, err := fsm.OpenMeta(view)
	if err != nil {
		return nil, err
	}
	return meta.Members(), nil
}
