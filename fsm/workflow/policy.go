package workflow

import "fmt"

// The bounds of a lease, those of the state machine.
const (
	minLeaseMS = 100
	maxLeaseMS = 12 * hour
)

const (
	// maxAttempts is the highest number of attempts, or of lost leases.
	maxAttempts = 1_000_000
	// maxPriority is the most urgent class of jobs.
	maxPriority = 9
	// factorDigits are those of a factor behind the point, maxFactor its highest value.
	factorDigits = 2
	maxFactor    = 100_00
)

// draft is a policy of which it is known what was said.
type draft struct {
	Policy

	jitter string
}

// policy reads how a job is tried.
func (p *reader) policy(f *fields) draft {
	var d draft
	d.LeaseMS = optional(f, "lease", p.lease)
	d.ScheduleToStart = optional(f, "schedule_to_start", p.duration)
	d.StartToClose = optional(f, "start_to_close", p.duration)
	if v, found := f.get("retry"); found {
		p.retry(&d, p.shaped(v, &p.grammar.retry))
	}
	return d
}

func (p *reader) lease(v value) int64 {
	ms := p.duration(v)
	if ms != 0 && (ms < minLeaseMS || ms > maxLeaseMS) {
		p.report(v, "a lease is of 100ms to 12h", "leases are renewed; for how long an attempt may go on is start_to_close")
	}
	return ms
}

func (p *reader) retry(d *draft, f *fields) {
	d.MaxAttempts = optional(f, "max_attempts", p.count(maxAttempts))
	d.LeaseLosses = optional(f, "lease_losses", p.count(maxAttempts))
	codes := func(v value) []string { return p.set(v, p.code) }
	d.RetryOn, d.GiveUpOn = optional(f, "on", codes), optional(f, "not_on", codes)
	if v, found := f.get("backoff"); found {
		p.backoff(d, p.shaped(v, &p.grammar.backoff))
	}
}

func (p *reader) backoff(d *draft, f *fields) {
	d.BackoffMS = optional(f, "initial", p.duration)
	d.MaxBackoffMS = optional(f, "max", p.duration)
	d.Factor = optional(f, "factor", func(v value) int {
		n := p.decimal(v, factorDigits)
		if n < 100 || n > maxFactor {
			p.report(v, "a factor is from 1 to 100", "")
		}
		return int(n)
	})
	d.jitter = optional(f, "jitter", func(v value) string { return p.word(v, "full", "none") })
	d.FullJitter = d.jitter == "full"
}

// over is the policy with what others have that it says nothing of.
func (d draft) over(others draft) draft {
	fill(&d.LeaseMS, others.LeaseMS)
	fill(&d.ScheduleToStart, others.ScheduleToStart)
	fill(&d.StartToClose, others.StartToClose)
	fill(&d.MaxAttempts, others.MaxAttempts)
	fill(&d.LeaseLosses, others.LeaseLosses)
	fill(&d.BackoffMS, others.BackoffMS)
	fill(&d.MaxBackoffMS, others.MaxBackoffMS)
	fill(&d.Factor, others.Factor)
	fill(&d.jitter, others.jitter)
	d.FullJitter = d.jitter == "full"
	if d.RetryOn == nil {
		d.RetryOn = others.RetryOn
	}
	if d.GiveUpOn == nil {
		d.GiveUpOn = others.GiveUpOn
	}
	return d
}

// fill gives a field a value where it has none.
func fill[T comparable](field *T, other T) {
	var none T
	if *field == none {
		*field = other
	}
}

// checkPolicy looks at what a policy says together, at the place of one of its keys.
func (p *reader) checkPolicy(f *fields, d *Policy) {
	at := func(names ...string) value {
		if _, v := f.first(names...); v.node != nil {
			return v
		}
		return f.value
	}
	if d.StartToClose > 0 && d.LeaseMS > d.StartToClose {
		p.report(at("lease", "start_to_close"), fmt.Sprintf("the lease of %s is longer than start_to_close, %s", formatDuration(d.LeaseMS), formatDuration(d.StartToClose)), "an attempt ends with start_to_close")
	}
	if d.MaxBackoffMS > 0 && d.BackoffMS > d.MaxBackoffMS {
		p.report(at("retry"), fmt.Sprintf("the first delay of %s is longer than the longest, %s", formatDuration(d.BackoffMS), formatDuration(d.MaxBackoffMS)), "")
	}
	for _, code := range d.RetryOn {
		for _, other := range d.GiveUpOn {
			if code == other {
				p.report(at("retry"), fmt.Sprintf("%s is in on and in not_on", quoted(code)), "leave one out")
			}
		}
	}
}

func (p *reader) priority(v value) int { return int(p.number(v, 0, maxPriority)) }
