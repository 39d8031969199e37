package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// JWKSRefreshInterval is how often the keys behind a URL are fetched.
	JWKSRefreshInterval = 5 * time.Minute
	// MinJWKSInterval is the shortest pause between two fetches: a token with an
	// unknown key asks for one.
	MinJWKSInterval = 10 * time.Second
	// JWKSTimeout is how long a fetch may take.
	JWKSTimeout = 5 * time.Second
	// MinRSABits is the size of the smallest RSA key that is accepted.
	MinRSABits = 2048
)

// publicKey is one key of a set (RFC 7517), good for one algorithm.
type publicKey struct {
	id, alg string
	key     any
}

// keySet are the public keys of a file or a URL. The last good ones stay in force.
type keySet struct {
	file   *watchedFile[[]publicKey]
	url    string
	client *http.Client
	now    func() time.Time
	logger *slog.Logger

	fetching sync.Mutex // held while the URL is asked

	mu      sync.RWMutex // guards the rest
	fetched []publicKey
	good    bool      // they were fetched once
	tried   time.Time // when a fetch began last
}

func newKeySet(config *Config) (*keySet, error) {
	s := &keySet{now: config.Now, logger: config.Logger}
	if !strings.Contains(config.JWKS, "://") {
		var err error
		s.file, err = watchFile(config.JWKS, parseKeySet, config)
		return s, err
	}
	parsed, err := url.Parse(config.JWKS)
	if err != nil || parsed.Host == "" || !safeScheme(parsed) {
		return nil, errors.New("the URL of a JWKS must begin with https://, or be one of this machine: whoever changes it on its way makes tokens")
	}
	s.url = config.JWKS
	s.client = &http.Client{Timeout: JWKSTimeout, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > 3 || !safeScheme(next.URL) {
			return errors.New("redirected too often, or to where it is not safe")
		}
		return nil
	}}
	return s, nil
}

func safeScheme(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// keepFresh fetches the keys now and then.
func (s *keySet) keepFresh(ctx context.Context) {
	ticker := time.NewTicker(JWKSRefreshInterval)
	defer ticker.Stop()
	defer s.client.CloseIdleConnections()
	for {
		s.refresh(ctx, 0)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// find is the key of an id that is good for an algorithm. A token that names no key
// is checked with the only one of its algorithm.
func (s *keySet) find(ctx context.Context, id, alg string) (any, error) {
	if key := choose(s.keys(), id, alg); key != nil {
		return key, nil
	}
	if s.url != "" {
		s.refresh(ctx, MinJWKSInterval)
		if key := choose(s.keys(), id, alg); key != nil {
			return key, nil
		}
		if !s.everFetched() {
			return nil, ErrUnavailable
		}
	}
	return nil, refuse("the token is signed with a key, or an algorithm, that this node does not know")
}

func choose(keys []publicKey, id, alg string) any {
	var only any
	for i := range keys {
		switch {
		case keys[i].alg != alg:
		case id != "" && keys[i].id == id:
			return keys[i].key
		case id == "" && only != nil:
			return nil
		case id == "":
			only = keys[i].key
		}
	}
	return only
}

func (s *keySet) keys() []publicKey {
	if s.file != nil {
		return s.file.value()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fetched
}

func (s *keySet) everFetched() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.good
}

// refresh fetches the keys, unless that was tried less than pause ago.
func (s *keySet) refresh(ctx context.Context, pause time.Duration) {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	now := s.now()
	s.mu.Lock()
	soon := !s.tried.IsZero() && now.Sub(s.tried) < pause
	if !soon {
		s.tried = now
	}
	s.mu.Unlock()
	if soon {
		return
	}
	keys, err := s.fetch(ctx)
	if err != nil {
		s.logger.Warn("the keys of JWTs cannot be fetched: those known before stay in force", "url", s.url, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched, s.good = keys, true
}

func (s *keySet) fetch(ctx context.Context) ([]publicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer was %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxFileBytes+1))
	if err != nil || len(text) > MaxFileBytes {
		return nil, errors.Join(err, errors.New("the answer cannot be read, or is longer than 1 MiB"))
	}
	return parseKeySet(text)
}

// jsonKey is a key as RFC 7517 and 7518 spell it.
type jsonKey struct {
	Type  string `json:"kty"`
	ID    string `json:"kid"`
	Use   string `json:"use"`
	Alg   string `json:"alg"`
	Curve string `json:"crv"`
	N     string `json:"n"`
	E     string `json:"e"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// parseKeySet reads a JWKS. Keys that are for other uses and algorithms are passed
// over, symmetric ones too: a secret that is published is none.
func parseKeySet(text []byte) ([]publicKey, error) {
	var set struct {
		Keys []jsonKey `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("the JWKS cannot be read: %w", err)
	}
	var keys []publicKey
	for i := range set.Keys {
		of := &set.Keys[i]
		if of.Use != "" && of.Use != "sig" {
			continue
		}
		key, alg, err := of.public()
		switch {
		case err != nil:
			return nil, fmt.Errorf("key %d (%.64q) of the JWKS: %w", i, of.ID, err)
		case key != nil && (of.Alg == "" || of.Alg == alg):
			keys = append(keys, publicKey{of.ID, alg, key})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the JWKS has no key for RS256, ES256 or EdDSA")
	}
	return keys, nil
}

// public is the key and the one algorithm it is used with; nil for a key of another
// kind.
func (k *jsonKey) public() (key any, alg string, err error) {
	switch {
	case k.Type == "RSA":
		key, err = k.rsa()
		return key, algRS256, err
	case k.Type == "EC" && k.Curve == "P-256":
		key, err = k.ecdsa()
		return key, algES256, err
	case k.Type == "OKP" && k.Curve == "Ed25519":
		x, err := decode(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, "", errors.New("x is not an Ed25519 key")
		}
		return ed25519.PublicKey(x), algEdDSA, nil
	default:
		return nil, "", nil
	}
}

func (k *jsonKey) rsa() (*rsa.PublicKey, error) {
	n, err := decode(k.N)
	if err != nil {
		return nil, err
	}
	e, err := decode(k.E)
	if err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	switch {
	case modulus.BitLen() < MinRSABits:
		return nil, fmt.Errorf("an RSA key must have at least %d bits", MinRSABits)
	case !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > 1<<31-1:
		return nil, errors.New("e is no exponent of an RSA key")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func (k *jsonKey) ecdsa() (*ecdsa.PublicKey, error) {
	x, err := decode(k.X)
	if err != nil {
		return nil, err
	}
	y, err := decode(k.Y)
	if err != nil {
		return nil, err
	}
	const size = 32
	if len(x) != size || len(y) != size {
		return nil, errors.New("x and y must have 32 bytes each")
	}
	point := append(append([]byte{4}, x...), y...)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func decode(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, errors.New("a number of the key is not in URL-safe base64")
	}
	return raw, nil
}
