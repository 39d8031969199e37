package fsm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cockroachdb/datadriven"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// usesOf are the limits that a line's event takes part in.
func usesOf(a args) (uses []command.Use) {
	for i := range a.list {
		if a.list[i].Key == "use" {
			uses = append(uses, useOf(&a.list[i]))
		}
	}
	return uses
}

func useOf(arg *datadriven.CmdArg) command.Use {
	u := command.Use{Limit: arg.Vals[0]}
	for _, val := range arg.Vals[1:] {
		key, value, _ := strings.Cut(val, ":")
		parts := append(strings.Split(value, "/"), "", "")
		switch key {
		case "key":
			u.Key = value
		case "max":
			u.MaxInFlight = uint32(number(value))
		case "min":
			u.MinInFlight = uint32(number(value))
		case "adaptive":
			u.Adaptive = true
		case "rate":
			u.Rates = append(u.Rates, command.UseRate{Unit: parts[0], Count: number(parts[1]), PerMS: number(parts[2])})
		case "cost":
			u.Costs = append(u.Costs, command.UseCost{Unit: parts[0], Amount: number(parts[1])})
		}
	}
	return u
}

// limits are the rows of limits, in words.
func (s *scenario) limits() string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		check(s.tb, view.Scan([]byte{kindLimit}, after([]byte{kindLimit}), func(_, value []byte) (bool, error) {
			var l limitRow
			l.read(value)
			fmt.Fprintf(&b, "%s/%s in flight %d of %d, waiting %d", l.name, l.key, l.inFlight, l.bound(l.bounds), l.waiting)
			if l.pausedMS > s.timeMS {
				fmt.Fprintf(&b, ", paused until %d", l.pausedMS)
			}
			if l.ramp > 0 {
				fmt.Fprintf(&b, ", %d of %d since", l.round, l.ramp)
			}
			for _, bucket := range l.buckets {
				if full := ceilMS(bucket.fullNS); full > s.timeMS {
					fmt.Fprintf(&b, ", %s full at %d", bucket.unit, full)
				}
			}
			b.WriteByte('\n')
			return true, nil
		}))
	})
	return b.String()
}

// tenantCommand is a tenant's settings of a scenario.
func tenantCommand(a args) []byte {
	c := command.ConfigureTenant{Tenant: a.word(), Settings: command.TenantSettings{
		Version: a.number("version"), Weight: uint32(a.number("weight")), MaxInFlight: uint32(a.number("in-flight")),
		Rate: uint32(a.number("rate")), MaxBacklogEvents: a.number("events"), MaxBacklogBytes: a.number("bytes"),
	}}
	return c.Append(nil)
}

// why is why an event waits, as readers are told.
func (s *scenario) why(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		why, err := ReadWhy(view, a.get("tenant", "t"), s.event(a.word()))
		check(s.tb, err)
		if why == nil {
			b.WriteString("unknown\n")
			return
		}
		for i := range why.Groups {
			text, err := json.Marshal(&why.Groups[i])
			check(s.tb, err)
			fmt.Fprintf(&b, "%s\n", s.readable(string(text)))
		}
	})
	return b.String()
}
