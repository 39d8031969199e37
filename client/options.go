package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Options.
const (
	DefaultMinBackoff     = 50 * time.Millisecond
	DefaultMaxBackoff     = 5 * time.Second
	DefaultConnectTimeout = 5 * time.Second
	DefaultProbeInterval  = 3 * time.Second
	DefaultAckDelay       = 5 * time.Millisecond
	DefaultMaxPending     = 4096
)

// Version is what the client calls itself in hello.
const Version = "0.1"

// Options say which cluster to connect to, and as whom. Only Nodes is required.
type Options struct {
	// Nodes are URLs of any of the cluster's nodes: http, https, ws or wss, with
	// or without /ws. A bare host:port means http.
	Nodes []string
	// InOrder tries Nodes in the order given; else the first one is random, so
	// that clients spread over the cluster.
	InOrder bool
	// GivenOnly ignores the nodes that the cluster tells of: for a cluster behind
	// a load balancer, whose own addresses cannot be reached.
	GivenOnly bool
	// Token is the credential, where the cluster asks for one.
	Token string
	// TokenSource takes the place of Token: it is asked for each connection, and again
	// before a token ends, for one that lives on. It should keep its token while that
	// is good, must be safe for concurrent use, and return when its context ends.
	TokenSource func(ctx context.Context) (string, error)
	// Tenant, where no token says it; empty means "default".
	Tenant string
	// ClientID names the durable stream of notifications; without one there is
	// none. DeviceID is one of the client's devices, each with its own cursor.
	ClientID string
	DeviceID string
	// Encoding is how messages are written. JSON is the default for as long as there
	// are nodes that speak nothing else: a client of a cluster that is half upgraded
	// would write what waits for an answer anew with every other connection.
	Encoding Encoding
	// Name is the program, for the lineage: which worker did it.
	Name string
	// Window is how many notifications may be out and not acknowledged; 0 leaves
	// it to the node.
	Window int
	// Resume says where the stream begins; the zero value: at the device's cursor.
	Resume Resume
	// TLS configures wss and https; nil means the defaults.
	TLS *tls.Config
	// Logger receives what happens to the connection; nil means nobody does.
	Logger *slog.Logger

	// MinBackoff and MaxBackoff bound the pause between two attempts to connect:
	// a random one up to MinBackoff, doubled with every failure up to MaxBackoff.
	MinBackoff, MaxBackoff time.Duration
	// ConnectTimeout is how long one attempt may take up to the upgrade.
	ConnectTimeout time.Duration
	// ConnectAttempts is how often Dial tries; 0 means until its context ends. A
	// Client that was connected once tries for ever.
	ConnectAttempts int
	// ProbeInterval is after how much silence a node that owes an answer is asked
	// for a sign of life; as long again without one, and the client goes
	// elsewhere. A node that owes nothing is given five times as long.
	ProbeInterval time.Duration
	// AckDelay is how long an acknowledgement of notifications may wait for
	// others; negative means not at all.
	AckDelay time.Duration
	// MaxPending is how many events may be published and unanswered, sent or
	// not; PublishAsync waits for room.
	MaxPending int
}

// Resume is where a client's stream begins. The zero value is the device's
// stored cursor, or the oldest notification for a new device.
type Resume struct {
	live  bool
	epoch string
	seq   uint64
}

// ResumeLive begins with what comes from now on.
func ResumeLive() Resume { return Resume{live: true} }

// ResumeAfter begins behind a position, as Client.Position returned it.
func ResumeAfter(epoch string, seq uint64) Resume { return Resume{epoch: epoch, seq: seq} }

func (o Options) withDefaults() (Options, error) {
	orDefault(&o.MinBackoff, DefaultMinBackoff)
	orDefault(&o.MaxBackoff, DefaultMaxBackoff)
	orDefault(&o.ConnectTimeout, DefaultConnectTimeout)
	orDefault(&o.ProbeInterval, DefaultProbeInterval)
	orDefault(&o.AckDelay, DefaultAckDelay)
	orDefault(&o.MaxPending, DefaultMaxPending)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Name == "" {
		o.Name = o.ClientID
	}
	return o, o.check()
}

// check says what is wrong with complete options.
func (o Options) check() error {
	switch {
	case o.MinBackoff < 0 || o.MaxBackoff < o.MinBackoff:
		return errors.New("client: MinBackoff must be positive and at most MaxBackoff")
	case o.ConnectTimeout < 0 || o.ProbeInterval < 0 || o.ConnectAttempts < 0:
		return errors.New("client: ConnectTimeout, ProbeInterval and ConnectAttempts must not be negative")
	case o.Window < 0 || o.MaxPending < 0:
		return errors.New("client: Window and MaxPending must not be negative")
	case o.Token != "" && o.TokenSource != nil:
		return errors.New("client: give Token or TokenSource, not both")
	case o.Encoding > Binary:
		return errors.New("client: Encoding must be JSON or Binary")
	case o.ClientID == "" && (o.DeviceID != "" || o.Resume != Resume{}):
		return errors.New("client: DeviceID and Resume need a ClientID")
	}
	return nil
}

// token is the credential for the next connection or request.
func (o Options) token(ctx context.Context) (string, error) {
	if o.TokenSource == nil {
		return o.Token, nil
	}
	token, err := o.TokenSource(ctx)
	if err != nil {
		return "", fmt.Errorf("client: Options.TokenSource gave no token: %w", err)
	}
	return token, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
