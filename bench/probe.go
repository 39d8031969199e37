package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/batonmq/baton/client"
)

// commitProbe publishes events one after the other to a key that nothing else
// uses: each waits for one commit.
func commitProbe(ctx context.Context, c *client.Client, channel string, count int) (Percentile, error) {
	h := newHistogram()
	event := client.Event{Channel: channel, Key: channel, Data: 0}
	for range count {
		begin := time.Now()
		if _, err := c.Publish(ctx, event); err != nil {
			return Percentile{}, fmt.Errorf("the commit probe: %w", err)
		}
		record(h, time.Since(begin).Nanoseconds())
	}
	return percentiles(h), nil
}

const (
	syncProbes    = 500
	syncProbeSize = 4 << 10
)

// syncProbe appends 4 KB to a file and syncs it, again and again.
func syncProbe(dir string) (p Percentile, err error) {
	file, err := os.CreateTemp(dir, "baton-bench-*")
	if err != nil {
		return p, fmt.Errorf("the disk probe: %w", err)
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	h := newHistogram()
	block := make([]byte, syncProbeSize)
	for range syncProbes {
		begin := time.Now()
		if _, err = file.Write(block); err == nil {
			err = syncData(file)
		}
		if err != nil {
			return p, fmt.Errorf("the disk probe: %w", err)
		}
		record(h, time.Since(begin).Nanoseconds())
	}
	return percentiles(h), nil
}
