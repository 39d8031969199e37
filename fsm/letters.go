package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Bounds of one page of dead letters.
const (
	// MaxDeadLetters is how many a page has at most.
	MaxDeadLetters = 1000
	// maxLetterBytes is after how many bytes of attempts a page ends.
	maxLetterBytes = 2 << 20
	// lettersLooked is how many parked rows one page looks at: the delayed and
	// the canceled stand among the dead.
	lettersLooked = 20_000
)

// DeadLetter is an event that failed for good in a group.
type DeadLetter struct {
	EventInfo

	Group string `json:"group"`
	// Reason is permanent, retries_exhausted or leases_lost, Code the last
	// failure's.
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"`
	// RunID is the run whose step's job it is, with the workflow, the step, and the number
	// of a map's item, from 1: nothing for what is of no run.
	RunID    string `json:"run_id,omitempty"`
	Workflow string `json:"workflow,omitempty"`
	Step     string `json:"step,omitempty"`
	Item     uint32 `json:"item,omitempty"`
	// DeadAt is when it died.
	DeadAt int64 `json:"dead_at"`
	// Redrivable tells whether it can be put back in line.
	Redrivable bool `json:"redrivable"`
	// Edited means that its data, and Bytes, are those of its last redrive.
	Edited            bool           `json:"edited,omitempty"`
	Attempts          []EventAttempt `json:"attempts"`
	AttemptsTruncated bool           `json:"attempts_truncated,omitempty"`

	EventData //nolint:embeddedstructfieldcheck // In JSON the data stands last.
}

// LetterPlace is where a dead letter stands among those of its partition: in the
// order in which their events were stored, then of groups.
type LetterPlace struct {
	Position uint64 `json:"position"`
	Group    uint32 `json:"group"`
}

func (p LetterPlace) compare(other LetterPlace) int {
	return cmp.Or(cmp.Compare(p.Position, other.Position), cmp.Compare(p.Group, other.Group))
}

// LetterQuery says which dead letters to read. Empty fields but Tenant mean any.
type LetterQuery struct {
	Tenant, Channel, Group string
	// Reason is a DeadLetter's Reason or Code.
	Reason string
	// Event asks for the letters of one event, with their data.
	Event command.EventID
	// After begins the page behind a place; Limit is how many it may have.
	After LetterPlace
	Limit int
	// look is how many rows of each sub-queue a page looks at; 0 for their share of
	// lettersLooked.
	look int
}

// LetterPage is some dead letters of one partition.
type LetterPage struct {
	Letters []DeadLetter `json:"letters"`
	// Places are those of the letters, Next where the following page begins.
	Places []LetterPlace `json:"places"`
	Next   LetterPlace   `json:"next"`
	// More means that there may be more behind Next, even if Letters is empty: a
	// page looks at a bounded number of rows.
	More bool `json:"more"`
}

// ReadDeadLetters reads a page of a tenant's dead letters.
func ReadDeadLetters(view *storage.View, query *LetterQuery) (page *LetterPage, err error) {
	defer invariants.Recover(&err)
	runs, err := newRunReader(view, query.Tenant)
	if err != nil {
		return nil, err
	}
	bounded := *query
	if bounded.Limit <= 0 || bounded.Limit > MaxDeadLetters {
		bounded.Limit = MaxDeadLetters
	}
	p := &letterPage{lineageReader: runs.lineageReader, runs: runs, query: &bounded, page: &LetterPage{Next: query.After}}
	queues, err := p.subQueues()
	if err != nil {
		return nil, err
	}
	if bounded.look == 0 {
		bounded.look = max(64, lettersLooked/max(1, len(queues)))
	}
	if err := p.find(queues); err != nil {
		return nil, err
	}
	if err := p.fill(); err != nil {
		return nil, err
	}
	return p.page, p.names.err
}

// describeTask says of which run's step a letter is, and whether that waits for it.
func (p *letterPage) describeTask(letter *DeadLetter, t *command.Task) error {
	row, err := p.runs.row(t.Run)
	if err != nil {
		return err
	}
	of := runRow{definition: t.Definition}
	if row != nil {
		of.name = row.name
	}
	v, err := p.runs.version(&of)
	if err != nil {
		return err
	}
	letter.RunID, letter.Workflow, letter.Step, letter.Item = t.Run.String(), v.name, v.step(t.Step), t.Item
	letter.Redrivable = letter.Redrivable && row.reviveRefused(t) == ""
	return nil
}

// newLetterReader is a lineageReader for what does not begin at a correlation id.
func newLetterReader(view *storage.View) (*lineageReader, error) {
	l := &lineageReader{
		view: view, names: newNameReader(view), queues: make(map[uint32]queueRow), groups: make(map[uint32][]uint32),
		out: &Lineage{},
	}
	value, found, err := view.Get(keyCounters(nil))
	if found {
		l.counters.read(value)
	}
	return l, err
}

// letterPage makes one page: it finds dead jobs in each sub-queue, then takes
// the first of all.
type letterPage struct {
	*lineageReader

	runs  *runReader
	query *LetterQuery
	page  *LetterPage
	found []foundLetter
	// horizon is up to where every sub-queue was looked through, when cut is set.
	horizon LetterPlace
	cut     bool
}

type foundLetter struct {
	key jobKey
	row jobRow
}

func (f *foundLetter) place() LetterPlace { return LetterPlace{f.key.position, f.key.group} }

// subQueues are the groups' sub-queues that the query is about.
func (p *letterPage) subQueues() (found []jobKey, err error) {
	tenant, err := lookUpTenant(p.view, p.query.Tenant)
	if err != nil || tenant == 0 {
		return nil, err
	}
	var ids []uint32
	prefix := []byte{kindQueue}
	err = p.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		var row queueRow
		row.read(value)
		id := u32At(key, 1)
		if row.tenant == tenant && (p.query.Event.IsZero() || p.query.Event.Queue == id) {
			ids = append(ids, id)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		q, err := p.queue(id)
		if err != nil {
			return nil, err
		}
		if p.query.Channel != "" && p.query.Channel != p.names.text(nameChannel, q.channel) {
			continue
		}
		for _, group := range p.groups[q.channel] {
			if p.query.Group == "" || p.query.Group == p.names.text(nameGroup, group) {
				found = append(found, jobKey{group: group, queue: id})
			}
		}
	}
	return found, p.names.err
}

// find looks for dead jobs behind the query's place. A sub-queue with many is
// looked through in part, and the page ends before what was not seen.
func (p *letterPage) find(queues []jobKey) error {
	for _, at := range queues {
		at.position = p.query.After.Position
		if at.group <= p.query.After.Group {
			at.position++
		}
		end := after(appendU32(appendU32([]byte{kindParked}, at.group), at.queue))
		if only := p.query.Event.Position; only != 0 {
			at.position = only
			end = keyJob(nil, kindParked, jobKey{at.group, at.queue, only + 1})
		}
		if err := p.findIn(at, end); err != nil {
			return err
		}
	}
	slices.SortFunc(p.found, func(a, b foundLetter) int { return a.place().compare(b.place()) })
	return nil
}

func (p *letterPage) findIn(from jobKey, end []byte) error {
	matches, look := 0, p.query.look
	return p.view.Scan(keyJob(nil, kindParked, from), end, func(key, value []byte) (bool, error) {
		f := foundLetter{key: readJobKey(key)}
		if rest := openRest(value); len(rest) > 0 && jobState(rest[0]) == jobDead {
			if f.row.read(value); p.matches(&f.row) {
				p.found = append(p.found, f)
				matches++
			}
		}
		if look--; look == 0 || matches > p.query.Limit { // One more tells that there is a next page.
			if place := f.place(); !p.cut || place.compare(p.horizon) < 0 {
				p.cut, p.horizon = true, place
			}
			return false, nil
		}
		return true, nil
	})
}

func (p *letterPage) matches(row *jobRow) bool {
	if p.query.Reason == "" {
		return true
	}
	reason, code := deadReason(row.reason)
	return p.query.Reason == reason || p.query.Reason == code
}

// fill describes what was found, up to the horizon and to what a page may have.
func (p *letterPage) fill() error {
	size := 0
	for i := range p.found {
		f := &p.found[i]
		if p.cut && f.place().compare(p.horizon) > 0 {
			break
		}
		if len(p.page.Letters) == p.query.Limit || size > maxLetterBytes {
			p.page.More = true
			return nil
		}
		letter, err := p.describeLetter(f)
		if err != nil {
			return err
		}
		p.page.Next = f.place()
		if letter == nil {
			continue
		}
		size += letter.size()
		p.page.Letters = append(p.page.Letters, *letter)
		p.page.Places = append(p.page.Places, f.place())
	}
	if p.cut {
		p.page.More, p.page.Next = true, p.horizon
	}
	return nil
}

// size is about how many bytes of an answer the letter takes.
func (d *DeadLetter) size() int {
	size := 1024 + len(d.Headers) + len(d.Data) + len(d.DataBase64)
	for i := range d.Attempts {
		size += 256 + len(d.Attempts[i].Message) + len(d.Attempts[i].Detail)
	}
	return size
}

// describeLetter is a dead job with its event and its attempts; nil when the
// event is not kept any more.
func (p *letterPage) describeLetter(f *foundLetter) (*DeadLetter, error) {
	id := command.EventID{Epoch: p.counters.epoch, Partition: p.counters.number(), Queue: f.key.queue, Position: f.key.position}
	e, err := readEventOf(p.view, id)
	if err != nil || e == nil {
		return nil, err
	}
	if !p.query.Event.IsZero() && p.query.Event != id {
		return nil, nil //nolint:nilnil // Another epoch's event: no letter of this one.
	}
	if f.row.edited {
		if e, err = p.revision(f.key, e); err != nil {
			return nil, err
		}
	}
	letter := &DeadLetter{
		EventInfo: infoOf(e), Group: p.names.text(nameGroup, f.key.group), DeadAt: f.row.dueMS,
		Redrivable: !e.lapsed(p.counters.timeMS), Edited: f.row.edited,
	}
	letter.Reason, letter.Code = deadReason(f.row.reason)
	if !e.Task.Run.IsZero() {
		if err = p.describeTask(letter, &e.Task); err != nil {
			return nil, err
		}
	}
	if letter.Attempts, letter.AttemptsTruncated, err = p.shownAttempts(e, f.key.group); err != nil {
		return nil, err
	}
	if !p.query.Event.IsZero() {
		letter.EventData = dataOf(e.Payload)
	}
	return letter, nil
}
