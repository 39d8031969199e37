package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// settingsAsks are the partitions that were told of settings since the last
// look; the seq of each is kept.
func (e *edge) settingsAsks(seqs map[uint32]uint64) (asked []string) {
	for _, s := range e.links.take() {
		f := readFrame(s.data)
		if f.kind != frameAsk {
			continue
		}
		seqs[f.group-1] = f.Uint()
		f.Byte()
		f.Uint()
		_, r := command.ReadPrefix(f.Rest())
		var c command.ConfigureChannel
		c.Decode(&r)
		asked = append(asked, fmt.Sprintf("%d %s version %d", f.group-1, c.Channel, c.Settings.Version))
	}
	slices.Sort(asked)
	return asked
}

// TestSettingsAreSpread: the meta group's leader tells every partition of
// settings until each has confirmed them, the newest where they change meanwhile,
// and leaves it to the next leader when it leads no more.
func TestSettingsAreSpread(t *testing.T) {
	e, _, _ := ensures()
	meta := &Group{}
	meta.serving.Store(1)
	e.mu.groups[MetaGroup] = meta
	seqs, now := make(map[uint32]uint64), time.Unix(1000, 0)
	told := func(want ...string) {
		t.Helper()
		e.tickSpread(now)
		if asked := e.settingsAsks(seqs); !slices.Equal(asked, want) {
			t.Fatalf("told were %q, want %q", asked, want)
		}
	}
	configured := func(version uint64) {
		e.spreadSettings([]fsm.ConfiguredChannel{{Channel: "work", Settings: command.ChannelSettings{Version: version}}})
	}
	told()
	configured(1)
	told("0 work version 1", "1 work version 1", "2 work version 1")
	e.says(0, seqs, command.Result{})
	e.says(1, seqs, command.Result{Reason: command.NoLeader})
	now = now.Add(spreadRetry)
	told("1 work version 1")
	configured(2)
	told("0 work version 2", "1 work version 2", "2 work version 2")
	for p := range uint32(3) {
		e.says(p, seqs, command.Result{Duplicate: true})
	}
	now = now.Add(spreadRetry)
	told()
	configured(3)
	meta.serving.Store(0)
	told()
	meta.serving.Store(2)
	now = now.Add(spreadRetry)
	told()
}
