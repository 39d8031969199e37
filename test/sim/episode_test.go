package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
	"github.com/batonmq/baton/test/history"
	"github.com/batonmq/baton/transport"
)

// hangs is how much of our time an episode may take. One that takes longer has
// stopped: in a bubble time stands still while somebody waits for a mutex.
const hangs = 3 * time.Minute

// TestEpisodes runs the episodes of many seeds, or of the one that is asked for.
func TestEpisodes(t *testing.T) {
	sum := &tally{}
	t.Cleanup(func() { t.Log(sum) })
	if *seedFlag != 0 {
		for i := range *repeatFlag {
			t.Run(fmt.Sprintf("seed=%d#%d", *seedFlag, i), func(t *testing.T) { run(t, *seedFlag, sum) })
		}
		return
	}
	episodes := uint64(usualEpisodes)
	if testing.Short() {
		episodes = shortEpisodes
	}
	if *episodesFlag != 0 {
		episodes = *episodesFlag
	}
	for i := range episodes {
		seed := *firstFlag + i
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			run(t, seed, sum)
		})
	}
}

func run(t *testing.T, seed uint64, sum *tally) {
	t.Helper()
	var running atomic.Pointer[episode]
	watch := time.AfterFunc(hangs, func() {
		debug.SetTraceback("all")
		invariants.Failf("the episode of seed %d goes on: it has stopped; run it again: %s\n%s", seed, again(seed), running.Load().soFar())
	})
	defer watch.Stop()
	synctest.Test(t, func(t *testing.T) {
		e := newEpisode(seed)
		running.Store(e)
		e.run()
		sum.add(&e.tally)
		e.report(t)
	})
}

func again(seed uint64) string {
	return fmt.Sprintf("go test ./test/sim -run TestEpisodes -sim.seed=%d", seed)
}

// episode is one run of a simulated cluster.
type episode struct {
	seed    uint64
	plan    plan
	began   time.Time
	network *transport.Network
	reach   *reach
	nodes   []*node
	history history.Log
	tally   tally

	// calm means that the faults are over: everybody does their best.
	calm atomic.Bool
	// hurry has everybody who waits for the next event publish it now.
	hurry rousing
	// ending is closed when clients and workers are to leave.
	ending     chan struct{}
	publishers sync.WaitGroup
	others     sync.WaitGroup
	ghosts     sync.WaitGroup // processes without power that have not ended yet
	clients    []*client

	mu struct {
		sync.Mutex

		faults []string // promises that were broken
		story  []string // what was done to the cluster
	}
}

func newEpisode(seed uint64) *episode {
	e := &episode{seed: seed, plan: planOf(seed), began: time.Now(), ending: make(chan struct{})}
	e.network = transport.NewNetwork(seed)
	e.network.SetDelay(100*time.Microsecond, 2*time.Millisecond)
	ids := make([]string, e.plan.nodes)
	for i := range ids {
		ids[i] = fmt.Sprintf("%c.1", 'a'+i)
		n := &node{episode: e, id: ids[i], pace: e.random(actorDisks + uint64(i))}
		n.keep(storage.NewCrashFS(), raftlog.NewMemoryStable())
		e.nodes = append(e.nodes, n)
	}
	e.reach = newReach(e.network, ids)
	return e
}

// random is the source of one actor, apart from the others'.
func (e *episode) random(actor uint64) *rand.Rand { return rand.New(rand.NewPCG(e.seed, actor)) }

func (e *episode) run() {
	for _, n := range e.nodes {
		n.start()
	}
	e.await("the cluster is there", e.ready)
	e.populate()
	e.disturb()
	e.settle()
	e.judge()
	close(e.ending)
	e.others.Wait()
	var stopping sync.WaitGroup
	for _, n := range e.nodes {
		stopping.Go(n.stop)
	}
	stopping.Wait()
	e.ghosts.Wait()
	e.tally.clusterTime = time.Since(e.began)
}

// populate lets clients and workers begin.
func (e *episode) populate() {
	for i := range e.plan.clients {
		c := newClient(e, i)
		e.clients = append(e.clients, c)
		e.publishers.Go(c.publishAll)
		e.others.Go(c.listen)
	}
	for i := range e.plan.workers {
		w := newWorker(e, i)
		e.others.Go(w.work)
	}
}

// connect is a process that runs, by chance; nil when the episode ends first.
func (e *episode) connect(random *rand.Rand) *life {
	for !e.over() {
		for _, i := range random.Perm(len(e.nodes)) {
			if l := e.nodes[i].current(); l != nil {
				return l
			}
		}
		e.pause(100 * time.Millisecond)
	}
	return nil
}

func (e *episode) over() bool {
	select {
	case <-e.ending:
		return true
	default:
		return false
	}
}

// pause passes cluster time; false when the episode ended meanwhile.
func (e *episode) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ending:
		return false
	}
}

// faultf notes a promise that was broken.
func (e *episode) faultf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.faults = append(e.mu.faults, fmt.Sprintf("%8.3fs ", time.Since(e.began).Seconds())+fmt.Sprintf(format, args...))
}

func (e *episode) tellf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.story = append(e.mu.story, fmt.Sprintf("%8.3fs ", time.Since(e.began).Seconds())+fmt.Sprintf(format, args...))
}

// soFar is what was done to the cluster until now.
func (e *episode) soFar() string {
	if e == nil {
		return "it has not begun"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(append(slices.Clone(e.mu.story), e.mu.faults...), "\n")
}

func (e *episode) report(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.mu.faults) > 0 || *seedFlag != 0 {
		for _, line := range e.mu.story {
			t.Log(line)
		}
	}
	for i, fault := range e.mu.faults {
		if i == 20 {
			t.Errorf("and %d more", len(e.mu.faults)-i)
			break
		}
		t.Error(fault)
	}
	if len(e.mu.faults) > 0 {
		t.Errorf("run it again: %s", again(e.seed))
	}
}
