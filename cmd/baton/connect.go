package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

const (
	defaultNode = "http://127.0.0.1:7700"
	// attemptsPerNode bounds how often a verb knocks at each node before it says
	// that none can be reached.
	attemptsPerNode = 4
)

// target is which cluster a client verb talks to, and as whom: flags that all
// of them share.
type target struct {
	nodes         []string
	token         string
	tenant        string
	clientID      string
	ca, cert, key string
	patience      time.Duration
	json          bool
}

// addTarget adds the shared flags to a verb.
func addTarget(cmd *cobra.Command, t *target) {
	flags := cmd.Flags()
	nodes := []string{defaultNode}
	if listed := os.Getenv("BATON_NODES"); listed != "" {
		nodes = strings.Split(listed, ",")
	}
	flags.StringSliceVar(&t.nodes, "nodes", nodes, "nodes of the cluster: http or ws URLs, with or without /ws `(url,...)` [BATON_NODES]")
	flags.StringVar(&t.token, "token", os.Getenv("BATON_TOKEN"), "credential, where the cluster asks for one [BATON_TOKEN]")
	flags.Lookup("token").DefValue = "" // Not for the help to show.
	flags.StringVar(&t.tenant, "tenant", os.Getenv("BATON_TENANT"), "tenant, where no token says it (default \"default\") [BATON_TENANT]")
	flags.Lookup("tenant").DefValue = ""
	flags.StringVar(&t.ca, "ca", os.Getenv("BATON_CA"), "file with the certificates that sign those of nodes, PEM (default the system's) [BATON_CA]")
	flags.Lookup("ca").DefValue = ""
	flags.StringVar(&t.cert, "cert", "", "file with a certificate to show instead of a token, PEM")
	flags.StringVar(&t.key, "cert-key", "", "file with its key")
	flags.DurationVar(&t.patience, "connect-timeout", 10*time.Second, "how long to try to reach a node")
	flags.BoolVar(&t.json, "json", false, "print JSON, one object per line")
}

// addClientID adds --client-id, for the verbs that speak for a client.
func addClientID(cmd *cobra.Command, t *target, usage string) {
	cmd.Flags().StringVar(&t.clientID, "client-id", "", usage)
}

func (t *target) options() client.Options {
	return client.Options{
		Nodes: t.nodes, InOrder: true, Token: t.token, Tenant: t.tenant, ClientID: t.clientID,
		Name: workerName(), ConnectAttempts: attemptsPerNode * max(len(t.nodes), 1), MaxBackoff: 500 * time.Millisecond,
	}
}

// dial connects, within bounds: a verb that hangs says nothing.
func (t *target) dial(ctx context.Context, options client.Options) (*client.Client, error) {
	config, err := t.readTLS()
	if err != nil {
		return nil, &usageError{err}
	}
	options.TLS = config
	bounded, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	c, err := client.Dial(bounded, options)
	if err != nil && ctx.Err() == nil && isMistake(err) {
		return nil, &usageError{err}
	}
	return c, err
}

// http is for the verbs that need no connection.
func (t *target) http() (*client.HTTP, error) {
	options := t.options()
	config, err := t.readTLS()
	if err != nil {
		return nil, &usageError{err}
	}
	options.TLS = config
	h, err := client.NewHTTP(options)
	if err != nil {
		return nil, &usageError{err}
	}
	return h, nil
}

// isMistake tells a wrong option from a cluster that is not there.
func isMistake(err error) bool {
	code := exitCode(err)
	if code != exitRefused {
		return false
	}
	switch err.(type) { //nolint:errorlint // Dial does not wrap these
	case *client.RejectedError, *client.ConnectError, *client.Error:
		return false
	default:
		return true
	}
}

// workerName is what the lineage calls this process.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		return "baton"
	}
	return "baton@" + host
}

// readTLS is how a verb speaks TLS; nil for the system's way.
func (t *target) readTLS() (*tls.Config, error) {
	if t.ca == "" && t.cert == "" && t.key == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.ca != "" {
		text, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: there is no certificate in PEM in %s", t.ca)
		}
	}
	if t.cert != "" || t.key != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --cert-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
