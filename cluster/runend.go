package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

const (
	// MaxRunWait is for how long a request may wait for a run's end.
	MaxRunWait = 30 * time.Second
	// runEndTurn is for how long a leader lets one ask wait for a run's end: less than
	// AnswerTimeout, after which an ask is given up.
	runEndTurn   = runEndTurnMS * time.Millisecond
	runEndTurnMS = 2000
	// maxRunWaiters is how many asks wait at one leader. Those beyond it are answered as
	// the run stands, and ask again after runEndPause.
	maxRunWaiters = 10_000
	runEndPause   = 50 * time.Millisecond
)

// AwaitRun returns when a run has ended, or is none; or with the context's error, or one
// that says that its leader did not answer.
func (c *Cluster) AwaitRun(ctx context.Context, look *RunLook) error {
	for {
		began := time.Now()
		ended, err := c.runEnded(ctx, look)
		if ended || err != nil {
			return err
		}
		if time.Since(began) < runEndPause {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(runEndPause):
			}
		}
	}
}

func (c *Cluster) runEnded(ctx context.Context, look *RunLook) (bool, error) {
	if uint32(look.Run.Partition) >= c.Partitions() {
		return true, nil
	}
	body := command.AppendEventID(command.AppendString(nil, look.Tenant), look.Run)
	body = command.AppendUint(body, runEndTurnMS)
	answer, err := c.await(ctx, c.laneOf(uint32(look.Run.Partition)), opRunEnd, body)
	return err == nil && len(answer) == 1 && answer[0] != 0, err
}

// serveRunEnd answers when a run has ended, or time is over. Who waits is noted before
// the run is looked at: no end comes between.
func (a answerTo) serveRunEnd(g *Group, r *command.Reader) {
	look := RunLook{Tenant: r.String(), Run: r.EventID()}
	longest := time.Duration(min(r.Uint(), runEndTurnMS)) * time.Millisecond
	if r.Err() != nil || g.duty == nil {
		a.status(statusUnknown)
		return
	}
	ended, forget := g.ends.wait(look.Run)
	g.after(func(how status) {
		if how != statusDone {
			forget()
			a.status(how)
			return
		}
		view := g.state.View()
		g.running.Go(func() { // As in serveLook.
			defer forget()
			a.runEnd(g, view, &look, ended, longest)
		})
	})
}

// runEnd answers for a run that a view shows, or for how it stands when it has waited.
func (a answerTo) runEnd(g *Group, view *storage.View, look *RunLook, ended <-chan struct{}, longest time.Duration) {
	over, err := fsm.RunEnded(view, look)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err == nil && !over {
		timer := time.NewTimer(longest)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		case <-g.stop:
		}
		view = g.state.View()
		over, err = fsm.RunEnded(view, look)
		_ = view.Close()
	}
	switch {
	case err != nil:
		a.cluster.config.Logger.Error("cannot read a run", "group", a.group, "error", err)
		a.status(statusUnknown)
	case !over && !g.serves(a.generation):
		a.status(statusNotLeader)
	default:
		a.send(command.AppendBool(a.begin(statusDone), over))
	}
}

// runEnds are those who wait for ends of runs at their leader.
type runEnds struct {
	mu      sync.Mutex // guards the rest
	waiting map[command.EventID]map[chan struct{}]struct{}
	count   int
}

// wait notes that somebody waits for a run. The channel is closed when it ends, or the
// leader is none any more; forget is to be called in any case. Where too many wait, it is
// closed at once.
func (e *runEnds) wait(run command.EventID) (ended <-chan struct{}, forget func()) {
	came := make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count >= maxRunWaiters {
		close(came)
		return came, func() {}
	}
	if e.waiting == nil {
		e.waiting = make(map[command.EventID]map[chan struct{}]struct{})
	}
	if e.waiting[run] == nil {
		e.waiting[run] = make(map[chan struct{}]struct{})
	}
	e.waiting[run][came] = struct{}{}
	e.count++
	return came, func() { e.forget(run, came) }
}

func (e *runEnds) forget(run command.EventID, came chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, waits := e.waiting[run][came]; !waits {
		return
	}
	delete(e.waiting[run], came)
	e.count--
	if len(e.waiting[run]) == 0 {
		delete(e.waiting, run)
	}
}

// wake is called with what an entry changed, after its commit.
func (e *runEnds) wake(changed []fsm.RunChange) {
	if len(changed) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range changed {
		if changed[i].Ended {
			e.wakeLocked(changed[i].ID)
		}
	}
}

// wakeAll has all look again: the group has another leader.
func (e *runEnds) wakeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for run := range e.waiting {
		e.wakeLocked(run)
	}
}

func (e *runEnds) wakeLocked(run command.EventID) {
	for came := range e.waiting[run] {
		close(came)
		e.count--
	}
	delete(e.waiting, run)
}
