package workflow

import "fmt"

// definition reads the whole.
func (p *reader) definition(v value) *Definition {
	f := p.shaped(v, &p.grammar.definition)
	d := &Definition{
		Name:               optional(f, "workflow", p.name),
		Key:                p.runKey(f),
		TimeoutMS:          optional(f, "timeout", p.duration),
		CancelOnDisconnect: optional(f, "on_client_disconnect", p.disconnect),
		Budget:             optional(f, "budget", p.budget),
		Finally:            optional(f, "finally", p.finally),
	}
	optional(f, "description", p.text)
	p.timeoutMS = d.TimeoutMS
	if start, found := f.get("start"); found {
		p.start(d, start)
	}
	if failure, found := f.get("on_failure"); found {
		p.onFailure(d, failure)
	}
	if defaults, found := f.get("defaults"); found {
		held := p.shaped(defaults, &p.grammar.defaults)
		p.defaults = p.policy(held)
		p.checkPolicy(held, &p.defaults.Policy)
		p.defaultPriority = optional(held, "priority", p.priority)
	}
	if limits, found := f.get("limits"); found {
		d.Limits = p.allLimits(limits)
	}
	if steps, found := f.get("steps"); found {
		p.allSteps(d, steps, f)
	}
	return d
}

// runKey reads the run's key, which is evaluated when there is no run yet. That of the
// event is the same as none.
func (p *reader) runKey(f *fields) *Expr {
	v, found := f.get("key")
	if !found {
		return nil
	}
	e := p.expression(textResult)(v)
	if e == nil || e.Source == "event.key" {
		return nil
	}
	for _, name := range e.Refs() {
		if name != "event" && name != "tenant" {
			p.report(v, fmt.Sprintf("%s is not known when a run begins", name), "the key may use event and tenant")
		}
	}
	return e
}

func (p *reader) disconnect(v value) bool { return p.word(v, "continue", "cancel") == "cancel" }

func (p *reader) start(d *Definition, v value) {
	f := p.shaped(v, &p.grammar.start)
	if on, found := f.get("on"); found {
		d.On = p.set(on, p.channel)
	}
	if idempotency, found := f.get("idempotency"); found {
		held := p.shaped(idempotency, &p.grammar.idempotency)
		if key, given := held.get("key"); given && key.text != "event.idempotency_key" {
			p.report(key, "a start's idempotency key is that of its event", "write event.idempotency_key, or leave the key out")
		}
		if on, given := held.get("on_duplicate"); given && p.word(on, "attach", "reject") == "reject" {
			d.OnDuplicate = Reject
		}
	}
}

// budgetDigits are those of a cost behind the point.
const budgetDigits = 6

func (p *reader) budget(v value) Budget {
	f := p.shaped(v, &p.grammar.budget)
	whole := func(v value) int64 { return p.number(v, 1, maxCount) }
	return Budget{
		Steps:  optional(f, "steps", whole),
		Tokens: optional(f, "tokens", whole),
		MicroCost: optional(f, "cost", func(v value) int64 {
			n := p.decimal(v, budgetDigits)
			if n == 0 {
				p.report(v, "a budget must be more than 0", "")
			}
			return n
		}),
	}
}

func (p *reader) onFailure(d *Definition, v value) {
	if v.kind != kindObject {
		switch p.word(v, "fail", "incident", "compensate") {
		case "incident":
			d.OnFailure = Incident
		case "compensate":
			d.OnFailure = Compensate
		}
		return
	}
	d.OnFailure = Compensate
	f := p.shaped(v, &p.grammar.onFailure)
	if order, found := f.get("compensate"); found {
		d.Parallel = p.word(order, "reverse", "parallel") == "parallel"
	}
	if handler, found := f.get("on_handler_failure"); found {
		switch p.word(handler, "incident", "continue", "abort") {
		case "continue":
			d.OnHandlerFailure = HandlerContinue
		case "abort":
			d.OnHandlerFailure = HandlerAbort
		}
	}
}

func (p *reader) finally(v value) []Action {
	actions := p.actions(p.shaped(v, &p.grammar.actions))
	if len(actions) == 0 && v.kind == kindObject {
		p.report(v, "nothing to do", "give emit or notify, or leave finally out")
	}
	return actions
}

// allLimits reads the limits, in ascending order of their names.
func (p *reader) allLimits(v value) []Limit {
	var limits []Limit
	for _, e := range p.members(v, MaxLimits) {
		p.limits = append(p.limits, e.key.text)
		l := p.limit(v.at(e))
		l.Name = e.key.text
		limits = append(limits, l)
		p.items = append(p.items, perItem(l.Key) != "")
	}
	return limits
}

func (p *reader) limit(v value) Limit {
	f := p.shaped(v, &p.grammar.limit)
	l := Limit{
		Key:      optional(f, "key", p.expression(textResult)),
		Rates:    optional(f, "rate", p.rates),
		Adaptive: optional(f, "adaptive", p.flag),
	}
	most := p.count(maxCount)
	if bounds, found := f.get("max_in_flight"); found && bounds.kind == kindObject {
		held := p.shaped(bounds, &p.grammar.bounds)
		l.MaxInFlight, l.MinInFlight = optional(held, "max", most), optional(held, "min", most)
		if l.MinInFlight > l.MaxInFlight {
			p.report(bounds, "min is more than max", "")
		}
		if adaptive, given := f.get("adaptive"); given && !l.Adaptive {
			p.report(adaptive, "max_in_flight with min and max is adaptive", "give max_in_flight one number, or leave adaptive out")
		}
		l.Adaptive = true
	} else if found {
		l.MaxInFlight = most(bounds)
	}
	if l.Adaptive {
		l.MinInFlight = max(1, l.MinInFlight)
	}
	switch {
	case v.kind == kindObject && !f.has("max_in_flight") && !f.has("rate"):
		p.report(v, "the limit limits nothing", "give max_in_flight or rate")
	case l.Adaptive && !f.has("max_in_flight"):
		p.report(v, "adaptive needs max_in_flight", "")
	}
	return l
}

func (p *reader) rates(v value) []Rate {
	var rates []Rate
	for _, e := range p.members(v, MaxList) {
		at := v.at(e)
		r := Rate{Unit: e.key.text}
		if source, ok := p.scalar(at, "a rate"); ok {
			var err error
			if r.Count, r.PerMS, err = parseRate(source); err != nil {
				p.report(at, fmt.Sprintf("%s is no rate", quoted(source)), "rates are written as 500/min, 20/s or 100/10s")
			}
		}
		rates = append(rates, r)
	}
	return rates
}
