package raftlog

const (
	// RingEntries and RingBytes bound what one group keeps of its newest log rows.
	// Replication reads an entry back the moment it is stored; followers that lag
	// further behind read from Pebble's cache.
	RingEntries = 512
	// RingBytes bounds the rows' bytes, not their number.
	RingBytes = 4 << 20
)

// ring keeps the newest rows by index. It is not safe for concurrent use.
type ring struct {
	rows  [RingEntries][]byte
	first uint64 // index of the oldest row kept; 0 when there is none
	last  uint64
	bytes int
}

// add appends a row that follows the last one; any other index starts anew.
func (r *ring) add(index uint64, row []byte) {
	if r.first == 0 || index != r.last+1 {
		r.clear()
		r.first = index
	}
	for r.first < index && (index-r.first >= RingEntries || r.bytes+len(row) > RingBytes) {
		r.drop(r.first)
		r.first++
	}
	r.rows[index%RingEntries] = row
	r.bytes += len(row)
	r.last = index
}

func (r *ring) get(index uint64) ([]byte, bool) {
	if r.first == 0 || index < r.first || index > r.last {
		return nil, false
	}
	return r.rows[index%RingEntries], true
}

func (r *ring) clear() {
	if r.first != 0 {
		for index := r.first; index <= r.last; index++ {
			r.drop(index)
		}
	}
	r.first, r.last, r.bytes = 0, 0, 0
}

func (r *ring) drop(index uint64) {
	r.bytes -= len(r.rows[index%RingEntries])
	r.rows[index%RingEntries] = nil
}
