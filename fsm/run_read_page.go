package fsm

import (
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Bounds of one page of runs.
const (
	// MaxRuns is how many a page has at most.
	MaxRuns = 1000
	// runsLooked is how many rows one page looks at.
	runsLooked = 10_000
	// maxRunsBytes is after about how many bytes a page ends.
	maxRunsBytes = 2 << 20
)

// RunQuery says which runs of a tenant to read. Empty fields but Tenant mean any.
type RunQuery struct {
	Tenant, Workflow string
	// Version may be the beginning of one.
	Version string
	// State is a RunInfo's.
	State         string
	Client        string
	CorrelationID string
	// ErrorCode is that of the run's error.
	ErrorCode string
	// SinceMS and UntilMS bound when it was started, in Unix milliseconds: from the one
	// until before the other.
	SinceMS, UntilMS int64
	// After begins the page behind the run at a position; Limit is how many it may have.
	After uint64
	Limit int
	// look is how many rows a page looks at; 0 for runsLooked.
	look int
}

// RunPage is some runs of one partition, the newest first.
type RunPage struct {
	Runs []RunInfo `json:"runs"`
	// Places are the runs' positions, Next where the following page begins.
	Places []uint64 `json:"places"`
	Next   uint64   `json:"next"`
	// More means that there may be more behind Next, even if Runs is empty: a page looks
	// at a bounded number of rows.
	More bool `json:"more"`
}

// ReadRuns reads a page of a tenant's runs.
func ReadRuns(view *storage.View, query *RunQuery) (page *RunPage, err error) {
	defer invariants.Recover(&err)
	r, err := newRunReader(view, query.Tenant)
	if err != nil || r.of == 0 {
		return &RunPage{Next: query.After}, err
	}
	bounded := *query
	if bounded.Limit <= 0 || bounded.Limit > MaxRuns {
		bounded.Limit = MaxRuns
	}
	if bounded.look == 0 {
		bounded.look = runsLooked
	}
	p := &runPager{runReader: r, query: &bounded, page: &RunPage{Next: query.After}}
	prefix := appendU32([]byte{kindRun}, r.of)
	from := prefix
	if query.After != 0 {
		from = append(keyRun(nil, r.of, query.After), 0) // Behind it.
	}
	if err := view.Scan(from, after(prefix), p.add); err != nil {
		return nil, err
	}
	return p.page, r.names.err
}

// runPager makes one page.
type runPager struct {
	*runReader

	query  *RunQuery
	page   *RunPage
	looked int
	bytes  int
}

// add looks at one row, and tells whether to go on.
func (p *runPager) add(key, value []byte) (bool, error) {
	if p.looked == p.query.look || len(p.page.Runs) == p.query.Limit || p.bytes > maxRunsBytes {
		p.page.More = true
		return false, nil
	}
	p.looked++
	position := ^u64At(key, len(key)-8)
	var row runRow
	row.read(value)
	if row.StartedMS < p.query.SinceMS {
		return false, nil // Those behind it began before it.
	}
	p.page.Next = position
	if !p.query.fits(&row) {
		return true, nil
	}
	id := command.EventID{Epoch: p.counters.epoch, Partition: p.counters.number(), Queue: row.queue, Position: position}
	info, err := p.describeRun(id, &row)
	if err != nil || !p.query.fitsInfo(info) {
		return err == nil, err
	}
	p.bytes += info.size()
	p.page.Runs, p.page.Places = append(p.page.Runs, *info), append(p.page.Places, position)
	return true, nil
}

// fits tells whether a run is asked for, as far as its row says it.
func (q *RunQuery) fits(row *runRow) bool {
	return (q.UntilMS == 0 || row.StartedMS < q.UntilMS) && (q.Client == "" || row.client == q.Client) &&
		(q.CorrelationID == "" || row.correlation == q.CorrelationID) &&
		(q.ErrorCode == "" || row.Error != nil && row.Error.Code == q.ErrorCode)
}

// fitsInfo tells the rest.
func (q *RunQuery) fitsInfo(info *RunInfo) bool {
	return (q.Workflow == "" || info.Workflow == q.Workflow) && strings.HasPrefix(info.Version, q.Version) &&
		(q.State == "" || info.State == q.State)
}

// size is about how many bytes of an answer the run takes.
func (i *RunInfo) size() int {
	size := 512 + len(i.Key) + len(i.ClientID) + len(i.CorrelationID)
	if i.Error != nil {
		size += len(i.Error.Message)
	}
	if i.Incident != nil {
		size += len(i.Incident.Message)
	}
	return size
}
