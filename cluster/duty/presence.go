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
