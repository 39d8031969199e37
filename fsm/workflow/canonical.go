package workflow

// canonical is the definition in its one form: every list a list, every word and duration
// in one way, defaults of the workflow in its steps, keys in ascending order, and what
// holds anyway left out. The version is its hash and the state keeps it: what is written
// for a definition never changes.
func (d *Definition) canonical() written {
	o := &writtenObject{}
	o.text("workflow", d.Name)
	start := &writtenObject{}
	start.texts("on", d.On)
	if d.OnDuplicate == Reject {
		start.put("idempotency", new(writtenObject).text("on_duplicate", "reject"))
	}
	o.object("start", start)
	o.expression("key", d.Key)
	o.duration("timeout", d.TimeoutMS)
	if d.CancelOnDisconnect {
		o.text("on_client_disconnect", "cancel")
	}
	limits := &writtenObject{}
	for i := range d.Limits {
		limits.put(d.Limits[i].Name, d.Limits[i].canonical())
	}
	o.object("limits", limits)
	o.object("budget", d.Budget.canonical())
	steps := &writtenObject{}
	for i := range d.Steps {
		steps.put(d.Steps[i].Name, d.canonicalStep(&d.Steps[i]))
	}
	o.put("steps", steps)
	o.text("first", d.Steps[d.First].Name)
	d.putFailure(o)
	o.object("finally", putActions(&writtenObject{}, d.Finally))
	return o
}

func (d *Definition) putFailure(o *writtenObject) {
	switch d.OnFailure {
	case FailRun:
	case Incident:
		o.text("on_failure", "incident")
	case Compensate:
		policy := new(writtenObject).text("compensate", "reverse")
		if d.Parallel {
			policy = new(writtenObject).text("compensate", "parallel")
		}
		switch d.OnHandlerFailure {
		case HandlerIncident:
		case HandlerContinue:
			policy.text("on_handler_failure", "continue")
		case HandlerAbort:
			policy.text("on_handler_failure", "abort")
		}
		o.put("on_failure", policy)
	}
}

func (l *Limit) canonical() *writtenObject {
	o := &writtenObject{}
	o.expression("key", l.Key)
	if l.Adaptive {
		o.put("max_in_flight", new(writtenObject).count("min", int64(l.MinInFlight)).count("max", int64(l.MaxInFlight)))
	} else {
		o.count("max_in_flight", int64(l.MaxInFlight))
	}
	rates := &writtenObject{}
	for _, r := range l.Rates {
		rates.put(r.Unit, writtenRate(r.Count, r.PerMS))
	}
	o.object("rate", rates)
	return o
}

func (b Budget) canonical() *writtenObject {
	o := &writtenObject{}
	o.count("tokens", b.Tokens).count("steps", b.Steps)
	if b.MicroCost > 0 {
		o.put("cost", writtenNumber(formatDecimal(b.MicroCost, budgetDigits)))
	}
	return o
}

func (d *Definition) canonicalStep(s *Step) *writtenObject {
	o := &writtenObject{}
	switch s.Kind {
	case Task:
		d.putTask(o, s)
	case Wait:
		o.put("wait", s.Wait.canonical())
	case Call:
		o.put("call", s.Call.canonical())
	case Act:
		putActions(o, s.Actions)
	case Fail:
		o.put("fail", new(writtenObject).text("code", s.Error.Code).expression("message", s.Error.Message))
	}
	o.expression("input", s.Input).duration("timeout", s.TimeoutMS)
	var next, catch writtenList
	for _, e := range s.Next {
		next = append(next, new(writtenObject).expression("when", e.When).text("to", d.Steps[e.To].Name).count("max", int64(e.Max)))
	}
	for _, c := range s.Catch {
		catch = append(catch, new(writtenObject).texts("codes", c.Codes).text("to", d.Steps[c.To].Name).count("max", int64(c.Max)))
	}
	o.list("next", next).list("catch", catch)
	if len(s.Next) == 0 && s.Kind != Fail {
		o.flag("end", true).expression("result", s.Output)
	}
	return o
}

func (d *Definition) putTask(o *writtenObject, s *Step) {
	o.text("channel", s.Channel).count("priority", int64(s.Priority))
	o.flag("stream", s.Stream).flag("pivot", s.Pivot)
	s.Policy.put(o)
	if s.Map != nil {
		o.put("map", s.Map.canonical())
	}
	var uses writtenList
	for _, u := range s.Uses {
		costs := &writtenObject{}
		for _, c := range u.Costs {
			costs.expression(c.Unit, c.Amount)
		}
		uses = append(uses, new(writtenObject).text("use", d.Limits[u.Limit].Name).object("cost", costs))
	}
	o.list("limits", uses)
	if c := s.Compensation; c != nil {
		held := new(writtenObject).text("channel", c.Channel).expression("input", c.Input)
		if c.OnStarted {
			held.text("on", "started")
		}
		c.Policy.put(held)
		o.put("compensate", held)
	}
	if m := s.Memo; m != nil {
		o.put("memo", new(writtenObject).expression("key", m.Key).duration("ttl", m.TTLMS))
	}
	if y := s.Dynamic; y != nil {
		o.put("dynamic", new(writtenObject).texts("allow", y.Allow).count("max_depth", int64(y.MaxDepth)).count("max_events", int64(y.MaxEvents)))
	}
}

func (y *Policy) put(o *writtenObject) {
	o.duration("lease", y.LeaseMS).duration("schedule_to_start", y.ScheduleToStart).duration("start_to_close", y.StartToClose)
	backoff := new(writtenObject).duration("initial", y.BackoffMS).duration("max", y.MaxBackoffMS)
	if y.Factor > 0 {
		backoff.put("factor", writtenNumber(formatDecimal(int64(y.Factor), factorDigits)))
	}
	if y.FullJitter {
		backoff.text("jitter", "full")
	}
	retry := new(writtenObject).count("max_attempts", int64(y.MaxAttempts)).count("lease_losses", int64(y.LeaseLosses))
	retry.texts("on", y.RetryOn).texts("not_on", y.GiveUpOn).object("backoff", backoff)
	o.object("retry", retry)
}

func (m *Map) canonical() *writtenObject {
	o := &writtenObject{}
	o.expression("over", m.Over).count("max_parallel", int64(m.MaxParallel)).duration("deadline", m.DeadlineMS)
	switch m.Join {
	case JoinAll:
	case JoinAny:
		o.text("join", "any")
	case JoinN:
		o.put("join", new(writtenObject).count("n_of", int64(m.N)))
	case JoinSettled:
		o.text("join", "all_settled")
	}
	tolerate := new(writtenObject).count("count", int64(m.TolerateCount))
	if m.TolerateShare > 0 {
		tolerate.text("share", formatDecimal(int64(m.TolerateShare), 2)+"%")
	}
	o.object("tolerate", tolerate)
	return o
}

func (w *Waiting) canonical() *writtenObject {
	var parts writtenList
	for i := range w.Parts {
		part := &w.Parts[i]
		o := new(writtenObject).text("message", part.Message).expression("key", part.Key).expression("until", part.Until)
		parts = append(parts, o.duration("timer", part.AfterMS).expression("timer", part.After))
	}
	if w.All {
		return new(writtenObject).list("all_of", parts)
	}
	return new(writtenObject).list("any_of", parts)
}

func (c *Calling) canonical() *writtenObject {
	return new(writtenObject).text("workflow", c.Workflow).text("alias", c.Alias).expression("key", c.Key).flag("detach", c.Detach)
}

// putActions writes actions in the order in which they are done: by their kind.
func putActions(o *writtenObject, actions []Action) *writtenObject {
	sets := &writtenObject{}
	var emits, notifies writtenList
	for _, a := range actions {
		if a.Set != nil {
			sets.expression(a.Set.Name, a.Set.Value)
		}
		if e := a.Emit; e != nil {
			held := new(writtenObject).text("channel", e.Channel).expression("data", e.Data).expression("key", e.Key)
			emits = append(emits, held.expression("client", e.Client).duration("delay", e.DelayMS))
		}
		if n := a.Notify; n != nil {
			notifies = append(notifies, new(writtenObject).expression("client", n.Client).text("name", n.Name).expression("data", n.Data))
		}
	}
	return o.object("set", sets).list("emit", emits).list("notify", notifies)
}
