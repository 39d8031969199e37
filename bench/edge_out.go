package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// out measures what a server gives out: many follow what one publishes, which stays
// InFlight messages at most ahead of them, taken together.
func (e *edge) out(ctx context.Context, d edgeDialect) (row EdgeRow, err error) {
	if err = e.prepare(ctx, d); err != nil {
		return row, err
	}
	lines, err := e.openAll(ctx, d, e.config.Followers, d.follower)
	if err != nil {
		return row, err
	}
	publisher, err := e.open(ctx, d, len(lines))
	if err != nil {
		closeLines(lines)
		return row, err
	}
	lines = append(lines, publisher)
	defer closeLines(lines)
	o := &outFlight{flight: newFlight(ctx, lines), followers: int64(e.config.Followers), ahead: int64(e.config.InFlight)}
	o.moved = make(chan struct{}, 1)
	o.done = make(chan struct{})
	for _, l := range lines[:e.config.Followers] {
		o.reading(func() error { return o.count(d, l, &o.counted) })
	}
	o.reading(func() error { return o.count(d, publisher, &o.answered) })
	o.work.Go(func() { o.fail(o.publish(d, publisher)) })

	before, after, messages, err := e.window(o.ctx, d, &o.counted) //nolint:contextcheck // It descends from ours.
	missing := o.drain(err)
	if err = o.end(err); err != nil {
		return row, err
	}
	row = rowOf(&before, &after, e.config.Followers, messages)
	row.Missing = missing
	return row, nil
}

// outFlight is a flight whose messages are counted where they are delivered.
type outFlight struct {
	*flight

	followers, ahead int64
	answered         atomic.Int64
	published        atomic.Int64
	moved            chan struct{} // has room for one word that something was counted
	done             chan struct{} // closed when nothing is published any more
	over             atomic.Bool   // what ends now is no error
}

// outDrain is how long what is on its way may take at the end.
const outDrain = 10 * time.Second

func (o *outFlight) reading(read func() error) {
	o.work.Go(func() {
		if err := read(); !o.over.Load() {
			o.fail(err)
		}
	})
}

// count reads a line until it ends.
func (o *outFlight) count(d edgeDialect, l *edgeLine, counted *atomic.Int64) error {
	for {
		n, err := l.answers(d)
		if err != nil {
			return err
		}
		counted.Add(int64(n))
		select {
		case o.moved <- struct{}{}:
		default:
		}
	}
}

// room is how many messages may be published now. An event may be delivered before it
// is answered, so that both are looked at.
func (o *outFlight) room(acked bool) int64 { //nolint:revive // A server answers or does not.
	published := o.published.Load()
	ahead := published - o.counted.Load()/o.followers
	if acked {
		ahead = max(ahead, published-o.answered.Load())
	}
	return o.ahead - ahead
}

// publish publishes whenever there is room for some, until it is told to stop.
func (o *outFlight) publish(d edgeDialect, l *edgeLine) error {
	defer close(o.done)
	var frames []byte
	for !o.stop.Load() {
		room := o.room(d.perAnswer() > 0)
		if room*2 < o.ahead {
			select {
			case <-o.moved:
			case <-o.ctx.Done():
				return nil
			}
			continue
		}
		o.published.Add(room)
		frames = d.publish(frames[:0], l, int(room))
		if err := l.write(frames); err != nil {
			return err
		}
	}
	return nil
}

// drain stops publishing and waits for what is on its way. It returns how much of it
// does not come, and ends the readers.
func (o *outFlight) drain(failed error) (missing int64) {
	o.stop.Store(true)
	select { // The publisher may wait for a word.
	case o.moved <- struct{}{}:
	default:
	}
	if failed == nil {
		<-o.done
		for deadline := time.Now().Add(outDrain); ; {
			missing = o.published.Load()*o.followers - o.counted.Load()
			if missing == 0 || time.Now().After(deadline) || pause(o.ctx, 10*time.Millisecond) != nil {
				break
			}
		}
	}
	o.over.Store(true)
	o.hang()
	return missing
}
