package duty

// Socket is one that a client's stream is pumped to.
type Socket struct {
	Node     string
	DeviceID string
	// Sent is the last seq that it was sent, or that came before its beginning.
	Sent uint64
}

// Present are the sockets that a client has now, as far as this leader knows: after a
// change of leaders the sockets tell the new one within moments.
func (d *Duty) Present(tenant, client string) []Socket {
	d.mu.Lock()
	defer d.mu.Unlock()
	sockets := []Socket{}
	for a := range d.mu.pump.sockets(streamKey{tenant, client}) {
		sockets = append(sockets, Socket{Node: a.Node, DeviceID: a.DeviceID, Sent: a.next - 1})
	}
	return sockets
}

// Workers is how many subscriptions are registered here that may be given a tenant's events
// of a channel in a group, and how much credit they have free: what this leader knows, as
// with Present.
func (d *Duty) Workers(channel, group, tenant string) (workers int, credit uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	book := d.mu.credit.topics[topic{channel, group}]
	if book == nil {
		return 0, 0
	}
	for _, l := range book.loans.all {
		if l.Tenant == "" || l.Tenant == tenant {
			workers++
			credit += uint64(l.free)
		}
	}
	return workers, credit
}
