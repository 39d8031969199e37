package node

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/batonmq/baton/gateway/auth"
)

// Auth says which credentials a node accepts. Where any field is set every client
// needs one, and API keys (baton token create) are accepted besides the others.
type Auth struct {
	// Required asks for a credential where nothing else is configured: API keys.
	Required bool
	// HS256File is a file with the secret of JWTs signed with HS256, JWKS a file or URL
	// with the public keys of those signed with RS256, ES256 or EdDSA.
	HS256File, JWKS string
	// Issuer and Audience must stand in a JWT where they are given.
	Issuer, Audience string
	// AdminKeyFile is a file with a credential that may do everything: at least 32
	// characters. With it the first tokens are made.
	AdminKeyFile string
}

// AsksForTokens tells whether clients need a credential.
func (c Config) AsksForTokens() bool { return c.Auth != Auth{} || c.TLS.ClientCA != "" }

func (c Config) checkTLS() error {
	switch {
	case (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return &ConfigError{"tls-cert", "a certificate needs its key, and a key its certificate", "give both --tls-cert and --tls-key"}
	case c.TLS.ClientCA != "" && c.TLS.Cert == "":
		return &ConfigError{"tls-client-ca", "clients show certificates in TLS only", "give --tls-cert and --tls-key too"}
	case (c.Auth.Issuer != "" || c.Auth.Audience != "") && c.Auth.JWKS == "" && c.Auth.HS256File == "":
		return &ConfigError{"auth-jwks", "an issuer or audience is given, and no key of JWTs", "give --auth-jwks or --auth-jwt-hs256-file"}
	default:
		return nil
	}
}

// checkExposure refuses to let everybody in by mistake.
func (c Config) checkExposure() error {
	switch {
	case c.AsksForTokens() && c.InsecureClients:
		return &ConfigError{"insecure-clients", "credentials are asked for, and everybody is let in", "leave one of the two out"}
	case c.AsksForTokens() || c.InsecureClients || isLoopback(c.Listen):
		return nil
	}
	return &ConfigError{
		"listen", fmt.Sprintf("everybody who reaches %s could read and change everything", c.Listen),
		"ask clients for tokens (--admin-key-file FILE, --auth-jwks URL, --auth-jwt-hs256-file FILE, --auth-required), or let them all in with --insecure-clients",
	}
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// startAuth reads what credentials are checked with, and says what is not.
func (n *Node) startAuth() (*auth.Authenticator, error) {
	c, log := &n.config, n.config.Logger
	switch {
	case !c.AsksForTokens() && isLoopback(c.Listen):
		log.Info("clients need no token: every program on this machine may do everything", "listen", c.Listen)
		return nil, nil
	case !c.AsksForTokens():
		log.Warn("clients need no token: everybody who reaches this address may do everything", "listen", c.Listen)
		return nil, nil
	case c.TLS.Cert == "" && !isLoopback(c.Listen):
		log.Warn("clients send their tokens unencrypted, unless TLS ends before this node", "listen", c.Listen)
	}
	for field, path := range map[string]string{
		"admin-key-file": c.Auth.AdminKeyFile, "auth-jwt-hs256-file": c.Auth.HS256File, "tls-key": c.TLS.Key,
	} {
		if info, err := os.Stat(path); path != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
			log.Warn("a file with a secret can be read by every user of this machine", "setting", field, "file", path)
		}
	}
	who, err := auth.New(auth.Config{
		Keys: n.cluster, HS256File: c.Auth.HS256File, JWKS: c.Auth.JWKS, Issuer: c.Auth.Issuer, Audience: c.Auth.Audience,
		AdminKeyFile: c.Auth.AdminKeyFile, Logger: log,
	})
	if err != nil {
		return nil, &ConfigError{"auth", err.Error(), "name files that can be read, with what docs/security.md says"}
	}
	n.onClose("authentication", func(context.Context) error {
		who.Close()
		return nil
	})
	return who, nil
}
