package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// ErrBadRunCursor is returned for a cursor that no page of runs gave.
var ErrBadRunCursor = errors.New("the cursor is not one that a page of runs gave")

// ErrNoRun says that a tenant has no such run.
var ErrNoRun = errors.New("the tenant has no such run")

// MaxRuns is how many runs a page has at most.
const MaxRuns = fsm.MaxRuns

// Runs says which runs are wanted. After is not for callers: it is the Cursor's.
type Runs struct {
	fsm.RunQuery

	// Cursor is the end of the page before, empty for the first one.
	Cursor string
}

// RunInfo is a run as users see it.
type RunInfo = fsm.RunInfo

// RunLook is a look at one run.
type RunLook = fsm.RunLook

// RunsPage is some runs of the cluster, the newest first.
type RunsPage struct {
	Runs []RunInfo `json:"runs"`
	// Cursor is where the next page begins; empty when there is none. A page may be empty
	// and lead on nevertheless.
	Cursor string `json:"cursor,omitempty"`
}

// Runs is a page of runs, from the leaders of all partitions. ErrBadRunCursor is for a
// cursor that no page gave.
func (c *Cluster) Runs(ctx context.Context, want *Runs) (*RunsPage, error) {
	places, err := readRunCursor(want.Cursor, int(c.Partitions()))
	if err != nil {
		return nil, err
	}
	query := want.RunQuery
	query.Limit = min(max(query.Limit, 1), MaxRuns)
	answers, err := c.askEach(ctx, opRuns, func(partition int) []byte {
		query.After = places[partition]
		return encodeRunQuery(&query)
	})
	if err != nil {
		return nil, err
	}
	pages := make([]fsm.RunPage, len(places))
	for i, answer := range answers {
		if err := json.Unmarshal(answer, &pages[i]); err != nil {
			return nil, fmt.Errorf("read a page of partition %d: %w", i, err)
		}
	}
	return mergeRuns(pages, places, query.Limit), nil
}

// mergeRuns takes the newest runs of all partitions' pages, and moves places behind what
// it took.
func mergeRuns(pages []fsm.RunPage, places []uint64, limit int) *RunsPage {
	merged := &RunsPage{Runs: []RunInfo{}}
	from := make([]partPage[RunInfo], len(pages))
	for i := range pages {
		from[i] = partPage[RunInfo]{pages[i].Runs, pages[i].More}
	}
	order, taken, more := mergePages(from, limit, func(a, b *RunInfo) bool { return a.StartedAt > b.StartedAt })
	for _, at := range order {
		merged.Runs = append(merged.Runs, pages[at.page].Runs[at.item])
		places[at.page] = pages[at.page].Places[at.item]
	}
	for i := range pages {
		if taken[i] == len(pages[i].Runs) {
			places[i] = pages[i].Next
		}
	}
	if more {
		merged.Cursor = writeRunCursor(places)
	}
	return merged
}

// Run is a run; ErrNoRun where the tenant has none of that id.
func (c *Cluster) Run(ctx context.Context, look *RunLook) (*RunInfo, error) {
	var found *RunInfo
	if err := c.askOf(ctx, look.Run, opRun, encodeRunLook(look), &found); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, ErrNoRun
		}
		return nil, err
	}
	if found == nil {
		return nil, ErrNoRun
	}
	return found, nil
}

// A cursor of runs is a position in each partition:
//
//	version(1) { position(uvarint) }, in URL-safe base64
const runCursorVersion = 2

func writeRunCursor(places []uint64) string {
	b := []byte{runCursorVersion}
	for _, place := range places {
		b = command.AppendUint(b, place)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readRunCursor is the positions that a cursor names, or those before everything.
func readRunCursor(cursor string, partitions int) ([]uint64, error) {
	places := make([]uint64, partitions)
	if cursor == "" {
		return places, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, ErrBadRunCursor
	}
	r := command.NewReader(raw)
	if r.Byte() != runCursorVersion {
		return nil, ErrBadRunCursor
	}
	for i := range places {
		if r.Done() {
			return nil, ErrBadRunCursor
		}
		places[i] = r.Uint()
	}
	if r.Err() != nil || len(r.Rest()) != 0 {
		return nil, ErrBadRunCursor
	}
	return places, nil
}

// A query of runs between nodes: tenant, workflow, version, state, client, correlation id,
// error code, since, until, after, limit.
func encodeRunQuery(q *fsm.RunQuery) []byte {
	var dst []byte
	for _, text := range []string{q.Tenant, q.Workflow, q.Version, q.State, q.Client, q.CorrelationID, q.ErrorCode} {
		dst = command.AppendString(dst, text)
	}
	dst = command.AppendUint(command.AppendInt(command.AppendInt(dst, q.SinceMS), q.UntilMS), q.After)
	return command.AppendUint(dst, uint64(q.Limit)) //nolint:gosec // At most MaxRuns.
}

func readRunQuery(r *command.Reader) fsm.RunQuery {
	q := fsm.RunQuery{
		Tenant: r.String(), Workflow: r.String(), Version: r.String(), State: r.String(), Client: r.String(),
		CorrelationID: r.String(), ErrorCode: r.String(), SinceMS: r.Int(), UntilMS: r.Int(), After: r.Uint(),
	}
	q.Limit = int(min(r.Uint(), MaxRuns))
	return q
}

func encodeRunLook(look *RunLook) []byte {
	dst := command.AppendEventID(command.AppendString(nil, look.Tenant), look.Run)
	return command.AppendBool(dst, look.Brief)
}

func readRunLook(r *command.Reader) RunLook {
	return RunLook{Tenant: r.String(), Run: r.EventID(), Brief: r.Bool()}
}
