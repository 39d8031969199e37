package command

// Task makes an event the job of a run's step. Only the state makes such events: what
// clients and workers send has none.
type Task struct {
	// Run is the run's id.
	Run EventID
	// Definition is the partition's number of the definition that the run is pinned to.
	Definition uint32
	// Step is the step's number in it, Iteration how often the run came to it before, and
	// Item the number of a map's item, from 1; 0 for what is not of a map.
	Step, Iteration, Item uint32
	// Compensates means that the job undoes what the step's did, by its compensation's
	// Entry.
	Compensates bool
	Entry       uint32
	// Depth is how many calls, or emits of dynamic steps, led to it.
	Depth uint32
	// Alias is what a child run was called under: an alias or version of its workflow.
	Alias string
	// Detached means that nobody waits for the child run.
	Detached bool
}

// Bounds of an event's uses.
const (
	// MaxUses is how many limits an event may take part in.
	MaxUses = 256
	// MaxRates is how many rates a limit may have, and how many costs a use.
	MaxRates = 256
)

// Use is an event's part in a limit that it shares with others of its tenant. What the
// limit allows stands in each event: the newest that is granted says what holds.
type Use struct {
	// Limit and Key name what is shared.
	Limit, Key string
	// MaxInFlight is how many jobs may be leased at a time, 0 for any number. Adaptive
	// means that what is throttled lowers it, and what completes raises it again.
	MaxInFlight uint32
	Adaptive    bool
	Rates       []UseRate
	// Costs are what the event is charged when it is granted.
	Costs []UseCost
	// MinInFlight is below what number throttling does not lower MaxInFlight.
	MinInFlight uint32
}

// UseRate is how much of a unit a limit lets through in a time.
type UseRate struct {
	Unit  string
	Count uint64
	PerMS uint64
}

// UseCost is what an event costs of a unit.
type UseCost struct {
	Unit   string
	Amount uint64
}

func appendTask(dst []byte, t *Task) []byte {
	dst = AppendEventID(dst, t.Run)
	for _, v := range []uint32{t.Definition, t.Step, t.Iteration, t.Item} {
		dst = AppendUint(dst, uint64(v))
	}
	dst = AppendUint(AppendBool(dst, t.Compensates), uint64(t.Entry))
	return AppendBool(AppendString(AppendUint(dst, uint64(t.Depth)), t.Alias), t.Detached)
}

func (r *Reader) task() Task {
	return Task{
		Run: r.EventID(), Definition: r.Uint32(), Step: r.Uint32(), Iteration: r.Uint32(), Item: r.Uint32(),
		Compensates: r.Bool(), Entry: r.Uint32(), Depth: r.Uint32(), Alias: r.String(), Detached: r.Bool(),
	}
}

// AppendUses appends an event's parts in limits.
func AppendUses(dst []byte, uses []Use) []byte {
	dst = AppendUint(dst, uint64(len(uses)))
	for i := range uses {
		u := &uses[i]
		dst = AppendString(AppendString(dst, u.Limit), u.Key)
		dst = AppendBool(AppendUint(dst, uint64(u.MaxInFlight)), u.Adaptive)
		dst = AppendUint(dst, uint64(len(u.Rates)))
		for _, rate := range u.Rates {
			dst = AppendUint(AppendUint(AppendString(dst, rate.Unit), rate.Count), rate.PerMS)
		}
		dst = AppendUint(AppendCosts(dst, u.Costs), uint64(u.MinInFlight))
	}
	return dst
}

// AppendCosts appends amounts of units.
func AppendCosts(dst []byte, costs []UseCost) []byte {
	dst = AppendUint(dst, uint64(len(costs)))
	for _, cost := range costs {
		dst = AppendUint(AppendString(dst, cost.Unit), cost.Amount)
	}
	return dst
}

// Costs reads what AppendCosts wrote.
func (r *Reader) Costs() (costs []UseCost) {
	for range r.Count(MaxRates) {
		costs = append(costs, UseCost{Unit: r.String(), Amount: r.Uint()})
	}
	return costs
}

// Uses reads what AppendUses wrote.
func (r *Reader) Uses() (uses []Use) {
	for range r.Count(MaxUses) {
		u := Use{Limit: r.String(), Key: r.String(), MaxInFlight: r.Uint32(), Adaptive: r.Bool()}
		for range r.Count(MaxRates) {
			u.Rates = append(u.Rates, UseRate{Unit: r.String(), Count: r.Uint(), PerMS: r.Uint()})
		}
		u.Costs, u.MinInFlight = r.Costs(), r.Uint32()
		uses = append(uses, u)
	}
	return uses
}
