package bench

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/client"
)

// Victim is a worker in a process of its own that holds its jobs.
type Victim interface {
	// Kill ends the process without a word, and returns when it has ended. It may be
	// called again.
	Kill() error
}

// VictimConfig is what a worker that is to be killed is told.
type VictimConfig struct {
	Nodes   []string      `json:"nodes"`
	Token   string        `json:"token,omitempty"`
	Name    string        `json:"name"`
	Channel string        `json:"channel"`
	Jobs    int           `json:"jobs"`  // it holds, and never ends
	Lease   time.Duration `json:"lease"` // nanoseconds
}

// BeVictim is that worker. It says when it holds all of its jobs, and works until ctx ends.
func BeVictim(ctx context.Context, config VictimConfig, holding func()) error {
	c, err := client.Dial(ctx, client.Options{
		Nodes: config.Nodes, InOrder: true, Token: config.Token, Name: config.Name, ConnectAttempts: 4 * len(config.Nodes),
	})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var held atomic.Int64
	return c.Work(ctx, client.WorkOptions{Channel: config.Channel, Credit: config.Jobs, Lease: config.Lease}, func(ctx context.Context, _ *client.Job) error {
		if held.Add(1) == int64(config.Jobs) {
			holding()
		}
		<-ctx.Done()
		return context.Cause(ctx)
	})
}
