package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// IdleUse is what a node's process takes: sizes in bytes.
type IdleUse struct {
	// Resident is the process's memory; Heap and Stacks are what of it Go has in use
	// for each.
	Resident   float64 `json:"resident_bytes"`
	Heap       float64 `json:"heap_bytes"`
	Stacks     float64 `json:"stack_bytes"`
	Goroutines float64 `json:"goroutines"`
	// Settled means that the resident memory had come to rest.
	Settled bool `json:"settled"`
}

// A process is settled when settledSamples in a row differ by settledSpread at most.
// Go gives memory back slowly, so waiting for that is bounded too.
const (
	sampleInterval = 500 * time.Millisecond
	settledSamples = 8
	settledSpread  = 0.01
	settleTimeout  = 60 * time.Second
	// collections is how many garbage collections a node is asked for: the first finds
	// the garbage, another shrinks stacks that were seen deep before, and Go keeps
	// as much memory as was in use at the last but one.
	collections = 3
)

// settled waits until the node's memory is at rest. A node that shows its pprof is
// asked to collect its garbage first; others do within some minutes of idling.
func (r *idle) settled(ctx context.Context) (use IdleUse, err error) {
	if r.config.Debug != "" {
		for range collections {
			if err = r.collect(ctx); err != nil {
				return use, err
			}
		}
	}
	var samples []float64
	for deadline := time.Now().Add(settleTimeout); ; {
		if use, err = r.look(ctx); err != nil {
			return use, err
		}
		samples = append(samples, use.Resident)
		use.Settled = atRest(samples)
		if use.Settled || time.Now().After(deadline) {
			return use, nil
		}
		select {
		case <-ctx.Done():
			return use, ctx.Err()
		case <-time.After(sampleInterval):
		}
	}
}

func atRest(samples []float64) bool {
	if len(samples) < settledSamples {
		return false
	}
	last := samples[len(samples)-settledSamples:]
	least, most := last[0], last[0]
	for _, sample := range last {
		least, most = min(least, sample), max(most, sample)
	}
	return most-least <= settledSpread*most
}

func (r *idle) collect(ctx context.Context) error {
	body, err := get(ctx, nil, strings.TrimSuffix(r.config.Debug, "/")+"/debug/pprof/heap?gc=1", "")
	if err != nil {
		return fmt.Errorf("asking for a garbage collection: %w", err)
	}
	_, err = io.Copy(io.Discard, body)
	_ = body.Close()
	return err
}

func (r *idle) look(ctx context.Context) (use IdleUse, err error) {
	err = readMetrics(ctx, r.config.TLS, r.config.Node, r.config.Token, map[string]*float64{
		"process_resident_memory_bytes": &use.Resident,
		"go_memstats_heap_inuse_bytes":  &use.Heap,
		"go_memstats_stack_inuse_bytes": &use.Stacks,
		"go_goroutines":                 &use.Goroutines,
	})
	if err == nil && r.config.PID != 0 {
		use.Resident, err = residentOf(r.config.PID)
	}
	return use, err
}

// residentOf reads a process's resident memory from /proc, in bytes.
func residentOf(pid int) (bytes float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("the memory of process %d: %w", pid, err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("the memory of process %d: %q says nothing", pid, text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// get asks for a URL; the body is to be closed.
func get(ctx context.Context, config *tls.Config, url, token string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return response.Body, nil
}
