package command

// RunChannelPrefix begins the channels in which runs begin that no channel's event
// starts: of workflow NAME it is the prefix and NAME. No client can publish there.
const RunChannelPrefix = "$run."

// RunAction is what is asked of a run. Numbers are for ever.
type RunAction uint8

// What may be asked of a run.
const (
	RunCancel  RunAction = 1
	RunPause   RunAction = 2
	RunResume  RunAction = 3
	RunRetry   RunAction = 4
	RunSkip    RunAction = 5
	RunFail    RunAction = 6
	RunRedrive RunAction = 7
	RunFork    RunAction = 8
)

// StartRun begins a run of a workflow. Its event has no channel of its own; its key is
// the run's, and its payload the run's input.
type StartRun struct {
	Route

	Event    Event
	Workflow string
	// Alias is an alias or a version in full; empty for prod.
	Alias string
	// MaxUnfinished and MaxTenantBytes are as in Publish.
	MaxUnfinished, MaxTenantBytes uint64
}

// Append appends the encoded command.
func (c *StartRun) Append(dst []byte) []byte {
	dst = AppendEvent(appendPrefix(dst, KindStartRun, c.Route), &c.Event)
	dst = AppendString(AppendString(dst, c.Workflow), c.Alias)
	return AppendUint(AppendUint(dst, c.MaxUnfinished), c.MaxTenantBytes)
}

// Decode reads the body behind a prefix.
func (c *StartRun) Decode(r *Reader) {
	c.Event = r.Event()
	c.Workflow, c.Alias = r.String(), r.String()
	c.MaxUnfinished, c.MaxTenantBytes = r.Uint(), r.Uint()
}

// ControlRun asks something of a run.
type ControlRun struct {
	Route

	Run EventID
	// Tenant is whose run it is. ClientID restricts it to runs of that client; empty for
	// anybody's.
	Tenant, ClientID string
	Action           RunAction
	// Step is where a redrive or fork begins, by name; empty for where the run stopped.
	Step string
	// Data is the input of what is tried again, or the output of what is skipped.
	Data Payload
	// Code and Reason say why it is canceled or failed.
	Code, Reason string
	// NoUndo cancels without compensating.
	NoUndo bool
	// Once makes the request take effect once.
	Once string
}

// Append appends the encoded command.
func (c *ControlRun) Append(dst []byte) []byte {
	dst = appendEventID(appendPrefix(dst, KindControlRun, c.Route), c.Run)
	dst = append(AppendString(AppendString(dst, c.Tenant), c.ClientID), byte(c.Action))
	dst = AppendPayload(AppendString(dst, c.Step), c.Data)
	dst = AppendString(AppendString(dst, c.Code), c.Reason)
	return AppendString(AppendBool(dst, c.NoUndo), c.Once)
}

// Decode reads the body behind a prefix.
func (c *ControlRun) Decode(r *Reader) {
	c.Run = r.EventID()
	c.Tenant, c.ClientID, c.Action = r.String(), r.String(), RunAction(r.Byte())
	c.Step, c.Data = r.String(), r.Payload()
	c.Code, c.Reason = r.String(), r.String()
	c.NoUndo, c.Once = r.Bool(), r.String()
}

// MessageKey is the partition key of the messages of a name and key: where they meet
// those who wait for them.
func MessageKey(name, key string) string { return "$message." + name + "." + key }

// SendMessage brings a message to whoever waits for it, or keeps it for who will.
type SendMessage struct {
	Route

	Tenant, Name, Key string
	// ID makes it arrive once, where it is not empty.
	ID string
	// TTLMS is for how long it is kept for a waiter; 0 for DefaultMessageTTLMS.
	TTLMS   uint64
	Payload Payload
}

// Append appends the encoded command.
func (c *SendMessage) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindSendMessage, c.Route), c.Tenant)
	dst = AppendString(AppendString(AppendString(dst, c.Name), c.Key), c.ID)
	return AppendPayload(AppendUint(dst, c.TTLMS), c.Payload)
}

// Decode reads the body behind a prefix.
func (c *SendMessage) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name, c.Key, c.ID = r.String(), r.String(), r.String()
	c.TTLMS, c.Payload = r.Uint(), r.Payload()
}

// RunNews is what partitions tell each other of runs.
type RunNews struct {
	// To is the run that it is for, or zero where it is for a message's home; From the
	// run that it comes of.
	To, From EventID
	// Step, Iteration, Item and Part say what of the run it is about.
	Step, Iteration, Item, Part uint32
	// Number is an offered message's; Name and Key are a message's.
	Number    uint64
	Name, Key string
	// Code and Message are an error's; Usage is what a child run used, as JSON.
	Code, Message string
	Usage         []byte
	// Failed, Canceled and Taken are how it went.
	Failed, Canceled, Taken bool
}

func (n *RunNews) none() bool {
	return n.To.IsZero() && n.From.IsZero() && n.Step|n.Iteration|n.Item|n.Part == 0 && n.Number == 0 &&
		n.Name+n.Key+n.Code+n.Message == "" && len(n.Usage) == 0 && !n.Failed && !n.Canceled && !n.Taken
}

func appendRunNews(dst []byte, n *RunNews) []byte {
	dst = AppendEventID(AppendEventID(dst, n.To), n.From)
	for _, v := range []uint32{n.Step, n.Iteration, n.Item, n.Part} {
		dst = AppendUint(dst, uint64(v))
	}
	dst = AppendUint(dst, n.Number)
	for _, text := range []string{n.Name, n.Key, n.Code, n.Message} {
		dst = AppendString(dst, text)
	}
	dst = AppendString(dst, n.Usage)
	return AppendBool(AppendBool(AppendBool(dst, n.Failed), n.Canceled), n.Taken)
}

func (r *Reader) runNews() RunNews {
	return RunNews{
		To: r.EventID(), From: r.EventID(), Step: r.Uint32(), Iteration: r.Uint32(), Item: r.Uint32(), Part: r.Uint32(),
		Number: r.Uint(), Name: r.String(), Key: r.String(), Code: r.String(), Message: r.String(), Usage: r.Bytes(),
		Failed: r.Bool(), Canceled: r.Bool(), Taken: r.Bool(),
	}
}

// CancelGone stops the runs of a client that say so, as the leader of Generation saw the
// client's last device go and not come back.
type CancelGone struct {
	Route

	Generation       uint64
	Tenant, ClientID string
}

// Append appends the encoded command.
func (c *CancelGone) Append(dst []byte) []byte {
	dst = AppendUint(appendPrefix(dst, KindCancelGone, c.Route), c.Generation)
	return AppendString(AppendString(dst, c.Tenant), c.ClientID)
}

// Decode reads the body behind a prefix.
func (c *CancelGone) Decode(r *Reader) {
	c.Generation = r.Uint()
	c.Tenant, c.ClientID = r.String(), r.String()
}
