package command

// Job is a granted event on its way to the worker's gateway.
type Job struct {
	Lease   LeaseID
	LeaseMS uint32
	// Group is the consumer group's name.
	Group string
	// CorrelationID and CausationID are resolved: never empty.
	CorrelationID string
	CausationID   string
	// Checkpoint is the JSON value a former attempt kept, or nil.
	Checkpoint []byte
	Event      Event
	// LostWithSocket means that the gateway gives the job back as lost when the
	// worker's socket is lost. It stands last, and only where it is true.
	LostWithSocket bool
}

// AppendJob appends the job's fields in their order.
func AppendJob(dst []byte, j *Job) []byte {
	dst = AppendLeaseID(dst, j.Lease)
	dst = AppendUint(dst, uint64(j.LeaseMS))
	dst = AppendString(dst, j.Group)
	dst = AppendString(dst, j.CorrelationID)
	dst = AppendString(dst, j.CausationID)
	dst = AppendString(dst, j.Checkpoint)
	dst = AppendEvent(dst, &j.Event)
	if j.LostWithSocket {
		dst = AppendBool(dst, j.LostWithSocket)
	}
	return dst
}

// Job reads what AppendJob wrote; byte slices alias the record.
func (r *Reader) Job() Job {
	return Job{
		Lease:         r.LeaseID(),
		LeaseMS:       r.Uint32(),
		Group:         r.String(),
		CorrelationID: r.String(),
		CausationID:   r.String(),
		Checkpoint:    r.Bytes(),
		Event:         r.Event(),

		LostWithSocket: r.Bool(),
	}
}

// Notification is one entry of a client's stream.
type Notification struct {
	// Seq counts the stream's notifications from 1, without holes.
	Seq  uint64
	Name string
	// Event is the event whose job notified.
	Event         EventID
	CorrelationID string
	CausationID   string
	TimeMS        int64
	Payload       Payload
}

// AppendNotification appends the notification's fields in their order.
func AppendNotification(dst []byte, n *Notification) []byte {
	dst = AppendUint(dst, n.Seq)
	dst = AppendString(dst, n.Name)
	dst = appendEventID(dst, n.Event)
	dst = AppendString(dst, n.CorrelationID)
	dst = AppendString(dst, n.CausationID)
	dst = AppendInt(dst, n.TimeMS)
	return AppendPayload(dst, n.Payload)
}

// Notification reads what AppendNotification wrote; its payload aliases the
// record.
func (r *Reader) Notification() Notification {
	return Notification{
		Seq:           r.Uint(),
		Name:          r.String(),
		Event:         r.EventID(),
		CorrelationID: r.String(),
		CausationID:   r.String(),
		TimeMS:        r.Int(),
		Payload:       r.Payload(),
	}
}
