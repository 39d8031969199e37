package history

import (
	"slices"
	"sync"
)

// Log is a history that is being written. The zero value is empty.
type Log struct {
	mu struct {
		sync.Mutex

		records []Record
	}
}

// Add appends a record. It may be called from any goroutine.
func (l *Log) Add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.records = append(l.mu.records, r)
}

// Records is what was added so far, in order.
func (l *Log) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.mu.records)
}
