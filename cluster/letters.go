package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// ErrBadCursor is returned for a cursor that no page of dead letters gave.
var ErrBadCursor = errors.New("the cursor is not one that a page of dead letters gave")

// Letters says which dead letters are wanted. Empty fields but Tenant mean any.
type Letters struct {
	Tenant, Channel, Group string
	// Reason is a letter's reason or its worker's code.
	Reason string
	// Cursor is the end of the page before, empty for the first one; Limit is how
	// many letters a page may have, at most fsm.MaxDeadLetters.
	Cursor string
	Limit  int
}

// DeadLetter is an event that failed for good in a group.
type DeadLetter = fsm.DeadLetter

// LettersPage is some dead letters of the cluster.
type LettersPage struct {
	Letters []DeadLetter `json:"dead_letters"`
	// Cursor is where the next page begins; empty when there is none. A page may
	// be empty and lead on nevertheless.
	Cursor string `json:"cursor,omitempty"`
}

// MaxDeadLetters is how many dead letters a page has at most.
const MaxDeadLetters = fsm.MaxDeadLetters

// MaxNoteBytes is how long the note of a discard may be.
const MaxNoteBytes = fsm.MaxNoteBytes

// DeadLetters is a page of dead letters, from the leaders of all partitions:
// those whose events were stored first come first.
func (c *Cluster) DeadLetters(ctx context.Context, want *Letters) (*LettersPage, error) {
	places, err := readCursor(want.Cursor, int(c.Partitions()))
	if err != nil {
		return nil, err
	}
	query := fsm.LetterQuery{
		Tenant: want.Tenant, Channel: want.Channel, Group: want.Group, Reason: want.Reason,
		Limit: min(max(want.Limit, 1), MaxDeadLetters),
	}
	answers, err := c.askEach(ctx, opLetters, func(partition int) []byte {
		query.After = places[partition]
		return encodeLetterQuery(&query)
	})
	if err != nil {
		return nil, err
	}
	pages := make([]fsm.LetterPage, len(places))
	for i, answer := range answers {
		if err := json.Unmarshal(answer, &pages[i]); err != nil {
			return nil, fmt.Errorf("read a page of partition %d: %w", i, err)
		}
	}
	return mergeLetters(pages, places, query.Limit), nil
}

// DeadLettersOf are the dead letters of one event, with their data; ErrNotFound
// when it is none.
func (c *Cluster) DeadLettersOf(ctx context.Context, tenant, group string, id command.EventID) ([]fsm.DeadLetter, error) {
	query := fsm.LetterQuery{Tenant: tenant, Group: group, Event: id, Limit: MaxDeadLetters}
	var page fsm.LetterPage
	if err := c.askOf(ctx, id, opLetters, encodeLetterQuery(&query), &page); err != nil {
		return nil, err
	}
	if len(page.Letters) == 0 {
		return nil, ErrNotFound
	}
	return page.Letters, nil
}

// Event is all that is known of one event, as JSON; ErrNotFound when the tenant
// has no such event.
func (c *Cluster) Event(ctx context.Context, tenant string, id command.EventID) ([]byte, error) {
	var seen json.RawMessage
	if err := c.askOf(ctx, id, opEvent, command.AppendEventID(command.AppendString(nil, tenant), id), &seen); err != nil {
		return nil, err
	}
	if string(seen) == "null" {
		return nil, ErrNotFound
	}
	return seen, nil
}

// askOf asks the leader of an event's partition, and decodes its JSON answer.
func (c *Cluster) askOf(ctx context.Context, id command.EventID, what op, body []byte, into any) error {
	if uint32(id.Partition) >= c.Partitions() {
		return ErrNotFound
	}
	answer, err := c.await(ctx, c.laneOf(uint32(id.Partition)), what, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read a partition's answer: %w", err)
	}
	return nil
}

// mergeLetters takes the first letters of all partitions' pages, and moves
// places behind what it took.
func mergeLetters(pages []fsm.LetterPage, places []fsm.LetterPlace, limit int) *LettersPage {
	merged := &LettersPage{Letters: []fsm.DeadLetter{}}
	from := make([]partPage[fsm.DeadLetter], len(pages))
	for i := range pages {
		from[i] = partPage[fsm.DeadLetter]{pages[i].Letters, pages[i].More}
	}
	order, taken, more := mergePages(from, limit, func(a, b *fsm.DeadLetter) bool { return a.Time < b.Time })
	for _, at := range order {
		merged.Letters = append(merged.Letters, pages[at.page].Letters[at.item])
		places[at.page] = pages[at.page].Places[at.item]
	}
	for i := range pages {
		if taken[i] == len(pages[i].Letters) {
			places[i] = pages[i].Next
		}
	}
	if more {
		merged.Cursor = writeCursor(places)
	}
	return merged
}

// A cursor is a place in each partition:
//
//	version(1) { position(uvarint) group(uvarint) }, in URL-safe base64
const cursorVersion = 1

func writeCursor(places []fsm.LetterPlace) string {
	b := []byte{cursorVersion}
	for _, place := range places {
		b = command.AppendUint(command.AppendUint(b, place.Position), uint64(place.Group))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor is the places that a cursor names, or those before everything.
func readCursor(cursor string, partitions int) ([]fsm.LetterPlace, error) {
	places := make([]fsm.LetterPlace, partitions)
	if cursor == "" {
		return places, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, ErrBadCursor
	}
	r := command.NewReader(raw)
	if r.Byte() != cursorVersion {
		return nil, ErrBadCursor
	}
	for i := range places {
		if r.Done() {
			return nil, ErrBadCursor
		}
		places[i] = fsm.LetterPlace{Position: r.Uint(), Group: r.Uint32()}
	}
	if r.Err() != nil || len(r.Rest()) != 0 {
		return nil, ErrBadCursor
	}
	return places, nil
}

// A query of dead letters between nodes: tenant, channel, group, reason, event,
// after (position, group), limit.
func encodeLetterQuery(q *fsm.LetterQuery) []byte {
	var dst []byte
	for _, text := range []string{q.Tenant, q.Channel, q.Group, q.Reason} {
		dst = command.AppendString(dst, text)
	}
	dst = command.AppendEventID(dst, q.Event)
	dst = command.AppendUint(command.AppendUint(dst, q.After.Position), uint64(q.After.Group))
	return command.AppendUint(dst, uint64(q.Limit)) //nolint:gosec // At most MaxDeadLetters.
}

func readLetterQuery(r *command.Reader) fsm.LetterQuery {
	q := fsm.LetterQuery{Tenant: r.String(), Channel: r.String(), Group: r.String(), Reason: r.String(), Event: r.EventID()}
	q.After = fsm.LetterPlace{Position: r.Uint(), Group: r.Uint32()}
	q.Limit = int(min(r.Uint(), MaxDeadLetters))
	return q
}

// maxCountedLetters bounds how many (channel, change) pairs are counted by channel; what is
// of more channels is counted together, under no name.
const maxCountedLetters = 4096

// letterCounts count what became of dead letters while this node led their partitions.
type letterCounts struct {
	mu struct {
		sync.Mutex

		counts map[fsm.LetterChange]uint64
	}
}

// countLetters counts what an entry did to dead letters, on the leader.
func (c *Cluster) countLetters(changes []fsm.LetterChange) {
	if len(changes) == 0 {
		return
	}
	mu := &c.letters.mu
	mu.Lock()
	defer mu.Unlock()
	if mu.counts == nil {
		mu.counts = make(map[fsm.LetterChange]uint64)
	}
	for _, change := range changes {
		change.Channel = strings.ToValidUTF8(change.Channel, "\uFFFD") // It becomes a label.
		if _, counted := mu.counts[change]; !counted && len(mu.counts) >= maxCountedLetters {
			change.Channel = ""
		}
		mu.counts[change]++
	}
}

// LetterCount is how many dead letters of a channel were made for a reason, or redriven or
// discarded: then Ended.
type LetterCount struct {
	Channel, What string
	Ended         bool
	Count         uint64
}

// LetterCounts are how many dead letters were made, by reason, redriven and discarded in
// each channel, since this node began and while it led their partitions.
func (c *Cluster) LetterCounts() []LetterCount {
	mu := &c.letters.mu
	mu.Lock()
	defer mu.Unlock()
	counts := make([]LetterCount, 0, len(mu.counts))
	for change, count := range mu.counts {
		ended := change.What == fsm.LetterRedriven || change.What == fsm.LetterDiscarded
		counts = append(counts, LetterCount{Channel: change.Channel, What: change.What, Ended: ended, Count: count})
	}
	return counts
}
