package tokens

import "github.com/batonmq/baton/fsm"

// Write adds a worker's bytes to a stream, and answers with how far it is.
func (b *Board) Write(w *Write) {
	held := b.config.Holds(w.Lease)
	id := ID{w.Lease.Event, w.Name}
	owner, owned := b.ownerOf(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.leading {
		return // Whoever leads now is asked.
	}
	b.learnLocked()
	if b.foreignLocked(w, owner, owned) {
		_ = b.config.Pusher.PushTook(w.Node, w.Source, Lost, 0)
		return
	}
	s, status := b.openLocked(w, held)
	if status != Taken {
		_ = b.config.Pusher.PushTook(w.Node, w.Source, status, 0) // Lost, it is written again.
		return
	}
	if owned {
		s.owner = owner
	}
	b.takeLocked(s, w)
	_ = b.config.Pusher.PushTook(w.Node, w.Source, Taken, s.ring.end())
	b.answerLocked(s)
	if now := b.config.Now(); s.owner.ClientID != "" && now.Sub(s.announced) >= AnnounceInterval {
		s.announced = now
		b.config.Pusher.Announce(s.owner, s.id)
	}
}

// ownerOf reads whose a stream is, where the stream does not know.
func (b *Board) ownerOf(id ID) (fsm.Owner, bool) {
	b.mu.Lock()
	s := b.mu.streams[id]
	known := s != nil && s.owner != fsm.Owner{}
	b.mu.Unlock()
	if known {
		return fsm.Owner{}, false
	}
	return b.config.Owner(id.Event)
}

// foreignLocked tells whether a write is of a job that is not its writer's tenant's.
//
//nolint:revive // The flag says whether the owner was read.
func (b *Board) foreignLocked(w *Write, owner fsm.Owner, owned bool) bool {
	if w.Tenant == "" {
		return false
	}
	if s := b.mu.streams[ID{w.Lease.Event, w.Name}]; !owned && s != nil {
		owner = s.owner
	}
	return owner.Tenant != w.Tenant
}

// openLocked is the stream that a write goes to, if it may.
//
//nolint:revive // The flag is a fact about the lease.
func (b *Board) openLocked(w *Write, held bool) (*stream, Status) {
	s := b.mu.streams[ID{w.Lease.Event, w.Name}]
	switch {
	case s != nil && s.lease == w.Lease:
		// What a worker wrote before it completed may come after that.
		if s.lost || !held && !s.ended {
			return nil, Lost
		}
		return s, Taken
	case !held:
		return nil, Lost
	case s == nil:
		if s = b.addLocked(ID{w.Lease.Event, w.Name}); s == nil {
			return nil, Full
		}
	case s.begun() && s.lease.Group != w.Lease.Group && !s.ended && !s.lost:
		return nil, Occupied
	case s.begun() && s.lease.Group == w.Lease.Group && s.lease.Fence > w.Lease.Fence:
		return nil, Lost
	}
	b.beginLocked(s, w.Lease)
	return s, Taken
}

// takeLocked adds what follows the ring's end. Where something lies between, the
// ring waits for it, or begins anew where nobody has it any more.
func (b *Board) takeLocked(s *stream, w *Write) {
	s.touched = b.config.Now()
	end, data := s.ring.end(), w.Data
	switch {
	case w.Offset > end && w.Offset != w.Base, s.final:
		return
	case w.Offset > end:
		b.mu.bytes -= len(s.ring.data)
		s.ring.restart(w.Offset)
	case w.Offset+uint64(len(data)) < end:
		return
	default:
		data = data[end-w.Offset:]
	}
	if len(s.ring.data) == 0 {
		s.kind = w.Kind
	}
	for b.mu.bytes+len(data) > MaxBytes && b.evictLocked(s) {
	}
	limit := min(MaxRingBytes, MaxBytes-b.mu.bytes+len(s.ring.data))
	if len(s.ring.data)+len(data) > limit && limit < MaxRingBytes {
		b.mu.refused++
	}
	b.mu.bytes -= len(s.ring.data)
	s.ring.append(data, limit)
	b.mu.bytes += len(s.ring.data)
	s.final = w.Final
}
