package workflow

// What follows is the language's one list of keys. Parse refuses keys that are not in it;
// schema.json and the tables of docs/workflows.md are made of it.

// shape is an object of the language.
type shape struct {
	// name is its place in schema.json and in the reference.
	name string
	keys []key
}

// key is a key of an object.
type key struct {
	name     string
	form     form
	required bool
	// standard is what holds without the key, text what it means.
	standard, text string
}

// has tells whether a shape knows a key.
func (s *shape) has(name string) bool {
	for i := range s.keys {
		if s.keys[i].name == name {
			return true
		}
	}
	return false
}

// names are the shape's keys.
func (s *shape) names() []string {
	names := make([]string, len(s.keys))
	for i := range s.keys {
		names[i] = s.keys[i].name
	}
	return names
}

// form is what a value looks like.
type form struct {
	is formKind
	// words are what an aWord may be.
	words []string
	// shape is the name of an anObject's.
	shape string
	// of are the alternatives of an anyOf, or what a list or map holds.
	of []form
}

// formKind is the kind of a form.
type formKind uint8

const (
	aText formKind = iota
	aName
	aStep
	aCode
	anExpression
	aDuration
	aCount
	aFlag
	aPercent
	aRate
	aDecimal
	aWord
	anObject
	aList
	aMap
	anyOf
)

func word(words ...string) form         { return form{is: aWord, words: words} }
func shaped(name string) form           { return form{is: anObject, shape: name} }
func listOf(of form) form               { return form{is: aList, of: []form{of}} }
func mapOf(of form) form                { return form{is: aMap, of: []form{of}} }
func either(forms ...form) form         { return form{is: anyOf, of: forms} }
func oneOrMore(of form) form            { return either(of, listOf(of)) }
func simple(is formKind) form           { return form{is: is} }
func withNone(s form, w ...string) form { return either(word(w...), s) }

// grammar is all shapes of the language.
type grammar struct {
	definition, start, idempotency, limit, bounds, defaults shape
	budget, onFailure, actions, step, retry, backoff, edge  shape
	catch, mapped, join, tolerance, use, compensation, memo shape
	dynamic, wait, part, call, emit, notify, failure        shape
}

// shapes are those of the grammar in the order of the reference.
func (g *grammar) shapes() []*shape {
	return []*shape{
		&g.definition, &g.start, &g.idempotency, &g.limit, &g.bounds, &g.defaults, &g.budget,
		&g.onFailure, &g.actions, &g.step, &g.retry, &g.backoff, &g.edge, &g.catch, &g.mapped,
		&g.join, &g.tolerance, &g.use, &g.compensation, &g.memo, &g.dynamic, &g.wait, &g.part,
		&g.call, &g.emit, &g.notify, &g.failure,
	}
}

func newGrammar() *grammar {
	g := &grammar{
		definition: definitionShape(),
		step:       shape{"step", stepKeys()},
		defaults:   shape{"defaults", append(policyKeys("the channel's"), priorityKey())},
		actions:    shape{"finally", actionKeys()},
	}
	g.addHeadShapes()
	g.addStepShapes()
	g.addWaitShapes()
	return g
}

func definitionShape() shape {
	return shape{"definition", []key{
		{"workflow", simple(aName), true, "", "The workflow's name."},
		{"description", simple(aText), false, "", "Text for readers. It changes nothing, and makes no new version."},
		{"start", shaped("start"), false, "by API or call only", "Which events start a run."},
		{"key", simple(anExpression), false, "the event's key", "The run's partition key, as text. It sees `event` and `tenant`."},
		{"timeout", simple(aDuration), false, "none", "For how long a run may go on, its waits included."},
		{"on_client_disconnect", word("continue", "cancel"), false, "continue", "What becomes of a run when its client's last device leaves."},
		{"limits", mapOf(shaped("limit")), false, "", "Limits that steps can use, by name."},
		{"defaults", shaped("defaults"), false, "", "What holds for each step with a channel that says nothing else."},
		{"budget", shaped("budget"), false, "none", "What a run may use before it fails."},
		{"first", simple(aStep), false, "the step written first", "The step that a run begins with."},
		{"steps", mapOf(shaped("step")), true, "", "The steps, by name. Their order means nothing, except that a run begins with the first unless `first` names another."},
		{"on_failure", withNone(shaped("on_failure"), "fail", "incident", "compensate"), false, "fail", "What becomes of a run whose step has failed for good."},
		{"finally", shaped("finally"), false, "", "What is done at a run's end, however it ends."},
	}}
}

func (g *grammar) addHeadShapes() {
	g.start = shape{"start", []key{
		{"on", oneOrMore(simple(aName)), false, "by API or call only", "The channels whose events start a run."},
		{"idempotency", shaped("idempotency"), false, "", "What makes two starts one."},
	}}
	g.idempotency = shape{"idempotency", []key{
		{"key", word("event.idempotency_key"), false, "event.idempotency_key", "A start's idempotency key is that of its event."},
		{"on_duplicate", word("attach", "reject"), false, "attach", "A second start under one key is answered with the first run, or refused."},
	}}
	g.limit = shape{"limit", []key{
		{"key", simple(anExpression), false, "all jobs of the tenant", "Which jobs share it, as text: those for which it is equal."},
		{"max_in_flight", either(simple(aCount), shaped("max_in_flight")), false, "any number", "How many jobs may be leased at a time."},
		{"rate", mapOf(simple(aRate)), false, "any", "How much of a unit is let through in a time, by unit. `calls` counts jobs; other units are what `cost` says."},
		{"adaptive", simple(aFlag), false, "false", "Whether `max_in_flight` is lowered when a worker is throttled, and raised again when jobs succeed."},
	}}
	g.bounds = shape{"max_in_flight", []key{
		{"min", simple(aCount), false, "1", "How far an adaptive limit is lowered."},
		{"max", simple(aCount), true, "", "How far it is raised."},
	}}
	g.budget = shape{"budget", []key{
		{"tokens", simple(aCount), false, "any number", "How many tokens the run's workers may report."},
		{"cost", simple(aDecimal), false, "any amount", "What they may cost together, with up to six digits behind the point."},
		{"steps", simple(aCount), false, "any number", "How many steps the run may take, each iteration counted."},
	}}
	g.onFailure = shape{"on_failure", []key{
		{"compensate", word("reverse", "parallel"), false, "reverse", "Undo the steps in reverse order, one after another, or a map's items side by side."},
		{"on_handler_failure", word("incident", "continue", "abort"), false, "incident", "When a compensation fails for good: wait for an operator, go on with the next, or end the run as partially compensated."},
	}}
}

// actionKeys are the keys of what is done at once.
func actionKeys() []key {
	return []key{
		{"emit", oneOrMore(shaped("emit")), false, "", "Events to publish."},
		{"notify", oneOrMore(shaped("notify")), false, "", "Notifications to clients."},
	}
}

// policyKeys are the keys that say how a job is tried.
func policyKeys(standard string) []key {
	return []key{
		{"lease", simple(aDuration), false, standard, "A lease's term, 100ms to 12h. A worker renews it."},
		{"schedule_to_start", simple(aDuration), false, "none", "For how long a job may wait for a worker."},
		{"start_to_close", simple(aDuration), false, "none", "For how long one attempt may go on, however often its lease is renewed."},
		{"retry", shaped("retry"), false, standard, "How failures are tried again."},
	}
}

func priorityKey() key {
	return key{"priority", simple(aCount), false, "0", "The class of the jobs, 0 to 9; higher ones go first."}
}
