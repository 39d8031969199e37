package fsm

import (
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Directory is what a reader of channels knows of a partition's sub-queues. They
// are numbered in the order in which they are made, and never change what they
// are: so a look at a newer view reads only those that are new. The zero value
// knows none. It belongs to one goroutine, and to views of one state.
type Directory struct {
	known  uint32
	queues map[uint32][]namedQueue // by channel
}

// namedQueue is a sub-queue of a channel.
type namedQueue struct{ id, tenant uint32 }

// update learns of the sub-queues that are new in a view.
func (d *Directory) update(view *storage.View) error {
	if d.queues == nil {
		d.queues = make(map[uint32][]namedQueue)
	}
	end := after([]byte{kindQueue})
	return view.Scan(keyQueue(nil, d.known+1), end, func(key, value []byte) (bool, error) {
		var row queueRow
		row.read(value)
		d.known = u32At(key, 1)
		d.queues[row.channel] = append(d.queues[row.channel], namedQueue{d.known, row.tenant})
		return true, nil
	})
}

// of are the sub-queues of a channel that hold the events of a tenant, or of all
// where tenant is empty.
func (d *Directory) of(view *storage.View, channelName, tenant string) ([]namedQueue, error) {
	if err := d.update(view); err != nil {
		return nil, err
	}
	id, err := lookUpName(view, nameChannel, channelName)
	if err != nil || id == 0 || tenant == "" {
		return d.queues[id], err
	}
	wanted, err := lookUpTenant(view, tenant)
	if err != nil || wanted == 0 {
		return nil, err
	}
	var of []namedQueue
	for _, q := range d.queues[id] {
		if q.tenant == wanted {
			of = append(of, q)
		}
	}
	return of, nil
}

// End is the last position that the partition has given out, 0 for none.
func End(view *storage.View) (position uint64, err error) {
	defer invariants.Recover(&err)
	value, found, err := view.Get(keyCounters(nil))
	if err != nil || !found {
		return 0, err
	}
	var c counters
	c.read(value)
	return c.nextPosition - 1, nil
}
