package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sizes of the demo.
const (
	nodeCount      = 3
	workersPerKind = 2
	readyWithin    = 40 * time.Second
	readyInterval  = 100 * time.Millisecond
)

// fleet is every process of the demo.
type fleet struct {
	directory string // removed at the end
	nodes     []*process
	urls      []string // of nodes, for clients
	workers   []*process
	reports   chan report // of all workers; nobody waits for room in it
}

// startFleet starts nodes and workers, and returns when they are ready. What it
// started is to be stopped even if it fails.
func startFleet(ctx context.Context, o *options) (*fleet, error) {
	directory, err := os.MkdirTemp("", "baton-demo-")
	if err != nil {
		return nil, err
	}
	f := &fleet{directory: directory, reports: make(chan report, 1024)}
	if err = f.start(ctx, o); err != nil {
		err = errors.Join(err, f.explain())
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *fleet) start(ctx context.Context, o *options) error {
	if err := f.startNodes(o.baton); err != nil {
		return err
	}
	begin := time.Now()
	if err := f.awaitNodes(ctx); err != nil {
		return err
	}
	o.say("three nodes are ready after %v: %s", time.Since(begin).Round(time.Millisecond), strings.Join(f.urls, " "))
	if err := applyWorkflow(ctx, o, f.urls); err != nil {
		return err
	}
	if err := f.startWorkers(o); err != nil {
		return err
	}
	return f.awaitWorkers(ctx)
}

// passages is the directory that all workers share.
func (f *fleet) passages() string { return filepath.Join(f.directory, "passages") }

func (f *fleet) startNodes(baton string) error {
	ports, err := choosePorts(nodeCount)
	if err != nil {
		return err
	}
	for i, p := range ports {
		name := fmt.Sprintf("n%d", i+1)
		args := []string{
			"serve", "--node", name, "--data", filepath.Join(f.directory, name), "--log-level", "warn",
			"--listen", p.address(0), "--peer-listen", p.address(1), "--gossip-listen", p.address(2),
			"--bootstrap-expect", fmt.Sprint(nodeCount),
		}
		if i > 0 {
			args = append(args, "--join", ports[0].address(2))
		}
		node, err := startProcess(f.directory, name, nil, baton, args...)
		if err != nil {
			return err
		}
		f.nodes = append(f.nodes, node)
		f.urls = append(f.urls, "http://"+p.address(0))
	}
	return nil
}

// awaitNodes waits until every node says that it is ready.
func (f *fleet) awaitNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for i, node := range f.nodes {
		for !isReady(ctx, f.urls[i]) {
			select {
			case <-node.done:
				return fmt.Errorf("node %s ended: %v", node.name, node.cmd.ProcessState)
			case <-ctx.Done():
				return fmt.Errorf("node %s was not ready within %v: %w", node.name, readyWithin, ctx.Err())
			case <-time.After(readyInterval):
			}
		}
	}
	return nil
}

func isReady(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// startWorkers starts the workers of every kind, each beginning with another
// node.
func (f *fleet) startWorkers(o *options) error {
	passages := f.passages()
	if err := os.Mkdir(passages, 0o750); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, kind := range services() {
		for i := range workersPerKind {
			name := fmt.Sprintf("%s-%d", kind, i+1)
			args := []string{
				"worker", kind, "--name", name, "--folder", o.folder, "--passages", passages,
				"--lease", o.lease.String(), "--nodes", strings.Join(f.urlsFrom(len(f.workers)), ","),
			}
			read, write := io.Pipe()
			worker, err := startProcess(f.directory, name, write, self, args...)
			if err != nil {
				return err
			}
			go f.listen(read)
			go func() {
				<-worker.done
				_ = write.Close()
			}()
			f.workers = append(f.workers, worker)
		}
	}
	return nil
}

// urlsFrom is the nodes' URLs, another one first.
func (f *fleet) urlsFrom(first int) []string {
	first %= len(f.urls)
	return append(append([]string(nil), f.urls[first:]...), f.urls[:first]...)
}

// listen passes a worker's reports on, until it ends.
func (f *fleet) listen(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var line report
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		select {
		case f.reports <- line:
		default: // nobody reads them just now
		}
	}
}

func (f *fleet) awaitWorkers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	check := time.NewTicker(readyInterval)
	defer check.Stop()
	for ready := 0; ready < len(f.workers); {
		select {
		case line := <-f.reports:
			if line.Doing == doingReady {
				ready++
			}
		case <-check.C:
			for _, w := range f.workers {
				if !w.alive() {
					return fmt.Errorf("worker %s ended: %v", w.name, w.cmd.ProcessState)
				}
			}
		case <-ctx.Done():
			return fmt.Errorf("%d of %d workers were ready within %v: %w", ready, len(f.workers), readyWithin, ctx.Err())
		}
	}
	return nil
}

// stop ends every process, workers first, and removes the data.
func (f *fleet) stop() {
	stopAll(f.workers)
	stopAll(f.nodes)
	_ = os.RemoveAll(f.directory)
}

// all is every process.
func (f *fleet) all() []*process { return append(append([]*process(nil), f.nodes...), f.workers...) }

// explain is what the processes logged last.
func (f *fleet) explain() error {
	var b strings.Builder
	for _, p := range f.all() {
		if tail := strings.TrimSpace(p.tail()); tail != "" {
			_, _ = fmt.Fprintf(&b, "--- %s\n%s\n", p.name, tail)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return errors.New(strings.TrimSpace(b.String()))
}
