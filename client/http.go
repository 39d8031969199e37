package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// HTTP asks a cluster what needs no connection. It tries the nodes in turn.
type HTTP struct {
	nodes  []string
	token  func(context.Context) (string, error)
	tenant string
	client *http.Client
}

const (
	// maxAnswer bounds an answer.
	maxAnswer = 64 << 20
	// httpTimeout is how long one node may take.
	httpTimeout = 20 * time.Second
)

// NewHTTP uses Nodes, Token or TokenSource, Tenant and TLS of the options.
func NewHTTP(o Options) (*HTTP, error) {
	h := &HTTP{token: o.token, tenant: o.Tenant}
	for _, text := range o.Nodes {
		node, err := webURL(text)
		if err != nil {
			return nil, err
		}
		h.nodes = append(h.nodes, node)
	}
	if len(h.nodes) == 0 {
		return nil, errors.New("client: Options.Nodes must name a node, like http://127.0.0.1:7700")
	}
	transport := &http.Transport{TLSClientConfig: o.TLS, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	h.client = &http.Client{Transport: transport, Timeout: httpTimeout}
	return h, nil
}

func (h *HTTP) close() { h.client.CloseIdleConnections() }

// get reads the JSON at a path of the first node that answers into v, and
// returns it as it came.
func (h *HTTP) get(ctx context.Context, path string, v any) (json.RawMessage, error) {
	return h.each(ctx, v, func(node string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, node+path, nil)
		if err != nil {
			return nil, err
		}
		return h.do(request)
	})
}

// each asks one node after the other until one answers, and reads its JSON
// into v.
func (h *HTTP) each(ctx context.Context, v any, ask func(node string) ([]byte, error)) (json.RawMessage, error) {
	var last error
	for _, node := range h.nodes {
		body, err := ask(node)
		if err == nil {
			if err = json.Unmarshal(body, v); err != nil {
				return nil, fmt.Errorf("client: reading the answer of %s: %w", node, err)
			}
			return body, nil
		}
		if refused, ok := errors.AsType[*Error](err); ok && !refused.Retryable {
			return nil, err
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	if _, ok := errors.AsType[*Error](last); ok {
		return nil, last
	}
	return nil, &ConnectError{Nodes: h.nodes, Err: last}
}

// do sends a request to one node and returns the body of its answer.
func (h *HTTP) do(request *http.Request) ([]byte, error) {
	address := request.URL.String()
	token, err := h.token(request.Context())
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", address, maxAnswer)
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusAccepted:
		return nil, problem(response, body)
	}
	return body, nil
}

// problem is the Error in an application/problem+json.
func problem(response *http.Response, body []byte) error {
	var p struct {
		Code         int    `json:"code"`
		Reason       string `json:"reason"`
		Message      string `json:"message"`
		Detail       string `json:"detail"`
		Retryable    bool   `json:"retryable"`
		RetryAfterMs int64  `json:"retry_after_ms"`

		Problems []WorkflowProblem `json:"problems"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Reason == "" {
		return &Error{Code: response.StatusCode, Reason: string(wire.ReasonBadRequest), Message: "the answer was " + response.Status}
	}
	if p.Message == "" {
		p.Message = p.Detail
	}
	refused := &Error{
		Code: p.Code, Reason: p.Reason, Message: p.Message, Retryable: p.Retryable,
		RetryAfter: time.Duration(p.RetryAfterMs) * time.Millisecond,
	}
	if len(p.Problems) > 0 {
		return &InvalidWorkflowError{Problems: p.Problems, Refused: refused}
	}
	return refused
}

// path joins a segment that may hold anything, what stands around it, and the
// tenant where one is set.
func (h *HTTP) path(prefix, last string, suffix ...string) string {
	path := prefix + url.PathEscape(last) + strings.Join(suffix, "")
	if h.tenant != "" {
		path += "?tenant=" + url.QueryEscape(h.tenant)
	}
	return path
}
