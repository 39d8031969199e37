package duty

import (
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

const (
	// trimInterval is how often a relay is trimmed while little passes.
	trimInterval = time.Second
	// trimRows and trimBytes are how much may be in a relay that its target has
	// already, before it is trimmed at once.
	trimRows  = fsm.MaxRelayRows / 16
	trimBytes = fsm.MaxRelayBytes / 16
	// relayRest is how long a relay rests after an answer that does not say when
	// to try again.
	relayRest = time.Second
)

// Relayer hands a command.Relay to the leader of another partition, and tries
// until it is answered or it is too late. answered is called once, and not from
// within the call; its result is valid as long. Relay returns false, and calls
// nobody, when it can take nothing now.
type Relayer interface {
	Relay(target uint32, encoded []byte, answered func(*command.Result)) bool
}

// relayBook is what is known of the relays to other partitions.
type relayBook struct {
	epoch uint32
	ways  map[uint32]*way
}

// way is the relay to one target. At most one batch is on it.
type way struct {
	// RelayState is as the rows have it: Last is committed.
	fsm.RelayState

	// through is the last number that the target has, as it said, or that was
	// trimmed.
	through uint64
	flying  bool
	// restUntil is when to try again after a refusal; zero for at once.
	restUntil time.Time
	// trimAt is when a trim may be proposed; proposed the last one that was, and
	// arrived how many bytes the target has got since.
	trimAt   time.Time
	proposed uint64
	arrived  int
}

// RelayBacklog is what waits in a leader's relays.
type RelayBacklog struct {
	Rows, Bytes uint64
	// Fullest is the share of its bounds that the fullest relay takes, 1 for full.
	Fullest float64
}

// RelayBacklog sums up the relays of this partition, nothing unless it leads.
func (d *Duty) RelayBacklog() (sum RelayBacklog) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.mu.relay.ways {
		rows := w.Last + 1 - w.First
		sum.Rows += rows
		sum.Bytes += w.Bytes
		sum.Fullest = max(sum.Fullest, float64(rows)/fsm.MaxRelayRows, float64(w.Bytes)/fsm.MaxRelayBytes)
	}
	return sum
}

// relaysChanged takes note of where relays stand, and sends what is new.
func (d *Duty) relaysChanged(states []fsm.RelayState) {
	for _, state := range states {
		w := d.mu.relay.ways[state.Target]
		if w == nil {
			w = &way{}
			d.mu.relay.ways[state.Target] = w
		}
		w.RelayState = state
		w.through = max(w.through, state.First-1)
		d.carry(w)
	}
}

// carry sends the next batch of a relay, unless one is on its way.
func (d *Duty) carry(w *way) {
	if w.flying || w.through >= w.Last || d.config.Now().Before(w.restUntil) {
		return
	}
	view := d.config.State.View()
	rows, err := fsm.ReadRelay(view, w.Target, w.through+1)
	_ = view.Close() // Nothing can fail that matters to a reader.
	if err != nil {
		d.config.Logger.Error("cannot read a relay", "partition", d.config.Partition, "target", w.Target, "error", err)
		w.restUntil = d.config.Now().Add(relayRest)
		return
	}
	size := 0
	for _, row := range rows {
		size += len(row)
	}
	generation, target := d.mu.generation, w.Target
	relay := command.Relay{Source: d.config.Partition, SourceEpoch: d.mu.relay.epoch, First: w.through + 1, Rows: rows}
	w.flying = d.config.Relayer.Relay(target, relay.Append(nil), func(result *command.Result) {
		d.relayAnswered(generation, target, size, result)
	})
	if !w.flying {
		w.restUntil = d.config.Now().Add(TickInterval)
	}
}

// relayAnswered is the target's word about a batch of so many bytes.
func (d *Duty) relayAnswered(generation uint64, target uint32, size int, result *command.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading || d.mu.generation != generation {
		return
	}
	w := d.mu.relay.ways[target]
	w.flying = false
	now := d.config.Now()
	if result.Reason != command.Done || result.Offset < w.through || result.Offset > w.Last {
		w.restUntil = now.Add(relayRest)
		if result.RetryAfterMS > 0 {
			w.restUntil = now.Add(time.Duration(result.RetryAfterMS) * time.Millisecond) //nolint:gosec // A leader's word, and small.
		}
		d.reportRelay(w, result)
		return
	}
	w.through = result.Offset
	w.arrived += size
	d.trimRelay(w, now)
	d.carry(w)
}

// reportRelay logs an answer that time alone will not change.
func (d *Duty) reportRelay(w *way, result *command.Result) {
	switch result.Reason { //nolint:exhaustive // The rest are faults, whatever they say.
	case command.NoLeader, command.OutcomeUnknown, command.Overloaded, command.Draining:
	default:
		d.config.Logger.Error("a relay stands still", "partition", d.config.Partition, "target", w.Target,
			"next", w.through+1, "last", w.Last, "applied", result.Offset, "reason", result.Reason.String(), "message", result.Message)
	}
}

// trimRelay has the log delete what the target has: at once when it is much,
// else now and then. One that was lost on its way is proposed again.
func (d *Duty) trimRelay(w *way, now time.Time) {
	fresh := w.through - min(w.through, max(w.proposed, w.First-1))
	much := fresh >= trimRows || (fresh > 0 && w.arrived >= trimBytes)
	if w.through < w.First || (!much && now.Before(w.trimAt)) {
		return
	}
	w.proposed, w.trimAt, w.arrived = w.through, now.Add(trimInterval), 0
	trim := command.RelayTrim{Generation: d.mu.generation, Target: w.Target, Through: w.through}
	d.config.Proposer.Propose(trim.Append(nil))
}

// tickRelays trims, and tries again what rested.
func (d *Duty) tickRelays(now time.Time) {
	for _, w := range d.mu.relay.ways {
		d.trimRelay(w, now)
		d.carry(w)
	}
}
