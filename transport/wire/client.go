package wire

// Client is a client as a node shows it: whether it is there, and how far each of its
// devices is with its stream. Times are Unix milliseconds.
type Client struct {
	ClientID string `json:"client_id"`
	Tenant   string `json:"tenant"`
	// Connected means that some socket takes the client's stream now.
	Connected bool   `json:"connected"`
	Epoch     string `json:"epoch"`
	// Seq is the last notification's number, 0 for none; Oldest the first that is
	// kept, Seq+1 where nothing is.
	Seq     uint64   `json:"seq"`
	Oldest  uint64   `json:"oldest"`
	Devices []Device `json:"devices"`
}

// Device is one of a client's devices: connected now, or with a cursor that was kept.
type Device struct {
	DeviceID  string `json:"device_id"`
	Connected bool   `json:"connected"`
	// Nodes are the nodes that hold its sockets, once for each.
	Nodes []string `json:"nodes"`
	// Sent is the last number that a socket was sent; 0 where there is none.
	Sent uint64 `json:"sent,omitempty"`
	// Acked is the last number that it acknowledged, and Lag how many it has not,
	// of those that are kept.
	Acked uint64 `json:"acked"`
	Lag   uint64 `json:"lag"`
	// AckedTime is when it last acknowledged, 0 for never.
	AckedTime int64 `json:"acked_time,omitempty"`
}
