package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// ErrNoSchedule says that a tenant has no such schedule.
var ErrNoSchedule = errors.New("the tenant has no such schedule")

// MaxListedSchedules is how many schedules a page has at most.
const MaxListedSchedules = fsm.MaxListedSchedules

// ScheduleInfo is a schedule as users see it, ScheduleQuery says which ones are wanted.
type (
	ScheduleInfo  = fsm.ScheduleInfo
	ScheduleQuery = fsm.ScheduleQuery
)

// SchedulesPage is some schedules of the cluster, by their ids.
type SchedulesPage struct {
	Schedules []ScheduleInfo `json:"schedules"`
	// Cursor is the id behind which the next page begins; empty when there is none. A page
	// may be empty and lead on nevertheless.
	Cursor string `json:"cursor,omitempty"`
}

// Schedule is a schedule, from the leader of its partition; ErrNoSchedule where the tenant
// has none of that id.
func (c *Cluster) Schedule(ctx context.Context, tenant, id string) (*ScheduleInfo, error) {
	if c.Partitions() == 0 {
		return nil, noAnswerError{statusNotLeader}
	}
	partition := command.PartitionOf(command.SlotOf(tenant, command.ScheduleKey(id)), c.Partitions())
	answer, err := c.await(ctx, c.laneOf(partition), opSchedule, command.AppendString(command.AppendString(nil, tenant), id))
	if err != nil {
		return nil, err
	}
	var found *ScheduleInfo
	if err := json.Unmarshal(answer, &found); err != nil {
		return nil, fmt.Errorf("read a partition's answer: %w", err)
	}
	if found == nil {
		return nil, ErrNoSchedule
	}
	return found, nil
}

// Schedules is a page of schedules, from the leaders of all partitions.
func (c *Cluster) Schedules(ctx context.Context, want *ScheduleQuery) (*SchedulesPage, error) {
	query := *want
	query.Limit = min(max(query.Limit, 1), MaxListedSchedules)
	answers, err := c.askAll(ctx, opSchedules, encodeScheduleQuery(&query))
	if err != nil {
		return nil, err
	}
	pages := make([]fsm.SchedulePage, len(answers))
	for i, answer := range answers {
		if err := json.Unmarshal(answer, &pages[i]); err != nil {
			return nil, fmt.Errorf("read a page of partition %d: %w", i, err)
		}
	}
	return mergeSchedules(pages, query.Limit), nil
}

// mergeSchedules takes the first schedules of all partitions' pages, up to where the first
// of these ends that leads on: what lies behind its end is not known there.
func mergeSchedules(pages []fsm.SchedulePage, limit int) *SchedulesPage {
	merged := &SchedulesPage{Schedules: []ScheduleInfo{}}
	from, end := make([]partPage[ScheduleInfo], len(pages)), ""
	for i := range pages {
		if pages[i].More && (end == "" || pages[i].Next < end) {
			end = pages[i].Next
		}
	}
	for i := range pages {
		known := pages[i].Schedules
		for n := range known {
			if end != "" && known[n].ID > end {
				known = known[:n]
				break
			}
		}
		from[i] = partPage[ScheduleInfo]{items: known}
	}
	order, _, more := mergePages(from, limit, func(a, b *ScheduleInfo) bool { return a.ID < b.ID })
	for _, at := range order {
		merged.Schedules = append(merged.Schedules, pages[at.page].Schedules[at.item])
	}
	switch {
	case more:
		merged.Cursor = merged.Schedules[len(merged.Schedules)-1].ID
	default:
		merged.Cursor = end
	}
	return merged
}

// A query of schedules between nodes: tenant, workflow, after, limit.
func encodeScheduleQuery(q *fsm.ScheduleQuery) []byte {
	dst := command.AppendString(command.AppendString(command.AppendString(nil, q.Tenant), q.Workflow), q.After)
	return command.AppendUint(dst, uint64(q.Limit)) //nolint:gosec // At most MaxListedSchedules.
}

func readScheduleQuery(r *command.Reader) fsm.ScheduleQuery {
	q := fsm.ScheduleQuery{Tenant: r.String(), Workflow: r.String(), After: r.String()}
	q.Limit = int(min(r.Uint(), MaxListedSchedules))
	return q
}
