package storage

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	crashSeeds = flag.Int("crash.seeds", 0, "how many histories TestCrashPoints goes through; 0 for the usual number")
	crashFirst = flag.Uint64("crash.first", 1, "the first one's seed")
)

const (
	usualCrashSeeds = 60
	shortCrashSeeds = 6
	crashBatches    = 60
)

// TestCrashPoints loses power before every operation of the disk, through
// histories of appends, states, truncations, configurations, installed and
// abandoned snapshots and rows of the node's own: what is left must be what a
// prefix of the batches wrote, with everything in it that was promised.
func TestCrashPoints(t *testing.T) {
	seeds := usualCrashSeeds
	if testing.Short() {
		seeds = shortCrashSeeds
	}
	if *crashSeeds != 0 {
		seeds = *crashSeeds
	}
	sum := &pointCounts{}
	t.Cleanup(func() { t.Log(sum) })
	for i := range uint64(seeds) {
		seed := *crashFirst + i
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			p := &crashPoints{t: t, seed: seed, sum: sum, ledger: newLedger(1, 2), queue: make(chan *pointOfCrash, 8)}
			p.run()
		})
	}
}

// pointOfCrash is a disk as a crash left it, and what it may hold.
type pointOfCrash struct {
	disk     *CrashFS
	number   int
	keep     int
	from, to int // batches of the ledger
	what     string
}

// crashPoints makes the crash points of one history, and checks them meanwhile.
type crashPoints struct {
	t      *testing.T
	seed   uint64
	sum    *pointCounts
	ledger *ledger
	disk   *CrashFS
	queue  chan *pointOfCrash
	doing  atomic.Value // a string: which batch is written
	number atomic.Int64
}

func (p *crashPoints) run() {
	p.disk = NewCrashFS()
	p.doing.Store("open")
	var checking sync.WaitGroup
	checking.Go(func() {
		for point := range p.queue {
			p.check(point)
		}
	})
	s := must(Open("data", Options{
		FS: &everyFS{FS: p.disk.FS(), hook: p.hook}, CacheBytes: 1 << 20, MemTableBytes: 64 << 10,
		OnFatal: func(err error) { p.t.Error(err) },
	}))
	w := newCrashWriter(p, s)
	for range crashBatches {
		w.step()
	}
	p.doing.Store("close")
	closeTest(p.t, s)
	close(p.queue)
	checking.Wait()
}

// hook clones the disk before an operation.
func (p *crashPoints) hook(operation string) {
	number := int(p.number.Add(1))
	from := p.ledger.promised() // Before the clone: what is promised later may be missing.
	doing, _ := p.doing.Load().(string)
	point := &pointOfCrash{number: number, keep: []int{0, 30, 70, 100}[number%4], from: from, what: doing + ": " + operation}
	point.disk = p.disk.Clone(point.keep, p.seed*1_000_003+uint64(number))
	point.to = p.ledger.begun()
	p.queue <- point
}

// check opens what a crash left.
func (p *crashPoints) check(point *pointOfCrash) {
	p.sum.add(point)
	fail := func(format string, args ...any) {
		p.t.Errorf("crash point %d (%s, %d%% kept): %s; run it again: go test ./storage -run TestCrashPoints/seed=%d -crash.first=%d -crash.seeds=1",
			point.number, point.what, point.keep, fmt.Sprintf(format, args...), p.seed, p.seed)
	}
	s, err := Open("data", Options{
		FS: point.disk.FS(), CacheBytes: 1 << 20, MemTableBytes: 64 << 10, OnFatal: func(err error) { p.t.Error(err) },
	})
	if err != nil {
		fail("it cannot be opened: %v", err)
		return
	}
	digest, err := digestOfStore(s, []uint32{1, 2}, localNames)
	batch, found := p.ledger.find(digest, point.from, point.to)
	switch {
	case err != nil:
		fail("it cannot be read: %v", err)
	case !found:
		fail("it is not as after any of the batches %d (promised) to %d", point.from, point.to)
	case point.number%8 == 0:
		err = p.goOn(s, point)
	}
	if err != nil {
		fail("after batch %d it does not go on: %v", batch, err)
	}
	if err := s.Close(); err != nil {
		fail("it cannot be closed: %v", err)
	}
}

// goOn appends, and loses the power once more: that must be there.
func (p *crashPoints) goOn(s *Store, point *pointOfCrash) error {
	log, err := s.Log(1)
	if err != nil {
		return err
	}
	_, last := log.Bounds()
	if err = log.AppendSynced(logRows(last+1, last+1, "after")); err != nil {
		return err
	}
	again, err := Open("data", Options{FS: point.disk.Clone(0, 1).FS(), OnFatal: func(err error) { p.t.Error(err) }})
	if err != nil {
		return err
	}
	if log, err = again.Log(1); err != nil {
		return err
	}
	if _, got := log.Bounds(); got != last+1 {
		return fmt.Errorf("the log ends at %d, promised was %d", got, last+1)
	}
	return again.Close()
}

// pointCounts counts crash points.
type pointCounts struct {
	mu    sync.Mutex
	all   int
	keeps map[int]int
	whats map[string]int
}

// String is the counts in lines.
func (c *pointCounts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d crash points, by what of the unsynced data was kept:", c.all)
	for _, keep := range slices.Sorted(maps.Keys(c.keeps)) {
		fmt.Fprintf(&b, " %d%% %d", keep, c.keeps[keep])
	}
	for _, what := range slices.Sorted(maps.Keys(c.whats)) {
		fmt.Fprintf(&b, "\n%7d %s", c.whats[what], what)
	}
	return b.String()
}

func (c *pointCounts) add(point *pointOfCrash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keeps == nil {
		c.keeps, c.whats = make(map[int]int), make(map[string]int)
	}
	c.all++
	c.keeps[point.keep]++
	c.whats[point.what]++
}
