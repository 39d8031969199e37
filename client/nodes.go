package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// nodes are the places a client may connect to: those it was given, and those
// the cluster told it of. They belong to the goroutine that connects.
type nodes struct {
	given   []string // WebSocket URLs
	learned []string
	next    int
}

func newNodes(o *Options) (*nodes, error) {
	n := &nodes{}
	for _, text := range o.Nodes {
		socket, err := socketURL(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(n.given, socket) {
			n.given = append(n.given, socket)
		}
	}
	if len(n.given) == 0 {
		return nil, errors.New("client: Options.Nodes must name a node, like http://127.0.0.1:7700")
	}
	if !o.InOrder {
		n.next = rand.IntN(len(n.given)) //nolint:gosec // spreads load, keeps no secret
	}
	return n, nil
}

// all are the URLs in the order they are tried.
func (n *nodes) all() []string {
	return append(slices.Clone(n.given), n.learned...)
}

// current is the node whose turn it is.
func (n *nodes) current() string {
	all := n.all()
	return all[n.next%len(all)]
}

// advance passes the turn on.
func (n *nodes) advance() { n.next++ }

// learn replaces what the cluster said of its nodes before, and keeps the turn
// where it is.
func (n *nodes) learn(listed [][]byte) {
	if len(listed) == 0 {
		return
	}
	at := n.current()
	n.learned = n.learned[:0]
	for _, text := range listed {
		socket, err := socketURL(string(text))
		if err == nil && !slices.Contains(n.given, socket) && !slices.Contains(n.learned, socket) {
			n.learned = append(n.learned, socket)
		}
	}
	n.next = max(slices.Index(n.all(), at), 0)
}

// socketURL is the WebSocket URL of a node.
func socketURL(text string) (string, error) {
	return nodeURL(text, map[string]string{"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}, "/ws")
}

// webURL is the HTTP URL of a node, without a slash at its end.
func webURL(text string) (string, error) {
	return nodeURL(text, map[string]string{"http": "http", "ws": "http", "https": "https", "wss": "https"}, "")
}

func nodeURL(text string, schemes map[string]string, suffix string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("client: node %q is not a URL: %w", text, err)
	}
	scheme, ok := schemes[parsed.Scheme]
	if !ok || parsed.Host == "" {
		return "", fmt.Errorf("client: node %q must look like http://127.0.0.1:7700", text)
	}
	path := strings.TrimSuffix(strings.TrimSuffix(parsed.Path, "/"), "/ws")
	return scheme + "://" + parsed.Host + path + suffix, nil
}
