package fsm

import (
	"encoding/json"
	"math"
	"math/bits"
	"strconv"

	"github.com/batonmq/baton/fsm/command"
)

// unitCalls is the unit of which every job costs one, unless its event says otherwise.
const unitCalls = "calls"

// Bounds of a rate's arithmetic.
const (
	nsPerMS = 1_000_000
	// maxDebtMS is how far a rate is overdrawn at most.
	maxDebtMS = maxDelayMS
	// maxUsed is the largest amount that a worker's report is believed.
	maxUsed = 1 << 50
)

// bucket is a token bucket in one number: when it is full again. It is GCRA, the cell
// rate algorithm of ATM networks: what is taken out moves that time by how long it takes
// to flow in again. Nothing has to be written while it fills, and one that is full
// is as good as none.
type bucket struct {
	unit string
	// fullNS is a time in Unix nanoseconds.
	fullNS int64
	// count and perMS are the rate that was charged last.
	count, perMS uint64
}

// grantable is from when a job may take what it costs, in Unix milliseconds. One that
// costs more than the bucket holds waits until it is full, and leaves a debt behind.
func (b *bucket) grantable(rate *command.UseRate, costs []command.UseCost, nowMS int64) int64 {
	cost := min(costOf(rate.Unit, costs), rate.Count)
	from := b.fullNS + flow(rate, cost) - flow(rate, rate.Count)
	return max(ceilMS(from), nowMS)
}

// charge takes an amount out.
func (b *bucket) charge(rate *command.UseRate, amount uint64, nowMS int64) {
	now := nanoseconds(nowMS)
	b.count, b.perMS = rate.Count, rate.PerMS
	b.fullNS = min(max(b.fullNS, now)+flow(rate, amount), now+nanoseconds(maxDebtMS))
}

// correct charges what was used in the place of what was declared.
func (b *bucket) correct(rate *command.UseRate, declared, used uint64, nowMS int64) {
	if used >= declared {
		b.charge(rate, used-declared, nowMS)
		return
	}
	b.fullNS -= min(flow(rate, declared-used), b.fullNS)
}

// flow is how long an amount takes to flow in, in nanoseconds, rounded up and bounded.
// A rate without a count or a time lets everything through.
func flow(rate *command.UseRate, amount uint64) int64 {
	if rate.Count == 0 || rate.PerMS == 0 {
		return 0
	}
	const most = uint64(maxDebtMS) * nsPerMS
	high, low := bits.Mul64(min(rate.PerMS, maxDebtMS)*nsPerMS, min(amount, math.MaxUint64/2))
	if high >= rate.Count {
		return int64(most)
	}
	quotient, rest := bits.Div64(high, low, rate.Count)
	if rest > 0 && quotient < most {
		quotient++
	}
	return int64(min(quotient, most))
}

// nanoseconds is a time in the range that the arithmetic has.
func nanoseconds(ms int64) int64 { return min(max(ms, 0), math.MaxInt64/4/nsPerMS) * nsPerMS }

func ceilMS(ns int64) int64 { return (max(ns, 0) + nsPerMS - 1) / nsPerMS }

// readUsage reads what a worker reported that a job used, a JSON object: its numbers by
// name, rounded up. What is no number, or negative, says nothing.
func readUsage(usage []byte) map[string]uint64 {
	var fields map[string]json.RawMessage
	if len(usage) == 0 || json.Unmarshal(usage, &fields) != nil {
		return nil
	}
	used := make(map[string]uint64, len(fields))
	for name, text := range fields {
		if amount, err := strconv.ParseFloat(string(text), 64); err == nil && amount >= 0 {
			used[name] = uint64(math.Ceil(min(amount, maxUsed)))
		}
	}
	return used
}
