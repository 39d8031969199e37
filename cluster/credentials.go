package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

const (
	// credentialsTimeout is how long a node waits for the meta group's leader when it
	// asks what has changed.
	credentialsTimeout = 5 * time.Second
	// minKeyLookup is the pause between two look-ups of keys that are not known here:
	// somebody who guesses keys must not load the meta group's leader.
	minKeyLookup = 250 * time.Millisecond
)

// Credentials are the cluster's tenants and API keys.
type Credentials = fsm.Credentials

// credentials are a node's copy, which it looks at for every connection. The clock
// brings it up to date: with every tick from the node's own replica of the meta group,
// or every second from that group's leader where there is none, so that a revocation
// is known everywhere within about a second. A node that reaches neither goes on with what
// it knew; it cannot reach any partition's leader then either, or soon.
type credentials struct {
	// asking is held while the meta group's leader is asked.
	asking sync.Mutex
	// asked is when a key was looked up last, and failed how that went wrong; guarded by
	// asking.
	asked  time.Time
	failed error

	mu      sync.RWMutex // guards the rest
	version uint64
	keys    map[string]*command.Key
}

// set takes over what is newer.
func (k *credentials) set(all *Credentials) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if all.Same || all.Version <= k.version {
		return
	}
	k.version, k.keys = all.Version, make(map[string]*command.Key, len(all.Keys))
	for i := range all.Keys {
		k.keys[all.Keys[i].ID] = &all.Keys[i]
	}
}

func (k *credentials) known() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.version
}

// KeysVersion counts the changes of the tenants and API keys that this node knows of.
func (c *Cluster) KeysVersion() uint64 { return c.credentials.known() }

// KnownKey is the API key of that id as this node knows it, nil for none. It does
// not wait. The key must not be changed.
func (c *Cluster) KnownKey(id string) *command.Key {
	c.credentials.mu.RLock()
	defer c.credentials.mu.RUnlock()
	return c.credentials.keys[id]
}

// Key is KnownKey that asks the meta group's leader for a key that is not known
// here: it may have been made a moment ago, through another node. All who wait for
// that are answered by one look-up. An error means that nobody could be asked.
func (c *Cluster) Key(ctx context.Context, id string) (*command.Key, error) {
	if key := c.KnownKey(id); key != nil {
		return key, nil
	}
	arrived := time.Now()
	c.credentials.asking.Lock()
	defer c.credentials.asking.Unlock()
	if c.credentials.asked.After(arrived) { // Somebody asked while we waited.
		if key := c.KnownKey(id); key != nil {
			return key, nil
		}
		return nil, c.credentials.failed
	}
	if err := pause(ctx, minKeyLookup-time.Since(c.credentials.asked)); err != nil {
		return nil, err
	}
	c.credentials.asked = time.Now()
	c.credentials.failed = c.askCredentials(ctx)
	return c.KnownKey(id), c.credentials.failed
}

func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// readCredentials brings the copy up to date from the node's own replica of the meta
// group, if it has one.
func (c *Cluster) readCredentials() {
	g := c.group(MetaGroup)
	if g == nil || c.formation.Load() == nil {
		return
	}
	all, err := readCredentials(g.state.View(), c.credentials.known())
	if err != nil {
		c.config.Logger.Error("cannot read the tokens of the cluster", "error", err)
		return
	}
	c.credentials.set(&all)
}

// learnCredentials asks the meta group's leader where the node has no replica of the
// group; it does not wait.
func (c *Cluster) learnCredentials() {
	if c.group(MetaGroup) != nil || c.formation.Load() == nil {
		return
	}
	c.running.Go(func() {
		if !c.credentials.asking.TryLock() {
			return
		}
		defer c.credentials.asking.Unlock()
		ctx, cancel := c.untilStop(credentialsTimeout)
		defer cancel()
		if err := c.askCredentials(ctx); err != nil {
			c.config.Logger.Debug("cannot read the tokens of the cluster", "error", err)
		}
	})
}

// untilStop is a context that ends with the cluster's life, or with timeout.
func (c *Cluster) untilStop(timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func readCredentials(view *storage.View, known uint64) (Credentials, error) {
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	return fsm.ReadCredentials(view, known)
}

// askCredentials asks the meta group's leader for what has changed.
func (c *Cluster) askCredentials(ctx context.Context) error {
	all, err := c.credentialsSince(ctx, c.credentials.known())
	if err == nil {
		c.credentials.set(&all)
	}
	return err
}

func (c *Cluster) credentialsSince(ctx context.Context, known uint64) (all Credentials, err error) {
	body, err := c.ofMeta(ctx, opCredentials, command.AppendUint(nil, known))
	if err != nil {
		return all, err
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return all, fmt.Errorf("read the tokens of the cluster: %w", err)
	}
	return all, nil
}

// Credentials are the tenants and keys as the meta group's leader has them.
func (c *Cluster) Credentials(ctx context.Context) (Credentials, error) {
	return c.credentialsSince(ctx, 0)
}

// ChangeCredentials has the meta group carry out an encoded PutTenant, DeleteTenant,
// PutKey or RevokeKey, and returns when this node knows of it. A *RefusedError is
// the state's.
func (c *Cluster) ChangeCredentials(ctx context.Context, encoded []byte) (command.Result, error) {
	body, err := c.ofMeta(ctx, opCommand, encoded)
	if err != nil {
		return command.Result{}, err
	}
	r := command.NewReader(body)
	result := r.Result()
	if result.Reason != command.Done {
		return result, &RefusedError{result}
	}
	// It is done, whatever comes of this; the clock would bring it too.
	if err := c.askCredentials(ctx); err != nil {
		c.config.Logger.Debug("cannot read the tokens of the cluster", "error", err)
	}
	return result, nil
}
