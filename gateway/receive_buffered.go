package gateway

import "net"

// bufferedReceiver reads any connection. It holds a workbench also while it waits;
// see waitingReceiver for how that is avoided where it can be.
type bufferedReceiver struct {
	gateway *Gateway
	conn    net.Conn
}

func (r *bufferedReceiver) receive() (*workbench, int, error) {
	bench := r.gateway.borrow()
	n, err := r.conn.Read(bench.input[:])
	if err != nil {
		r.gateway.giveBack(bench)
		return nil, 0, err
	}
	return bench, n, nil
}
