package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"time"
)

// TLSFiles are what a node speaks TLS with.
type TLSFiles struct {
	// Cert and Key are the node's certificate, with those between it and its root, and
	// the certificate's key, in PEM.
	Cert, Key string
	// ClientCA signs the certificates of workers, which need no token then; empty for
	// none. A client without a certificate is let in to show a token.
	ClientCA string
}

// ServerTLS is a configuration that follows its files: what they hold when a client
// connects is used, at most a second old. Files that cannot be used any more leave
// what there was in force.
func ServerTLS(files TLSFiles, logger *slog.Logger) (*tls.Config, error) {
	config := &Config{Now: time.Now, Logger: logger}
	certificate, err := watchFiles(files.Cert, files.Key, func(text []byte) (*tls.Certificate, error) {
		key, err := os.ReadFile(files.Key)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(text, key)
		return &pair, err
	}, config)
	if err != nil {
		return nil, err
	}
	server := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // A WebSocket begins there.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certificate.value(), nil
		},
	}
	if files.ClientCA == "" {
		return server, nil
	}
	pool, err := watchFile(files.ClientCA, parsePool, config)
	if err != nil {
		return nil, err
	}
	server.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		this := server.Clone()
		this.GetConfigForClient = nil
		this.ClientAuth, this.ClientCAs = tls.VerifyClientCertIfGiven, pool.value()
		return this, nil
	}
	return server, nil
}

func parsePool(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in PEM in it")
	}
	return pool, nil
}
