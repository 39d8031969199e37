package story

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/batonmq/baton/test/fleet"
)

// redisBus tells things over Redis pub/sub.
type redisBus struct{ client *redis.Client }

// startRedis starts a redis-server that keeps nothing. It ends with the test.
func startRedis(t *testing.T) *redisBus {
	t.Helper()
	program, err := redisServer(t)
	if err != nil {
		t.Skipf("THE REDIS HALF OF THIS STORY IS SKIPPED: there is no redis-server (%v). The Baton half runs.", err)
	}
	address := fleet.FreePorts(t, 1)[0]
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	output := filepath.Join(directory, "output")
	t.Cleanup(func() { fleet.ShowTail(t, output) })
	fleet.StartProcess(t, output, program, "--bind", "127.0.0.1", "--port", port, "--dir", directory,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	c := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = c.Close() })
	fleet.WaitFor(t, "redis-server answers", func() error { return c.Ping(t.Context()).Err() })
	return &redisBus{client: c}
}

// redisServer finds the program, and installs it where it may.
func redisServer(t *testing.T) (string, error) {
	t.Helper()
	program, missing := exec.LookPath("redis-server")
	if missing == nil {
		return program, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return "", missing
	}
	ctx, cancel := context.WithTimeout(t.Context(), fleet.Patience)
	defer cancel()
	install := exec.CommandContext(ctx, "apt-get", "install", "-y", "--no-install-recommends", "redis-server")
	// In runlevel 1 the package does not start a server of its own.
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if output, err := install.CombinedOutput(); err != nil {
		t.Logf("apt-get install redis-server: %v\n%s", err, output)
	}
	return exec.LookPath("redis-server")
}

func (b *redisBus) publish(t *testing.T, message int) {
	t.Helper()
	if err := b.client.Publish(t.Context(), "orders", message).Err(); err != nil {
		t.Fatal(err)
	}
}

func (b *redisBus) subscribe(t *testing.T, _ string, hear func(int)) func() {
	t.Helper()
	subscription := b.client.Subscribe(t.Context(), "orders")
	if _, err := subscription.Receive(t.Context()); err != nil { // that it is subscribed
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range subscription.Channel() {
			if message, err := strconv.Atoi(m.Payload); err == nil {
				hear(message)
			}
		}
	}()
	return func() {
		_ = subscription.Close()
		<-done
	}
}
