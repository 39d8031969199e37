package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/batonmq/baton/gateway/auth"
)

// TestConfigErrors: what cannot be used is told by its flag's name, and opens nothing.
func TestConfigErrors(t *testing.T) {
	for _, test := range []struct {
		field  string
		config Config
	}{
		{"max-in-flight", Config{MaxInFlight: -1}},
		{"max-in-flight", Config{MaxInFlight: maxInFlight + 1}},
		{"max-message-bytes", Config{MaxMessageBytes: -5}},
		{"max-message-bytes", Config{MaxMessageBytes: minMessageBytes - 1}},
		{"max-message-bytes", Config{MaxMessageBytes: maxMessageBytes + 1}},
		{"advertise", Config{Advertise: "a b"}},
		{"advertise", Config{Advertise: "http://a"}},
		{"advertise", Config{Advertise: "0.0.0.0"}},
		{"advertise", Config{Advertise: ":7700"}},
		{"advertise", Config{Advertise: "a:0"}},
		{"advertise", Config{Advertise: "a:70000"}},
		{"allowed-origins", Config{AllowedOrigins: []string{"https://a", "foo"}}},
		{"partitions", Config{Partitions: -1}},
		{"listen", Config{Listen: "10.0.0.1:7700"}},
		{"listen", Config{Listen: "0.0.0.0:7700", Advertise: "a"}},
		{"listen", Config{Listen: "example.com:7700", TLS: auth.TLSFiles{Cert: "c", Key: "k"}}},
		{"insecure-clients", Config{InsecureClients: true, Auth: Auth{Required: true}}},
		{"tls-cert", Config{TLS: auth.TLSFiles{Cert: "c"}}},
		{"tls-cert", Config{TLS: auth.TLSFiles{Key: "k"}}},
		{"tls-client-ca", Config{TLS: auth.TLSFiles{ClientCA: "c"}}},
		{"auth-jwks", Config{Auth: Auth{Audience: "baton"}}},
	} {
		_, err := New(test.config)
		refused, ok := errors.AsType[*ConfigError](err)
		if !ok || refused.Field != test.field || refused.Remedy == "" {
			t.Errorf("%+v: %v, want a refusal of %s", test.config, err, test.field)
		}
	}
	for _, good := range []Config{
		{},
		{MaxInFlight: maxInFlight, MaxMessageBytes: maxMessageBytes, AllowedOrigins: []string{"*", "https://a.example:8443"}},
		{Listen: "10.0.0.1:7700", InsecureClients: true},
		{Listen: "10.0.0.1:7700", Auth: Auth{Required: true}},
		{Listen: "10.0.0.1:7700", TLS: auth.TLSFiles{Cert: "c", Key: "k", ClientCA: "a"}},
		{Listen: "localhost:7700"},
		{Listen: "[::1]:7700"},
		{MaxMessageBytes: minMessageBytes, Advertise: "node-1.example.com"},
	} {
		if _, err := New(good); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

// TestAdvertise: how others reach a listener on port 7000.
func TestAdvertise(t *testing.T) {
	bound := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7000}
	for _, test := range []struct{ advertise, peers, clients string }{
		{"", "127.0.0.1:7000", "127.0.0.1:7000"},
		{"a.example", "a.example:7000", "a.example:7000"},
		{"a.example:443", "a.example:7000", "a.example:443"},
		{"10.0.0.1", "10.0.0.1:7000", "10.0.0.1:7000"},
		{"fd00::1", "[fd00::1]:7000", "[fd00::1]:7000"},
		{"[fd00::1]", "[fd00::1]:7000", "[fd00::1]:7000"},
		{"[fd00::1]:443", "[fd00::1]:7000", "[fd00::1]:443"},
	} {
		n, err := New(Config{Advertise: test.advertise})
		if err != nil {
			t.Fatal(err)
		}
		if peers, clients := n.advertised(bound), n.advertisedToClients(bound); peers != test.peers || clients != test.clients {
			t.Errorf("%q: peers are told %s, clients %s", test.advertise, peers, clients)
		}
	}
}

// TestFormedOtherwise: a node that is configured for another cluster than its own
// says so, and one that is configured for none does not.
func TestFormedOtherwise(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		partitions, replicas int
		warns                string
	}{
		{2, 1, ""}, // forms it
		{2, 1, ""},
		{0, 0, ""},
		{16, 1, "setting=partitions configured=16 cluster=2"},
		{2, 3, "setting=replicas configured=3 cluster=1"},
	} {
		var log bytes.Buffer
		n, err := New(Config{
			Name: "n", DataDir: dir, Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
			Partitions: test.partitions, Replicas: test.replicas,
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err = n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err = n.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); strings.Contains(got, "configured=") != (test.warns != "") || !strings.Contains(got, test.warns) {
			t.Errorf("%d partitions, %d replicas: the log is %q", test.partitions, test.replicas, got)
		}
	}
}
