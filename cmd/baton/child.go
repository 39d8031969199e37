package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// childStart is how long a node of our own may take to be ready.
const childStart = 60 * time.Second

// child is a node of our own in another process, with a temporary directory.
type child struct {
	command *exec.Cmd
	dir     string
	done    chan struct{} // closed when the process has ended
	reading sync.WaitGroup

	clients, debug string         // URLs
	roots          *x509.CertPool // that its certificate is checked with; nil without TLS
}

// startChild starts this program as a node and waits until it is ready.
//
//nolint:revive // a node speaks TLS or does not
func startChild(ctx context.Context, secure bool, args ...string) (c *child, err error) {
	c = &child{done: make(chan struct{})}
	if c.dir, err = os.MkdirTemp("", "baton-bench-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	args = append([]string{
		"serve", "--data", filepath.Join(c.dir, "data"), "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0",
		"--gossip-listen", "127.0.0.1:0", "--debug-listen", "127.0.0.1:0",
	}, args...)
	if secure {
		certificate, key := filepath.Join(c.dir, "node.pem"), filepath.Join(c.dir, "node.key")
		if c.roots, err = writeCertificate(certificate, key); err != nil {
			return nil, err
		}
		args = append(args, "--tls-cert", certificate, "--tls-key", key)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c.command = exec.CommandContext(ctx, program, args...) //nolint:gosec // ourselves
	ownGroup(c.command)
	return c, c.run(ctx, []found{
		{regexp.MustCompile(`^  clients  (\S+)`), &c.clients}, {regexp.MustCompile(`^(ready) after`), new(string)},
	}, []found{{regexp.MustCompile(`msg="serving pprof" url=(http://[^/]+)`), &c.debug}})
}

// run starts the process, and returns when it has said all that is wanted on its standard
// output and its standard error.
func (c *child) run(ctx context.Context, out, errs []found) error {
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := c.command.StderrPipe()
	if err != nil {
		return err
	}
	if err = c.command.Start(); err != nil {
		c.command = nil
		return err
	}
	log := &tail{limit: keptError}
	said := make(chan struct{}, len(out)+len(errs))
	c.reading.Go(func() { watch(stdout, io.Discard, said, out...) })
	c.reading.Go(func() { watch(stderr, log, said, errs...) })
	go func() {
		defer close(c.done)
		c.reading.Wait()
		_ = c.command.Wait() // It is told to end.
	}()
	patience := time.NewTimer(childStart)
	defer patience.Stop()
	for range cap(said) {
		select {
		case <-said:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return fmt.Errorf("it ended: %s", log.data)
		case <-patience.C:
			return errors.New("it is not ready")
		}
	}
	return nil
}

// stop ends the process, and removes what it left.
func (c *child) stop() {
	if c.command != nil && c.command.Process != nil {
		_ = c.command.Process.Signal(os.Interrupt)
		select {
		case <-c.done:
		case <-time.After(stopTimeout):
			_ = killGroup(c.command.Process)
			<-c.done
		}
	}
	_ = os.RemoveAll(c.dir)
}

// found is a line that is waited for, and where what it says goes: the first group.
type found struct {
	line *regexp.Regexp
	into *string
}

// watch reads lines to the end, and says when each wanted one came.
func watch(from io.Reader, rest io.Writer, said chan<- struct{}, wanted ...found) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		_, _ = rest.Write(append(lines.Bytes(), '\n'))
		for _, w := range wanted {
			if match := w.line.FindStringSubmatch(lines.Text()); match != nil && *w.into == "" {
				*w.into = match[1]
				said <- struct{}{}
			}
		}
	}
}

// writeCertificate makes a certificate for 127.0.0.1 that is good for a day, and
// returns what it is checked with.
func writeCertificate(certificate, key string) (*x509.CertPool, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err = os.WriteFile(certificate, text, 0o600); err != nil {
		return nil, err
	}
	var secret bytes.Buffer
	if err = pem.Encode(&secret, &pem.Block{Type: "PRIVATE KEY", Bytes: encoded}); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return roots, os.WriteFile(key, secret.Bytes(), 0o600)
}
