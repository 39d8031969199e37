package command

// Bounds of what one Relay carries; a single larger row travels alone.
const (
	// MaxRelayBatch is how many rows one Relay carries at most.
	MaxRelayBatch = 512
	// MaxRelayBatchBytes is the size at which a Relay is closed.
	MaxRelayBatchBytes = 256 << 10
)

// RelayKind says what a RelayRow carries.
type RelayKind uint8

// The kinds of a relay's rows.
const (
	// RelayEvent is an emitted event.
	RelayEvent RelayKind = 1
	// RelayNotification is a notification.
	RelayNotification RelayKind = 2
	// RelayEnded tells that all has ended that an event led to, which came from
	// the partition that is told.
	RelayEnded RelayKind = 3
	// RelayCancel carries the cancel of a lineage on.
	RelayCancel RelayKind = 4
	// RelayRunBegan tells a run that its child has begun, RelayRunEnded that it has ended,
	// RelayRunStop a child that it is to stop.
	RelayRunBegan RelayKind = 5
	RelayRunEnded RelayKind = 6
	RelayRunStop  RelayKind = 7
	// RelayAwait tells a message's home that a run waits for it, RelayUnawait that it does
	// not any more. RelayOffer brings the message to the run, RelayAnswer says whether it
	// was taken, RelayConflict that another run waits for it.
	RelayAwait    RelayKind = 8
	RelayUnawait  RelayKind = 9
	RelayOffer    RelayKind = 20
	RelayAnswer   RelayKind = 21
	RelayConflict RelayKind = 22
	// RelayBorrow asks the home of a limit's key for permits, one for each of the event's
	// uses. RelayLend lends some, and RelayReturn gives some back.
	RelayBorrow RelayKind = 10
	RelayLend   RelayKind = 11
	RelayReturn RelayKind = 12
)

// RelayRow is what one partition sends to another, whole: nothing is looked up at
// the source any more.
type RelayRow struct {
	Kind RelayKind
	// Event is what was emitted, with all that it inherits. Of a notification
	// it holds the tenant, the client, the correlation id and the payload, and as
	// its channel that of Parent, for the lineage. Of the other kinds it holds the
	// tenant and the correlation id.
	Event Event
	// Parent is the event whose job it is.
	Parent EventID
	// TimeMS is the source's time when the job completed.
	TimeMS int64
	// Name is a notification's.
	Name string
	// Group is the group of the job that emitted an event, empty for default.
	Group string
	// Lineage is what the row says of its lineage.
	Lineage RelayedLineage
	// Run is what it says of a run.
	Run RunNews
	// Permits is what a RelayLend or RelayReturn says of those of the limit that its
	// event's first use names.
	Permits RelayedPermits
}

// RelayedPermits are permits on their way, and what goes with them. It stands in the
// record only where it says something.
type RelayedPermits struct {
	// Count are lent, or given back: Completed of them by jobs that completed.
	Count, Completed uint32
	// PausedMS is until when the limit is paused, 0 for not.
	PausedMS int64
	// Refund is what is lent of each unit, or given back, and Charge what was used beyond.
	Refund, Charge []UseCost
}

func (p *RelayedPermits) empty() bool {
	return p.Count == 0 && p.Completed == 0 && p.PausedMS == 0 && len(p.Refund)+len(p.Charge) == 0
}

func appendRelayedPermits(dst []byte, p *RelayedPermits) []byte {
	dst = AppendUint(AppendUint(dst, uint64(p.Count)), uint64(p.Completed))
	return AppendCosts(AppendCosts(AppendInt(dst, p.PausedMS), p.Refund), p.Charge)
}

func (r *Reader) relayedPermits() RelayedPermits {
	return RelayedPermits{
		Count: r.Uint32(), Completed: r.Uint32(), PausedMS: r.Int(), Refund: r.Costs(), Charge: r.Costs(),
	}
}

// RelayedLineage is what a row says of the lineage that it belongs to. It stands
// in the record only where it says something.
type RelayedLineage struct {
	// Failed and Stopped tell how a lineage ended: something of it failed, or was
	// canceled.
	Failed, Stopped bool
	// Canceled means that an emitted event's lineage is canceled. Client, Reason
	// and GraceMS are of that cancel, as in CancelLineage, and of a RelayCancel.
	Canceled       bool
	Client, Reason string
	GraceMS        uint64
	// Epoch is that of the partition which a RelayEnded is for, when it sent the
	// event: a restored one has other books.
	Epoch uint32
}

// Key is what says which partition the row belongs to: an event's key, or the
// client that a notification is for. Rows of the other kinds have none: they are
// for the partition as such.
func (r *RelayRow) Key() string {
	if r.Kind == RelayNotification {
		return r.Event.ClientID
	}
	return r.Event.Key
}

// AppendRelayRow appends the row's fields in their order.
func AppendRelayRow(dst []byte, row *RelayRow) []byte {
	dst = AppendEvent(append(dst, byte(row.Kind)), &row.Event)
	dst = appendEventID(dst, row.Parent)
	dst = AppendInt(dst, row.TimeMS)
	dst = AppendString(dst, row.Name)
	ofRun := !row.Run.none()
	further := ofRun || !row.Permits.empty()
	if row.Group != "" || row.Lineage != (RelayedLineage{}) || further {
		dst = AppendString(dst, row.Group)
	}
	if row.Lineage != (RelayedLineage{}) || further {
		dst = appendRelayedLineage(dst, &row.Lineage)
	}
	if further {
		dst = appendRelayedPermits(dst, &row.Permits)
	}
	if ofRun {
		dst = appendRunNews(dst, &row.Run)
	}
	return dst
}

func appendRelayedLineage(dst []byte, l *RelayedLineage) []byte {
	dst = AppendBool(AppendBool(AppendBool(dst, l.Failed), l.Stopped), l.Canceled)
	dst = AppendString(AppendString(dst, l.Client), l.Reason)
	return AppendUint(AppendUint(dst, l.GraceMS), uint64(l.Epoch))
}

func (r *Reader) relayedLineage() RelayedLineage {
	return RelayedLineage{
		Failed: r.Bool(), Stopped: r.Bool(), Canceled: r.Bool(),
		Client: r.String(), Reason: r.String(), GraceMS: r.Uint(), Epoch: r.Uint32(),
	}
}

// RelayRow reads what AppendRelayRow wrote; byte slices alias the record.
func (r *Reader) RelayRow() RelayRow {
	return RelayRow{
		Kind: RelayKind(r.Byte()), Event: r.Event(), Parent: r.EventID(), TimeMS: r.Int(), Name: r.String(), Group: r.String(),
		Lineage: r.relayedLineage(), Permits: r.relayedPermits(), Run: r.runNews(),
	}
}

// Relay brings rows of another partition's relay, in the order of their
// numbers. It names no generation of the source: a row that a leader has read
// is committed there, so a former leader's Relay says what the present one's does.
type Relay struct {
	Route

	// Source and SourceEpoch are the partition that the rows come from.
	Source      uint32
	SourceEpoch uint32
	// First is the number of the first row; the others follow without a hole.
	First uint64
	// Rows are encoded, see AppendRelayRow.
	Rows [][]byte
}

// Append appends the encoded command.
func (c *Relay) Append(dst []byte) []byte {
	dst = AppendUint(appendPrefix(dst, KindRelay, c.Route), uint64(c.Source))
	dst = AppendUint(dst, uint64(c.SourceEpoch))
	dst = AppendUint(dst, c.First)
	dst = AppendUint(dst, uint64(len(c.Rows)))
	for _, row := range c.Rows {
		dst = AppendString(dst, row)
	}
	return dst
}

// Decode reads the body behind a prefix; rows alias it.
func (c *Relay) Decode(r *Reader) {
	c.Source = r.Uint32()
	c.SourceEpoch = r.Uint32()
	c.First = r.Uint()
	c.Rows = c.Rows[:0]
	for range r.Count(MaxRelayBatch) {
		c.Rows = append(c.Rows, r.Bytes())
	}
}

// RelayTrim deletes what a target has applied from the source's relay, as the
// source's leader of Generation was told.
type RelayTrim struct {
	Route

	Generation uint64
	Target     uint32
	// Through is the number of the last row that the target has applied.
	Through uint64
}

// Append appends the encoded command.
func (c *RelayTrim) Append(dst []byte) []byte {
	dst = AppendUint(appendPrefix(dst, KindRelayTrim, c.Route), c.Generation)
	dst = AppendUint(dst, uint64(c.Target))
	return AppendUint(dst, c.Through)
}

// Decode reads the body behind a prefix.
func (c *RelayTrim) Decode(r *Reader) {
	c.Generation = r.Uint()
	c.Target = r.Uint32()
	c.Through = r.Uint()
}
