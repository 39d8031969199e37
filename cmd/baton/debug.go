package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/batonmq/baton/node"
)

// debugServer serves Go's pprof, if anything.
type debugServer struct {
	server *http.Server
	done   chan struct{}
}

func startDebug(ctx context.Context, address string, logger *slog.Logger) (*debugServer, error) {
	if address == "" {
		return &debugServer{}, nil
	}
	if !isLoopback(address) {
		return nil, &node.ConfigError{
			Field: "debug-listen", Problem: fmt.Sprintf("%q is not on loopback, and pprof shows memory to whoever asks", address),
			Remedy: "use 127.0.0.1:PORT",
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &node.ConfigError{Field: "debug-listen", Problem: err.Error(), Remedy: "choose a free port"}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	d := &debugServer{server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("serving pprof", "error", err)
		}
	}()
	logger.Info("serving pprof", "url", "http://"+listener.Addr().String()+"/debug/pprof/")
	return d, nil
}

func (d *debugServer) stop() {
	if d.server != nil {
		_ = d.server.Close()
		<-d.done
	}
}

// isLoopback tells whether only this machine can reach a listen address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
