package gateway

// tables are what a session has asked for besides its stream, and is sent. They are
// made with the first request, or the first token stream that comes unasked: most
// connections of most nodes wait for notifications, and never need them. Each table
// has a lock of its own.
type tables struct {
	requests      requestTable
	jobs          jobTable
	subscriptions subscriptionTable
	followers     followerTable
	tokens        tokenTable
	listeners     listenerTable
	// writers are the reader's own.
	writers map[streamKey]*writer
}

// tables are the connection's, made where there are none yet. Whoever has nothing to
// do where there are none looks at rest.
func (c *connection) tables() *tables {
	if t := c.rest.Load(); t != nil {
		return t
	}
	return c.makeTables()
}

func (c *connection) makeTables() *tables {
	t := &tables{}
	t.requests.init(&c.gateway.limits)
	t.tokens.open = c.gateway.meter.readStreams
	t.belong(c.tenant)
	if !c.rest.CompareAndSwap(nil, t) {
		return c.rest.Load()
	}
	// Who ends the connection marks it first, and then looks for tables.
	if c.closing() {
		t.requests.close()
	}
	if c.over.Load() {
		t.closeAll()
	}
	return t
}

// belong has what is in the tables counted with what a tenant uses.
func (t *tables) belong(use *usage) {
	t.subscriptions.shared, t.followers.shared = &use.subscriptions, &use.subscriptions
}

// closeAll ends what the connection is sent.
func (t *tables) closeAll() {
	for _, s := range t.subscriptions.takeAll() {
		s.handle.Close()
	}
	for _, handle := range t.followers.takeAll() {
		handle.Close(nil, 0)
	}
	for _, handle := range t.tokens.takeAll() {
		handle.Close()
	}
	for _, handle := range t.listeners.takeAll() {
		handle.Close()
	}
}
