package members

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// Limits and defaults.
const (
	// DefaultPartitions is how many partitions a cluster is founded with.
	DefaultPartitions = 8
	// DefaultReplicas is how many replicas each group has.
	DefaultReplicas = 3
	// MaxExpect is the largest number of founders.
	MaxExpect = command.MaxMembers
	// MaxTable bounds the nodes kept in the table; gossip about more is refused.
	MaxTable = 4 * command.MaxMembers
	// MaxText bounds every id, name, address and version, in bytes.
	MaxText = 255
	// MaxMessage bounds a request and a reply, in bytes.
	MaxMessage = 256 << 10
)

// LocalStore keeps rows of this node alone; storage.Store is one. A value is
// durable when SetLocal has returned.
type LocalStore interface {
	SetLocal(name string, value []byte) error
	GetLocal(name string) ([]byte, bool, error)
}

// Hooks are how the package reaches what it does not know. They may call
// every method but Start and Stop.
type Hooks struct {
	// Formed is called once per process, when this node belongs to a cluster: as a
	// founder (bootstrap the groups with f.Members as the first configuration;
	// must be idempotent) or as one that was admitted or comes back. A node that
	// belongs already gets it inside Start, which returns its error; later an error
	// stands in Waiting and is not tried again.
	Formed func(f Formation, founding bool) error
	// Admit gets m into the meta group's state and returns what its cluster is.
	// Called at the same time for several nodes, and again for the same one.
	Admit func(ctx context.Context, m command.Member) (Formation, error)
	// Changed follows every change of the table, serially; changes that come while
	// it runs are told by one more call.
	Changed func()
}

// Config says who this node is and how it finds others. Self, Local, Call and
// all Hooks are required.
type Config struct {
	// Self is what this node advertises; ID is Name, a dot and the incarnation in
	// hexadecimal. A GossipAddress without a port, or with port 0, gets the bound one.
	Self command.Member
	// GossipListen is the host:port to bind, UDP and TCP; port 0 takes a free one.
	GossipListen string
	// GossipKeys encrypt gossip (16, 24 or 32 bytes each): the first one encrypts,
	// all decrypt. None means gossip in clear.
	GossipKeys [][]byte
	// Join are gossip addresses of others, tried for ever.
	Join []string
	// Expect is how many nodes found a cluster together; 0 never founds. 1 founds
	// alone at once, unless Join is given: then it is 0.
	Expect int
	// Partitions and Replicas are what a cluster founded by this node gets; 0 means
	// DefaultPartitions and DefaultReplicas.
	Partitions, Replicas uint32
	Local                LocalStore
	// Call asks whoever listens at a peer address.
	Call  func(ctx context.Context, address string, request []byte) ([]byte, error)
	Hooks Hooks
	// Timing is the pace; a zero field takes DefaultTiming's value.
	Timing Timing
	Logger *slog.Logger
}

// Timing is the pace of gossip, founding and joining.
type Timing struct {
	// Probe is how often one other node is pinged, ProbeTimeout how long an answer
	// may take. In a small cluster a dead node is suspected after about 2(n-1)
	// Probes of silence and dead about four Probes after its first missed ping.
	Probe, ProbeTimeout time.Duration
	// Gossip is how often news is passed on, PushPull how often two nodes compare
	// everything they know.
	Gossip, PushPull time.Duration
	// Settle is how long the candidates must stay the same before founding with them.
	Settle time.Duration
	// Retry is the first pause of every backoff, MaxRetry the longest. MaxRetry is
	// also how often a node looks for members that gossip does not see.
	Retry, MaxRetry time.Duration
	// Call bounds one call of founding, Admit one call for joining.
	Call, Admit time.Duration
	// Leave bounds each of the two steps of leaving gossip.
	Leave time.Duration
	// Stream bounds dialing, and each read and write, of a gossip stream.
	Stream time.Duration
	// Forget is how long a dead node that was never admitted stays in the table.
	Forget time.Duration
}

// DefaultTiming suits a local network.
func DefaultTiming() Timing {
	return Timing{
		Probe: 400 * time.Millisecond, ProbeTimeout: 200 * time.Millisecond,
		Gossip: 100 * time.Millisecond, PushPull: 10 * time.Second,
		Settle: time.Second, Retry: 200 * time.Millisecond, MaxRetry: 3 * time.Second,
		Call: 3 * time.Second, Admit: 10 * time.Second, Leave: time.Second,
		Stream: 2 * time.Second, Forget: time.Minute,
	}
}

// FastTiming suits several nodes in one test process.
func FastTiming() Timing {
	return Timing{
		Probe: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond,
		Gossip: 10 * time.Millisecond, PushPull: 300 * time.Millisecond,
		Settle: 50 * time.Millisecond, Retry: 20 * time.Millisecond, MaxRetry: 200 * time.Millisecond,
		Call: time.Second, Admit: 5 * time.Second, Leave: 200 * time.Millisecond,
		Stream: 500 * time.Millisecond, Forget: 2 * time.Second,
	}
}

func (c *Config) prepare() error {
	switch {
	case c.Local == nil || c.Call == nil:
		return errors.New("members: Local and Call are required")
	case c.Hooks.Formed == nil || c.Hooks.Admit == nil || c.Hooks.Changed == nil:
		return errors.New("members: every hook is required")
	case c.Expect < 0 || c.Expect > MaxExpect:
		return fmt.Errorf("members: Expect is %d, want 0 to %d", c.Expect, MaxExpect)
	}
	if err := checkMember(&c.Self); err != nil {
		return fmt.Errorf("members: Self: %w", err)
	}
	if _, _, err := net.SplitHostPort(c.GossipListen); err != nil {
		return fmt.Errorf("members: GossipListen %q: %w", c.GossipListen, err)
	}
	if c.Expect == 1 && len(c.Join) > 0 {
		c.Expect = 0
	}
	if c.Partitions == 0 {
		c.Partitions = DefaultPartitions
	}
	if c.Replicas == 0 {
		c.Replicas = DefaultReplicas
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Timing.fill()
	return nil
}

func (t *Timing) fill() {
	standard := DefaultTiming()
	for field, value := range map[*time.Duration]time.Duration{
		&t.Probe: standard.Probe, &t.ProbeTimeout: standard.ProbeTimeout,
		&t.Gossip: standard.Gossip, &t.PushPull: standard.PushPull,
		&t.Settle: standard.Settle, &t.Retry: standard.Retry, &t.MaxRetry: standard.MaxRetry,
		&t.Call: standard.Call, &t.Admit: standard.Admit, &t.Leave: standard.Leave,
		&t.Stream: standard.Stream, &t.Forget: standard.Forget,
	} {
		if *field <= 0 {
			*field = value
		}
	}
}

// checkMember refuses a member that could not be told from others or reached.
func checkMember(m *command.Member) error {
	for _, text := range []string{m.ID, m.Name, m.PeerAddress, m.GossipAddress, m.ClientURL, m.Version} {
		if len(text) > MaxText {
			return fmt.Errorf("%q has more than %d bytes", text[:16]+"...", MaxText)
		}
	}
	name, ok := nameOf(m.ID)
	if !ok || name != m.Name {
		return fmt.Errorf("id %q is not name %q, a dot and an incarnation in hexadecimal", m.ID, m.Name)
	}
	if m.PeerAddress == "" {
		return errors.New("no peer address")
	}
	return nil
}

// nameOf is the name in an id: what stands before the last dot.
func nameOf(id string) (string, bool) {
	dot := strings.LastIndexByte(id, '.')
	if dot <= 0 || dot == len(id)-1 {
		return "", false
	}
	for _, c := range id[dot+1:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return id[:dot], true
}
