package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeader is what a proxy says before a connection from an address.
func proxyHeader(t *testing.T, from string) []byte {
	t.Helper()
	source := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	header := proxyproto.HeaderProxyFromAddrs(2, source, &net.TCPAddr{IP: source.IP, Port: 443})
	text, err := header.Format()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// behind has every connection of an edge begin with a header.
func (e *edge) behind(header []byte) {
	dial := e.dial
	e.dial = func() (net.Conn, error) {
		conn, err := dial()
		if err == nil {
			_, err = conn.Write(header)
		}
		return conn, err
	}
}

func trusting(addresses ...string) func(*Config) {
	return func(c *Config) { c.TrustedProxies = addresses }
}

// seats are where the connections of an edge come from.
func (e *edge) seats() (from []string) {
	e.gateway.mu.Lock()
	defer e.gateway.mu.Unlock()
	for c := range e.gateway.connections {
		from = append(from, c.seat.from.String())
	}
	return from
}

// TestProxyHeader: the address is the one that a trusted proxy names, and behind the
// header the socket is read without a buffer, as any.
func TestProxyHeader(t *testing.T) {
	for header, want := range map[string]string{
		string(proxyHeader(t, "203.0.113.7:4711")):               "203.0.113.7",
		string(proxyHeader(t, "[2001:db8::7]:4711")):             "2001:db8::7",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00":                 "127.0.0.1", // a proxy's own
		"\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x04\x04\x00\x01\x00": "127.0.0.1", // of no family, with a field
		"": "127.0.0.1",
	} {
		e := newEdge(t, trusting("127.0.0.0/8"))
		e.behind([]byte(header))
		c := e.open(`{"type":"hello"}`)
		if from := e.seats(); len(from) != 1 || from[0] != want {
			t.Errorf("%q: from %v, want %s", header, from, want)
		}
		c.alive()
		e.gateway.mu.Lock()
		for inner := range e.gateway.connections {
			_, raw := inner.conn.(syscall.Conn)
			if _, polled := inner.conn.(polledConn); !raw && !polled {
				t.Error("the socket is read through a buffer")
			}
		}
		e.gateway.mu.Unlock()
		_ = c.conn.Close()
	}
}

// TestProxyHeaderInPieces: a header may come byte by byte, and the request with its end.
func TestProxyHeaderInPieces(t *testing.T) {
	e := newEdge(t, trusting("127.0.0.1"), withLimits(Limits{MaxAddressConnections: 1}))
	dial := e.dial
	e.dial = func() (net.Conn, error) {
		conn, err := dial()
		for _, b := range proxyHeader(t, "203.0.113.7:4711") {
			_, _ = conn.Write([]byte{b})
		}
		return conn, err
	}
	e.open(`{"type":"hello"}`)
	e.sentAway(e.connect(), 4029)
	e.dial = dial
	e.open(`{"type":"hello"}`) // From another address.
}

// TestBadProxyHeaders close the connection, with a line in the log that says what to do.
func TestBadProxyHeaders(t *testing.T) {
	good := proxyHeader(t, "203.0.113.7:4711")
	for name, test := range map[string]struct {
		trusted, sends, log string
	}{
		"from anybody":      {"10.0.0.0/8", string(good), "no trusted proxy"},
		"no trusted at all": {"", string(good), "no trusted proxy"},
		"version 1":         {"127.0.0.1", "\r\n\r\n\x00\r\nQUIT\n\x11\x11\x00\x0c............", "cannot be used"},
		"no signature":      {"127.0.0.1", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "cannot be used"},
		"a long one":        {"127.0.0.1", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff............", "cannot be used"},
		"of datagrams":      {"127.0.0.1", "\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c............", "cannot be used"},
		"short addresses":   {"127.0.0.1", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04....", "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			log := newLog()
			e := newEdge(t, func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(log, nil))
				if test.trusted != "" {
					c.TrustedProxies = []string{test.trusted}
				}
			})
			conn, err := e.dial()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, test.sends+"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
			answer, _ := io.ReadAll(conn)
			if bytes.Contains(answer, []byte(" 200 ")) {
				t.Fatalf("served: %s", answer)
			}
			_ = conn.Close()
			contains(t, log.String(), test.log)
		})
	}
}

// TestSlowProxies: proxies that say nothing hold up nobody, and are cut in time.
func TestSlowProxies(t *testing.T) {
	e := newEdge(t, trusting("127.0.0.1"))
	for range 20 {
		conn, err := e.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write(proxySignature[:3])
	}
	e.get(t, "/healthz", 200, "")
	e.open(`{"type":"hello"}`).alive()
}

// TestProxyHeaderTimeout: half a header is given up.
func TestProxyHeaderTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		start := proxyStart{trusted: true, logger: slog.New(slog.DiscardHandler)}
		go func() { _, _ = ours.Write(proxySignature[:3]) }()
		began := time.Now()
		if _, err := start.read(theirs, make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("half a header: %v", err)
		}
		if took := time.Since(began); took != proxyHeaderTimeout {
			t.Fatalf("given up after %v", took)
		}
		_ = ours.Close()
	})
}

// TestProxyHeaderBeforeTLS: the header comes first, in the clear, TLS behind it.
func TestProxyHeaderBeforeTLS(t *testing.T) {
	certificate := selfSigned(t)
	e := newEdge(t, trusting("127.0.0.1"), func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	})
	for _, header := range [][]byte{proxyHeader(t, "203.0.113.7:4711"), nil} {
		dial := e.dial
		e.behind(header)
		plain := e.dial
		e.dial = func() (net.Conn, error) {
			conn, err := plain()
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil
		}
		c := e.open(`{"type":"hello"}`)
		c.alive()
		want := "127.0.0.1"
		if header != nil {
			want = "203.0.113.7"
		}
		if from := e.seats(); len(from) != 1 || from[0] != want {
			t.Fatalf("from %v, want %s", from, want)
		}
		_ = c.conn.Close()
		e.awaitConnections(0)
		e.dial = dial
	}
}

// TestForwardedFor: the last address that is no trusted proxy's counts, and only where
// a trusted proxy asks.
func TestForwardedFor(t *testing.T) {
	trusted, err := parseProxies([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{proxies: trusted}
	for _, test := range []struct {
		peer   string
		header []string
		want   string
	}{
		{"10.1.1.1:5", nil, "10.1.1.1"},
		{"10.1.1.1:5", []string{"203.0.113.7"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{"6.6.6.6, 203.0.113.7"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{"6.6.6.6, 203.0.113.7 , 192.0.2.1"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{"6.6.6.6", "203.0.113.7, 10.9.9.9"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{"10.2.2.2, 10.3.3.3"}, "10.2.2.2"},
		{"10.1.1.1:5", []string{"203.0.113.7, unknown"}, "10.1.1.1"},
		{"10.1.1.1:5", []string{"203.0.113.7:8080"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{"[2001:db9::1]:80"}, "2001:db9::1"},
		{"10.1.1.1:5", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		{"10.1.1.1:5", []string{""}, "10.1.1.1"},
		{"10.1.1.1:5", []string{","}, "10.1.1.1"},
		{"[2001:db8::1]:5", []string{"203.0.113.7"}, "203.0.113.7"},
		{"203.0.113.9:5", []string{"1.2.3.4"}, "203.0.113.9"},
		{"[::ffff:10.1.1.1]:5", []string{"1.2.3.4"}, "1.2.3.4"},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.header}}
		if got := g.addressOf(r); got.String() != test.want {
			t.Errorf("%s %q: %v, want %s", test.peer, test.header, got, test.want)
		}
	}
	if got := (&Gateway{}).addressOf(&http.Request{RemoteAddr: "10.1.1.1:5", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}); got.String() != "10.1.1.1" {
		t.Errorf("nobody is trusted, and %v believed", got)
	}
	for _, bad := range []string{"10.0.0.0/33", "proxy.example.com", "", "10.0.0.0/8,"} {
		if CheckProxy(bad) == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}

// TestForwardedLimitsAndLogs: limits of an address and the audit log go by the client's.
func TestForwardedLimitsAndLogs(t *testing.T) {
	log := newLog()
	e := newEdge(t, trusting("127.0.0.1"), withLimits(Limits{MaxAddressConnections: 1}), func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
	})
	c := e.connect("X-Forwarded-For: 203.0.113.7")
	c.send(`{"type":"hello"}`)
	c.expect("welcome")
	e.sentAway(e.connect("X-Forwarded-For: 6.6.6.6, 203.0.113.7"), 4029)
	d := e.connect("X-Forwarded-For: 203.0.113.8")
	d.send(`{"type":"hello"}`)
	d.expect("welcome")
	e.do(t, e.request(http.MethodPost, "/v1/tenants", `{"tenant":"x"}`, "X-Forwarded-For", "203.0.113.9"), 200, "")
	contains(t, log.String(), "from=203.0.113.9")
}

// TestForwardedNeighbors: who has one address of IPv6 has all of its /64.
func TestForwardedNeighbors(t *testing.T) {
	e := newEdge(t, trusting("127.0.0.1"), withLimits(Limits{MaxAddressConnections: 1}))
	c := e.connect("X-Forwarded-For: 2001:db8:1:2::1")
	e.awaitAdmitted(1)
	e.sentAway(e.connect("X-Forwarded-For: 2001:db8:1:2:ffff::9"), 4029)
	c.send(`{"type":"hello"}`)
	c.expect("welcome")
	d := e.connect("X-Forwarded-For: 2001:db8:1:3::1")
	d.send(`{"type":"hello"}`)
	d.expect("welcome")
}

// TestProxyKeepsReboundNamesOut: what a page whose name was rebound to this machine can
// write does not make its name one of this machine's.
func TestProxyKeepsReboundNamesOut(t *testing.T) {
	e := newEdge(t, trusting("127.0.0.1"))
	r := e.request(http.MethodGet, "/v1/cluster", "", "X-Forwarded-For", "203.0.113.7", "X-Forwarded-Host", "localhost")
	r.Host = "evil.example.com"
	e.do(t, r, 403, "forbidden")
	e.behind(proxyHeader(t, "203.0.113.7:4711"))
	e.open(`{"type":"hello"}`).alive()
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newLog() *locked { return &locked{mu: &sync.Mutex{}, to: &bytes.Buffer{}} }

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.String()
}
