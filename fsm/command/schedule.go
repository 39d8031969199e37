package command

import "slices"

// ScheduleKey is the partition key of a schedule, and of the runs that it starts where it
// names no other.
func ScheduleKey(id string) string { return "$schedule." + id }

// Overlap says what becomes of a schedule's time when a run of it still goes on. Numbers
// are for ever.
type Overlap uint8

// What may become of it: it is passed over, or waits for that run's end, one at most; or
// that run is canceled, and it begins when that has ended; or both go on.
const (
	OverlapSkip   Overlap = 1
	OverlapBuffer Overlap = 2
	OverlapCancel Overlap = 3
	OverlapAllow  Overlap = 4
)

// overlapWords are the policies' words, by their numbers.
var overlapWords = [...]string{"", "skip", "buffer", "cancel", "allow"} //nolint:gochecknoglobals // A list that is not changed.

// String is the policy's word, empty for what is none.
func (o Overlap) String() string {
	if int(o) >= len(overlapWords) {
		return ""
	}
	return overlapWords[o]
}

// ParseOverlap is the policy of a word; 0 for the empty one. known tells whether there is
// one.
func ParseOverlap(word string) (policy Overlap, known bool) {
	at := slices.Index(overlapWords[:], word)
	return Overlap(max(at, 0)), at >= 0 //nolint:gosec // A small number.
}

// Schedule is what a schedule says. Times are Unix milliseconds.
type Schedule struct {
	Workflow string
	// Alias is an alias or a version in full; empty for prod.
	Alias string
	// Input is the runs' data.
	Input Payload
	// ClientID is whose runs they are, Key their partition key; empty for ScheduleKey.
	ClientID, Key string
	// Spec and Timezone are as in workflow.ParseSchedule.
	Spec, Timezone string
	// Overlap is 0 for OverlapSkip.
	Overlap Overlap
	// CatchUpMS is how late a run may begin, 0 for a default; JitterMS over how long
	// schedules of the same times are spread.
	CatchUpMS, JitterMS uint64
	// StartMS and EndMS bound its times: from the one until before the other, 0 for
	// unbounded.
	StartMS, EndMS int64
	// MaxRuns is how many runs it begins, 0 for any number.
	MaxRuns uint64
}

// AppendSchedule appends the schedule's fields in their order.
func AppendSchedule(dst []byte, s *Schedule) []byte {
	dst = AppendPayload(AppendString(AppendString(dst, s.Workflow), s.Alias), s.Input)
	for _, text := range []string{s.ClientID, s.Key, s.Spec, s.Timezone} {
		dst = AppendString(dst, text)
	}
	dst = AppendUint(AppendUint(append(dst, byte(s.Overlap)), s.CatchUpMS), s.JitterMS)
	return AppendUint(AppendInt(AppendInt(dst, s.StartMS), s.EndMS), s.MaxRuns)
}

// Schedule reads what AppendSchedule wrote.
func (r *Reader) Schedule() Schedule {
	return Schedule{
		Workflow: r.String(), Alias: r.String(), Input: r.Payload(),
		ClientID: r.String(), Key: r.String(), Spec: r.String(), Timezone: r.String(),
		Overlap: Overlap(r.Byte()), CatchUpMS: r.Uint(), JitterMS: r.Uint(),
		StartMS: r.Int(), EndMS: r.Int(), MaxRuns: r.Uint(),
	}
}

// PutSchedule keeps a schedule under an id, in the place of the one that was there.
type PutSchedule struct {
	Route

	Tenant, ID string
	Schedule   Schedule
	// Pause pauses it, with a Note; without it a paused one stays paused.
	Pause bool
	Note  string
}

// Append appends the encoded command.
func (c *PutSchedule) Append(dst []byte) []byte {
	dst = AppendString(AppendString(appendPrefix(dst, KindPutSchedule, c.Route), c.Tenant), c.ID)
	return AppendString(AppendBool(AppendSchedule(dst, &c.Schedule), c.Pause), c.Note)
}

// Decode reads the body behind a prefix.
func (c *PutSchedule) Decode(r *Reader) {
	c.Tenant, c.ID = r.String(), r.String()
	c.Schedule = r.Schedule()
	c.Pause, c.Note = r.Bool(), r.String()
}

// DeleteSchedule takes a schedule away. Its runs go on.
type DeleteSchedule struct {
	Route

	Tenant, ID string
}

// Append appends the encoded command.
func (c *DeleteSchedule) Append(dst []byte) []byte {
	return AppendString(AppendString(appendPrefix(dst, KindDeleteSchedule, c.Route), c.Tenant), c.ID)
}

// Decode reads the body behind a prefix.
func (c *DeleteSchedule) Decode(r *Reader) { c.Tenant, c.ID = r.String(), r.String() }

// ScheduleAction is what is asked of a schedule. Numbers are for ever.
type ScheduleAction uint8

// What may be asked of a schedule: ScheduleTrigger begins a run now, beside its times.
const (
	SchedulePause   ScheduleAction = 1
	ScheduleResume  ScheduleAction = 2
	ScheduleTrigger ScheduleAction = 3
)

// ControlSchedule asks something of a schedule.
type ControlSchedule struct {
	Route

	Tenant, ID string
	Action     ScheduleAction
	// Note says why it is paused.
	Note string
	// Overlap is a trigger's, 0 for the schedule's.
	Overlap Overlap
	// Once makes a trigger take effect once.
	Once string
}

// Append appends the encoded command.
func (c *ControlSchedule) Append(dst []byte) []byte {
	dst = AppendString(AppendString(appendPrefix(dst, KindControlSchedule, c.Route), c.Tenant), c.ID)
	return AppendString(append(AppendString(append(dst, byte(c.Action)), c.Note), byte(c.Overlap)), c.Once)
}

// Decode reads the body behind a prefix.
func (c *ControlSchedule) Decode(r *Reader) {
	c.Tenant, c.ID, c.Action = r.String(), r.String(), ScheduleAction(r.Byte())
	c.Note, c.Overlap, c.Once = r.String(), Overlap(r.Byte()), r.String()
}
