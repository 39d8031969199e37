package tokens

// Want has a reader answered, now or when there is something for it. A reader wants
// one thing at a time: another want takes the place of the last.
func (b *Board) Want(w *Want) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.leading {
		return
	}
	b.learnLocked()
	key := readerKey{w.Node, w.Reader}
	b.unwantLocked(key)
	s := b.mu.streams[w.ID]
	switch {
	case s == nil && (w.Settled || len(b.mu.readers) >= MaxReaders):
		_ = b.config.Pusher.PushPiece(w.Node, &Piece{Reader: w.Reader, Turn: w.Turn, Gone: true}) // Lost, the reader asks again.
		return
	case s == nil:
		if s = b.addLocked(w.ID); s == nil {
			_ = b.config.Pusher.PushPiece(w.Node, &Piece{Reader: w.Reader, Turn: w.Turn, Gone: true})
			return
		}
	}
	s.waiting[key] = *w
	b.mu.readers[key] = w.ID
	b.answerOneLocked(s, key)
}

// Unwant forgets a reader.
func (b *Board) Unwant(node string, reader uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwantLocked(readerKey{node, reader})
}

func (b *Board) unwantLocked(key readerKey) {
	id, ok := b.mu.readers[key]
	if !ok {
		return
	}
	delete(b.mu.readers, key)
	s := b.mu.streams[id]
	delete(s.waiting, key)
	if !s.begun() && len(s.waiting) == 0 {
		b.removeLocked(s)
	}
}

// Forget drops the readers of a node that cannot be reached.
func (b *Board) Forget(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.mu.readers {
		if key.node == node {
			b.unwantLocked(key)
		}
	}
}

// answerLocked answers everybody for whom there is something.
func (b *Board) answerLocked(s *stream) {
	for key := range s.waiting {
		b.answerOneLocked(s, key)
	}
}

func (b *Board) answerOneLocked(s *stream, key readerKey) {
	w := s.waiting[key]
	piece, ok := s.answer(&w)
	// Where it cannot be reached, the reader waits on: for more, or to ask again.
	if ok && b.config.Pusher.PushPiece(key.node, &piece) == nil {
		delete(s.waiting, key)
		delete(b.mu.readers, key)
	}
}
