package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign makes a certificate; the first one is the authority's own.
func (a *authority) sign(of *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	of.NotBefore, of.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = of, key
	}
	der, err := x509.CreateCertificate(rand.Reader, of, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func encodePEM(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) (certPEM, keyPEM []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serverCert puts a certificate for 127.0.0.1 into the files of a node.
func (a *authority) serverCert(files *node.Config, serial int64) {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	certPEM, keyPEM := encodePEM(a.t, cert, key)
	put(a.t, files.TLS.Key, keyPEM)
	put(a.t, files.TLS.Cert, certPEM)
}

// workerCert is a certificate that a worker shows.
func (a *authority) workerCert(subject pkix.Name) tls.Certificate {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(99), Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	certPEM, keyPEM := encodePEM(a.t, cert, key)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// TestTLSForClients: clients speak TLS, a worker's certificate stands for a token, a
// stranger's is refused, and a certificate that was renewed is used from then on.
func TestTLSForClients(t *testing.T) { //nolint:revive // Steps of one story.
	dir, root, stranger := t.TempDir(), newAuthority(t), newAuthority(t)
	var files node.Config
	n := startOne(t, withAdmin(t), func(c *node.Config) {
		c.TLS.Cert, c.TLS.Key, c.TLS.ClientCA = filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "ca")
		root.serverCert(c, 2)
		ca, _ := encodePEM(t, root.cert, root.key)
		put(t, c.TLS.ClientCA, ca)
		files = *c
	})
	if !strings.HasPrefix(n.ClientURL(), "https://") {
		t.Fatalf("clients are told %s", n.ClientURL())
	}
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	with := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: certs}
	}
	boss, err := client.NewHTTP(client.Options{Nodes: []string{n.ClientURL()}, Token: adminKey, TLS: with()})
	if err != nil {
		t.Fatal(err)
	}
	if err = boss.CreateTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	dialAs := func(config *tls.Config) (*client.Client, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return client.Dial(ctx, client.Options{Nodes: []string{n.ClientURL()}, TLS: config, ConnectAttempts: 1})
	}
	worker, err := dialAs(with(root.workerCert(pkix.Name{CommonName: "w1", Organization: []string{"acme"}})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = worker.Close() }()
	receipt, err := worker.Publish(t.Context(), client.Event{Channel: "c", Data: 1})
	if err != nil {
		t.Fatal(err)
	}
	worked := make(chan string, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "c", Credit: 1}, func(_ context.Context, job *client.Job) error {
			worked <- job.EventID + " " + job.Tenant
			return nil
		})
	}()
	if got := <-worked; got != receipt.EventID+" acme" {
		t.Errorf("worked on %s", got)
	}
	for name, config := range map[string]*tls.Config{
		"no certificate": with(), "a stranger's certificate": with(stranger.workerCert(pkix.Name{CommonName: "w1"})),
	} {
		if c, err := dialAs(config); err == nil {
			_ = c.Close()
			t.Errorf("%s is let in", name)
		}
	}
	serial := func() (string, error) {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(n.ClientURL(), "https://"), with())
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	if got, err := serial(); got != "2" {
		t.Fatal(got, err)
	}
	put(t, files.TLS.Key, []byte("half a key")) // As in the middle of a renewal.
	if _, err := serial(); err != nil {
		t.Errorf("a broken file: %v", err)
	}
	root.serverCert(&files, 3)
	waitFor(t, "the renewed certificate is used", func() error {
		got, err := serial()
		if err == nil && got != "3" {
			err = fmt.Errorf("serial %s", got)
		}
		return err
	})
	if response, err := http.Get("http://" + strings.TrimPrefix(n.ClientURL(), "https://") + "/healthz"); err == nil {
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("clients are answered without TLS")
		}
	}
}
