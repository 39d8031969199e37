package history

// Record is one of Published, Granted, Answered, Attached, Notified and
// Gapped.
type Record interface{ record() }

// Published is the outcome of a publish. Client and Key identify what was
// published, however often it was sent.
type Published struct {
	Client, Key string
	// EventID is the receipt's; empty when there is none, and then the event may
	// or may not be stored.
	EventID   string
	Duplicate bool
}

// Granted is a job that was handed to a worker.
type Granted struct {
	Worker, EventID string
	Attempt         int
	Fence           uint64
}

// Answered is the answer to a complete.
type Answered struct {
	Worker, EventID string
	Fence           uint64
	// Completed means ok; else it was refused, or the answer never came.
	Completed bool
	// Repeated is an ok that says that the lease was completed before.
	Repeated bool
	// Reason is why it was not completed.
	Reason string
}

// Attached is a client that connected anew: what it did not acknowledge may come
// again.
type Attached struct{ Client string }

// Notified is a notification as its client got it. Key is the published one's,
// which workers hand on as data.
type Notified struct {
	Client, Key                  string
	Seq                          uint64
	Name, EventID, CorrelationID string
	Redelivered                  bool
}

// Gapped is a hole that the cluster declared.
type Gapped struct {
	Client   string
	From, To uint64
	Reason   string
}

func (Published) record() {}
func (Granted) record()   {}
func (Answered) record()  {}
func (Attached) record()  {}
func (Notified) record()  {}
func (Gapped) record()    {}
