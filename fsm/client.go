package fsm

import (
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// ClientState is what a partition keeps of a client: its stream, and how far each of
// its devices has acknowledged it.
type ClientState struct {
	// Head is the last seq given out, 0 for none; Oldest the first retained.
	Head    uint64        `json:"seq"`
	Oldest  uint64        `json:"oldest"`
	Devices []DeviceState `json:"devices"`
}

// DeviceState is a device that has acknowledged something.
type DeviceState struct {
	DeviceID string `json:"device_id"`
	Acked    uint64 `json:"acked"`
	// AckedMS is when it last acknowledged, in Unix milliseconds.
	AckedMS int64 `json:"acked_time"`
}

// ReadClient reads what is kept of a client; nil when nothing ever was for it.
func ReadClient(view *storage.View, tenant, client string) (state *ClientState, err error) {
	defer invariants.Recover(&err)
	id, err := lookUpTenant(view, tenant)
	if err != nil || id == 0 {
		return nil, err
	}
	value, found, err := view.Get(keyStream(nil, id, client))
	if err != nil || !found {
		return nil, err
	}
	var row streamRow
	row.read(value)
	state = &ClientState{Head: row.head, Oldest: row.oldest, Devices: make([]DeviceState, 0, len(row.devices))}
	for i := range row.devices {
		d := &row.devices[i]
		state.Devices = append(state.Devices, DeviceState{DeviceID: d.name, Acked: d.acked, AckedMS: d.seenMS})
	}
	return state, nil
}
