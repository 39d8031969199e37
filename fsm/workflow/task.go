package workflow

import (
	"fmt"
	"slices"
)

const (
	// defaultMemoMS is for how long a result is kept where nobody says.
	defaultMemoMS = day
	// The bounds of what a step's worker may emit, and what holds where nobody says.
	defaultDynamicDepth  = 8
	defaultDynamicEvents = 1000
	maxDynamicDepth      = 1000
	maxDynamicEvents     = 100_000
)

// task reads what only a step with a channel has.
func (p *reader) task(s *Step, f *fields, limits []Limit) {
	s.Channel = optional(f, "channel", p.channel)
	s.Policy = p.policy(f).over(p.defaults).Policy
	if name, _ := f.first("lease", "start_to_close", "retry"); name != "" {
		p.checkPolicy(f, &s.Policy)
	}
	s.Priority = p.defaultPriority
	if v, found := f.get("priority"); found {
		s.Priority = p.priority(v)
	}
	s.Stream = optional(f, "stream", p.stream)
	s.Pivot = optional(f, "pivot", p.flag)
	s.Map = optional(f, "map", p.mapped)
	if v, found := f.get("limits"); found {
		s.Uses = p.uses(v, limits)
	}
	s.Compensation = optional(f, "compensate", p.compensation)
	s.Memo = optional(f, "memo", p.memo)
	s.Dynamic = optional(f, "dynamic", p.dynamic)
	if s.Map != nil {
		p.checkMap(f, s)
	}
}

func (p *reader) stream(v value) bool {
	if v.kind == kindFlag {
		return p.flag(v)
	}
	p.word(v, "tokens")
	return true
}

func (p *reader) mapped(v value) *Map {
	f := p.shaped(v, &p.grammar.mapped)
	m := &Map{
		Over:        optional(f, "over", p.outside(listResult)),
		MaxParallel: optional(f, "max_parallel", p.count(MaxMapItems)),
		DeadlineMS:  optional(f, "deadline", p.duration),
	}
	if join, found := f.get("join"); found {
		p.join(m, join)
	}
	if tolerate, found := f.get("tolerate"); found {
		p.tolerance(m, tolerate)
		if m.Join != JoinAll {
			p.report(tolerate, "tolerate is only for join: all", "leave one out")
		}
	}
	return m
}

func (p *reader) join(m *Map, v value) {
	if v.kind == kindObject {
		m.Join = JoinN
		m.N = optional(p.shaped(v, &p.grammar.join), "n_of", p.count(MaxMapItems))
		return
	}
	switch p.word(v, "all", "any", "all_settled") {
	case "any":
		m.Join = JoinAny
	case "all_settled":
		m.Join = JoinSettled
	}
}

func (p *reader) tolerance(m *Map, v value) {
	count := func(v value) int { return int(p.number(v, 0, MaxMapItems)) }
	switch v.kind {
	case kindObject:
		f := p.shaped(v, &p.grammar.tolerance)
		m.TolerateCount = optional(f, "count", count)
		m.TolerateShare = optional(f, "share", p.percent)
	case kindNumber:
		m.TolerateCount = count(v)
	case kindText, kindFlag, kindNothing, kindList:
		m.TolerateShare = p.percent(v)
	}
}

func (p *reader) percent(v value) int {
	source, ok := p.scalar(v, "a percentage")
	if !ok {
		return 0
	}
	share, err := parsePercent(source)
	if err != nil {
		p.report(v, fmt.Sprintf("%s is no percentage", quoted(source)), "percentages are written as 2% or 2.5%, from 0% to 100%")
	}
	return share
}

// checkMap looks at a map's deadline beside the timeouts that end it too.
func (p *reader) checkMap(f *fields, s *Step) {
	ms := s.Map.DeadlineMS
	at, _ := f.get("map")
	switch {
	case s.TimeoutMS > 0 && ms > s.TimeoutMS:
		p.report(at, fmt.Sprintf("the map's deadline is longer than the step's timeout, %s", formatDuration(s.TimeoutMS)), "")
	case p.timeoutMS > 0 && ms > p.timeoutMS:
		p.report(at, fmt.Sprintf("the map's deadline is longer than the workflow's timeout, %s", formatDuration(p.timeoutMS)), "")
	}
}

// uses reads a step's limits, in ascending order of their numbers.
func (p *reader) uses(v value, limits []Limit) []Use {
	var uses []Use
	for _, item := range p.listed(v) {
		u, ok := p.use(item, limits)
		if !ok {
			continue
		}
		at, twice := slices.BinarySearchFunc(uses, u, func(a, b Use) int { return a.Limit - b.Limit })
		if twice {
			p.report(item, fmt.Sprintf("the limit %s stands here twice", shownName(limits[u.Limit].Name)), "leave one out")
			continue
		}
		uses = slices.Insert(uses, at, u)
	}
	return uses
}

func (p *reader) use(v value, limits []Limit) (u Use, ok bool) {
	named := v
	if v.kind == kindObject {
		f := p.shaped(v, &p.grammar.use)
		if named, ok = f.get("use"); !ok {
			return u, false
		}
		if cost, found := f.get("cost"); found {
			u.Costs = p.costs(cost)
		}
		defer func() {
			if ok {
				p.checkCosts(f, &u, &limits[u.Limit])
			}
		}()
	}
	name, ok := p.scalar(named, "the name of a limit")
	if !ok {
		return u, false
	}
	if u.Limit, ok = slices.BinarySearch(p.limits, name); !ok {
		_, suggestion := p.guess(name, p.limits)
		p.report(named, fmt.Sprintf("there is no limit %s", quoted(name)), suggestion)
		return u, false
	}
	if p.items[u.Limit] && !p.inMap {
		p.report(named, fmt.Sprintf("the key of the limit %s depends on a map's item, and this step has no map", shownName(name)), "")
	}
	return u, true
}

func (p *reader) costs(v value) []Cost {
	var costs []Cost
	for _, e := range p.members(v, MaxList) {
		costs = append(costs, Cost{Unit: e.key.text, Amount: p.perJob(intResult)(v.at(e))})
	}
	return costs
}

// checkCosts refuses costs of units that the limit does not count.
func (p *reader) checkCosts(f *fields, u *Use, l *Limit) {
	units := make([]string, len(l.Rates))
	for i := range l.Rates {
		units[i] = l.Rates[i].Unit
	}
	cost, _ := f.get("cost")
	for _, c := range u.Costs {
		if slices.Contains(units, c.Unit) {
			continue
		}
		_, suggestion := p.guess(c.Unit, units)
		p.report(cost, fmt.Sprintf("the limit %s has no rate of %s", shownName(l.Name), quoted(c.Unit)), suggestion)
	}
}

func (p *reader) compensation(v value) *Compensation {
	f := p.shaped(v, &p.grammar.compensation)
	c := &Compensation{
		Channel: optional(f, "channel", p.channel),
		Input:   optional(f, "input", p.perJob(anyResult)),
		Policy:  p.policy(f).Policy,
	}
	if on, found := f.get("on"); found {
		c.OnStarted = p.word(on, "completed", "started") == "started"
	}
	p.checkPolicy(f, &c.Policy)
	return c
}

func (p *reader) memo(v value) *Memo {
	f := p.shaped(v, &p.grammar.memo)
	m := &Memo{Key: optional(f, "key", p.perJob(anyResult)), TTLMS: optional(f, "ttl", p.duration)}
	fill(&m.TTLMS, defaultMemoMS)
	return m
}

func (p *reader) dynamic(v value) *Dynamic {
	f := p.shaped(v, &p.grammar.dynamic)
	d := &Dynamic{
		Allow:     optional(f, "allow", func(v value) []string { return p.set(v, p.channel) }),
		MaxDepth:  optional(f, "max_depth", p.count(maxDynamicDepth)),
		MaxEvents: optional(f, "max_events", p.count(maxDynamicEvents)),
	}
	fill(&d.MaxDepth, defaultDynamicDepth)
	fill(&d.MaxEvents, defaultDynamicEvents)
	return d
}
