package workflow

// stepKeys are the keys of a step: those of all, then those of each kind.
func stepKeys() []key {
	keys := []key{
		{"description", simple(aText), false, "", "Text for readers. It changes nothing."},
		{"next", either(simple(aStep), shaped("next"), listOf(shaped("next"))), false, "", "Where the run goes on: a step, or edges of which the first whose `when` holds is taken."},
		{"end", simple(aFlag), false, "false", "The run ends here, as succeeded."},
		{"result", simple(anExpression), false, "the step's output", "The run's result, with `end: true`. `output` means the same."},
		{"output", simple(anExpression), false, "", "The same as `result`."},
		{"catch", oneOrMore(shaped("catch")), false, "", "Where the run goes on after an error, before `on_failure` has its say. Of steps with `channel`, `wait` or `call`."},
		{"timeout", simple(aDuration), false, "none", "For how long the step may go on, all attempts together. Of steps with `channel`, `wait` or `call`."},
		{"input", simple(anExpression), false, "the output of the step before", "What the job, or the called run, is given. The first step gets the event's data without it, a map's job its item. Of steps with `channel` or `call`."},
		{"channel", simple(aName), false, "", "The step is worked on by a worker of this channel."},
		{"map", shaped("map"), false, "", "Runs the step for each item of a list."},
		{"limits", oneOrMore(either(simple(aName), shaped("limits"))), false, "", "The limits that each job takes part in."},
		{"stream", either(simple(aFlag), word("tokens")), false, "false", "`tokens` or `true`: what workers stream goes to the client while they run."},
		{"compensate", shaped("compensate"), false, "", "How the step is undone."},
		{"pivot", simple(aFlag), false, "false", "When the step is done, nothing before it is undone any more."},
		{"memo", shaped("memo"), false, "", "Keeps results, and uses them again instead of running the step."},
		{"dynamic", shaped("dynamic"), false, "", "Lets the step's worker emit further steps, as agents do."},
		priorityKey(),
	}
	keys = append(keys, policyKeys("of `defaults`, then the channel's")...)
	keys = append(keys,
		key{"wait", shaped("wait"), false, "", "The step waits for a message or a time."},
		key{"call", shaped("call"), false, "", "The step starts a run of another workflow, or of its own, and waits for its end."},
		key{"set", mapOf(simple(anExpression)), false, "", "Values for `vars`, by name. They are set in the order of their names."})
	keys = append(keys, actionKeys()...)
	return append(keys, key{"fail", shaped("fail"), false, "", "The run fails with this error."})
}

func (g *grammar) addStepShapes() {
	g.retry = shape{"retry", []key{
		{"max_attempts", simple(aCount), false, "the channel's", "How many failures end the job, the first among them."},
		{"backoff", shaped("backoff"), false, "the channel's", "How long to wait before the next attempt."},
		{"lease_losses", simple(aCount), false, "the channel's", "How many leases may be lost before the job ends. They are no failures."},
		{"on", oneOrMore(simple(aCode)), false, "all", "The only error codes that are tried again."},
		{"not_on", oneOrMore(simple(aCode)), false, "none", "Error codes that are not tried again."},
	}}
	g.backoff = shape{"backoff", []key{
		{"initial", simple(aDuration), false, "the channel's", "The delay after the first failure."},
		{"factor", simple(aDecimal), false, "2", "What the delay is multiplied by after each failure, 1 to 100, with up to two digits behind the point."},
		{"max", simple(aDuration), false, "the channel's", "The longest delay."},
		{"jitter", word("full", "none"), false, "none", "`full` takes a delay between nothing and the whole of it, so that those who failed together do not come back together."},
	}}
	g.edge = shape{"next", []key{
		{"when", simple(anExpression), false, "always", "Whether the edge is taken: true or false."},
		{"to", simple(aStep), true, "", "The step that it leads to."},
		{"max", simple(aCount), false, "", "How often a run may take it, 1 to 1000. Each way back has such an edge; one that is used up is passed over."},
	}}
	g.catch = shape{"catch", []key{
		{"codes", oneOrMore(simple(aCode)), false, "any", "The errors' codes."},
		{"to", simple(aStep), true, "", "The step that it leads to. It finds the error in `error`."},
		{"max", simple(aCount), false, "", "How often a run may take it, 1 to 1000, as with `next`."},
	}}
	g.mapped = shape{"map", []key{
		{"over", simple(anExpression), true, "", "The list, of at most 10000 items."},
		{"max_parallel", simple(aCount), false, "all", "How many items are worked on side by side."},
		{"join", either(word("all", "any", "all_settled"), shaped("join")), false, "all", "What the step waits for: all items, one that succeeds, all whether they succeed or not, or a number that succeed."},
		{"tolerate", either(simple(aCount), simple(aPercent), shaped("tolerate")), false, "0", "How many items may fail with `join: all`, as a number or a share."},
		{"deadline", simple(aDuration), false, "none", "Ends the map with the results that there are by then."},
	}}
	g.join = shape{"join", []key{{"n_of", simple(aCount), true, "", "How many items must succeed."}}}
	g.tolerance = shape{"tolerate", []key{
		{"count", simple(aCount), false, "0", "A number of items."},
		{"share", simple(aPercent), false, "0%", "A share of the items. The larger of both counts."},
	}}
	g.use = shape{"limits", []key{
		{"use", simple(aName), true, "", "The limit."},
		{"cost", mapOf(simple(anExpression)), false, "one of `calls`", "What a job is charged when it is leased, by unit: whole numbers."},
	}}
	g.compensation = shape{"compensate", append([]key{
		{"channel", simple(aName), true, "", "The channel whose workers undo the step."},
		{"input", simple(anExpression), false, "the step's output", "What they are given, evaluated when the step is done."},
		{"on", word("completed", "started"), false, "completed", "`started` undoes the step also if it was begun and nobody knows what came of it."},
	}, policyKeys("the channel's")...)}
	g.memo = shape{"memo", []key{
		{"key", simple(anExpression), true, "", "What a result depends on, of any type. Steps of one name in one workflow share results."},
		{"ttl", simple(aDuration), false, "1d", "For how long a result is kept."},
	}}
	g.dynamic = shape{"dynamic", []key{
		{"allow", oneOrMore(simple(aName)), true, "", "The channels that may be emitted to."},
		{"max_depth", simple(aCount), false, "8", "How long a chain of emitted steps may become, 1 to 1000."},
		{"max_events", simple(aCount), false, "1000", "How many steps may be emitted, 1 to 100000."},
	}}
}

func (g *grammar) addWaitShapes() {
	part := func() []key {
		return []key{
			{"message", simple(aName), false, "", "A message's name."},
			{"key", simple(anExpression), false, "run.id", "The message's key, as text."},
			{"timer", either(simple(aDuration), simple(anExpression)), false, "", "A length of time, or an expression for one."},
			{"until", simple(anExpression), false, "", "An expression for a time: a timestamp, RFC 3339 text or Unix milliseconds."},
		}
	}
	g.wait = shape{"wait", append([]key{
		{"any_of", listOf(shaped("any_of")), false, "", "Waits for the first of these."},
		{"all_of", listOf(shaped("any_of")), false, "", "Waits for all of these."},
	}, part()...)}
	g.part = shape{"any_of", part()}
	g.call = shape{"call", []key{
		{"workflow", simple(aName), true, "", "The workflow's name."},
		{"alias", simple(aName), false, "prod", "An alias of it, or a version."},
		{"key", simple(anExpression), false, "the run's key", "The called run's key, as text."},
		{"detach", simple(aFlag), false, "false", "Goes on at once, without waiting for its end."},
	}}
	g.emit = shape{"emit", []key{
		{"channel", simple(aName), true, "", "The channel."},
		{"data", simple(anExpression), false, "null", "The event's data."},
		{"key", simple(anExpression), false, "the run's key", "The event's key, as text."},
		{"client", simple(anExpression), false, "the run's client", "The event's client, as text."},
		{"delay", simple(aDuration), false, "none", "How long to wait before the event is worked on."},
	}}
	g.notify = shape{"notify", []key{
		{"client", simple(anExpression), false, "the run's client", "The client, as text."},
		{"name", simple(aName), true, "", "The notification's name."},
		{"data", simple(anExpression), false, "null", "Its data."},
	}}
	g.failure = shape{"fail", []key{
		{"code", simple(aCode), true, "", "The error's code."},
		{"message", simple(anExpression), false, "none", "Its message, as text: an expression, so words stand in quotes of their own."},
	}}
}
