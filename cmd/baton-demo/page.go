package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// pageTimeout bounds requests for the page, and how long ending its server takes.
const pageTimeout = 5 * time.Second

// runPage serves the page until ctx ends.
func runPage(ctx context.Context, o *options, f *fleet) error {
	handler, err := pageHandler(o, f)
	if err != nil {
		return err
	}
	listener, err := listenFor(ctx, o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: pageTimeout, WriteTimeout: pageTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	go f.discardReports(ctx)
	url := fmt.Sprintf("http://localhost:%d/", portOf(listener.Addr()))
	o.introduce(f, url)
	if !o.quiet {
		openBrowser(ctx, url)
	}
	select {
	case err = <-served:
		return err
	case <-ctx.Done():
	}
	o.say("\nstopping")
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageTimeout)
	defer cancel()
	if err = server.Shutdown(bound); errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return err
}

// pageHandler serves the page and what it wants to know.
func pageHandler(o *options, f *fleet) (http.Handler, error) {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /state.json", func(w http.ResponseWriter, _ *http.Request) { writeState(w, o, f) })
	return onlyLocal(mux), nil
}

// listenFor takes the address, or another port of its host.
func listenFor(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, fmt.Errorf("%w: --listen: %w", errUsage, splitErr)
	}
	return config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
}

func portOf(address net.Addr) int {
	_, text, _ := net.SplitHostPort(address.String())
	port, _ := strconv.Atoi(text)
	return port
}

// onlyLocal refuses pages whose name was rebound to this machine.
func onlyLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this page is for this machine only", http.StatusForbidden)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// state is what the page wants to know of the demo.
type state struct {
	// Cluster tells one from the next: answers of an old one are history.
	Cluster string         `json:"cluster"`
	Folder  string         `json:"folder"`
	Model   string         `json:"model"`
	Nodes   []processState `json:"nodes"`
	Workers []processState `json:"workers"`
	Ledger  ledgerState    `json:"ledger"`
}

// ledgerState is how many entries each page of the ledger has.
type ledgerState struct {
	Charged   int `json:"charged"`
	Published int `json:"published"`
	Ended     int `json:"ended"`
}

type processState struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Alive bool   `json:"alive"`
	URL   string `json:"url,omitempty"`
}

func writeState(w http.ResponseWriter, o *options, f *fleet) {
	l := ledgerIn(f.passages())
	s := state{
		Cluster: filepath.Base(f.directory), Folder: o.folder,
		Ledger: ledgerState{l.count(pageCharged), l.count(pagePublished), l.count(pageEnded)},
	}
	if m := modelFromEnvironment(); m != nil {
		s.Model = m.name
	}
	for i, p := range f.nodes {
		s.Nodes = append(s.Nodes, processState{p.name, p.pid(), p.alive(), f.urls[i]})
	}
	for _, p := range f.workers {
		s.Workers = append(s.Workers, processState{Name: p.name, PID: p.pid(), Alive: p.alive()})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(&s)
}

func (f *fleet) discardReports(ctx context.Context) {
	for {
		select {
		case <-f.reports:
		case <-ctx.Done():
			return
		}
	}
}

// introduce says where to look and what to try.
func (o *options) introduce(f *fleet, url string) {
	var nodes, workers strings.Builder
	for _, p := range f.nodes {
		_, _ = fmt.Fprintf(&nodes, "  %s %d", p.name, p.pid())
	}
	for _, p := range f.workers {
		_, _ = fmt.Fprintf(&workers, "  %s %d", p.name, p.pid())
	}
	o.say("\nask at       %s\n\nnodes      %s\nworkers    %s\n\n"+
		"Its steps are those of the workflow %s, cmd/baton-demo/workflow.yaml: watch a run with\n"+
		"  bin/baton run ls --nodes %s\n\n"+
		"Kill one and watch that nothing gets lost:  kill -9 %d   (a worker)   kill -9 %d   (a node)\n"+
		"Killed processes are not started again: one worker of each kind and two nodes of three go on.\nCtrl-C ends the demo.",
		url, nodes.String(), workers.String(), workflowName, f.urls[0], f.workers[2].pid(), f.nodes[2].pid())
}

// openBrowser tries; the address was printed anyway.
func openBrowser(ctx context.Context, url string) {
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	path, err := exec.LookPath(opener)
	if err != nil {
		return
	}
	command := exec.CommandContext(ctx, path, url) //nolint:gosec // the system's own opener, our own address
	if command.Start() == nil {
		go func() { _ = command.Wait() }()
	}
}
