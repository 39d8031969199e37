package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/batonmq/baton/fsm/command"
)

var errNobody = errors.New("nobody can be asked")

// keyring is a KeySource in memory.
type keyring struct {
	keys map[string]*command.Key
	down bool
}

func (k *keyring) Key(_ context.Context, id string) (*command.Key, error) {
	if k.down {
		return nil, errNobody
	}
	return k.keys[id], nil
}
func (k *keyring) KnownKey(id string) *command.Key { return k.keys[id] }
func (*keyring) KeysVersion() uint64               { return 0 }

// issuer signs JWTs with one key of each kind.
type issuer struct {
	t      *testing.T
	rsa    *rsa.PrivateKey
	ecdsa  *ecdsa.PrivateKey
	ed     ed25519.PrivateKey
	secret []byte
	now    time.Time
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, secret: []byte(strings.Repeat("s", 32)), now: time.Unix(1_800_000_000, 0)}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, i.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return i
}

func text(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// jwks is the set of the issuer's public keys, and of some that must be passed over.
func (i *issuer) jwks() []byte {
	point, err := i.ecdsa.PublicKey.Bytes()
	if err != nil {
		i.t.Fatal(err)
	}
	public, ok := i.ed.Public().(ed25519.PublicKey)
	if !ok {
		i.t.Fatal("no Ed25519 key")
	}
	set := map[string][]map[string]string{"keys": {
		{"kty": "oct", "kid": "shared", "k": text(i.secret)},
		{"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"},
		{"kty": "RSA", "kid": "r", "alg": "RS256", "n": text(i.rsa.N.Bytes()), "e": text(big.NewInt(int64(i.rsa.E)).Bytes())},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": text(point[1:33]), "y": text(point[33:])},
		{"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": text(public)},
	}}
	body, err := json.Marshal(set)
	if err != nil {
		i.t.Fatal(err)
	}
	return body
}

// good are claims that are fine.
func (i *issuer) good(change ...func(jwt.MapClaims)) jwt.MapClaims {
	c := jwt.MapClaims{
		"sub": "user-1", "exp": i.now.Add(time.Hour).Unix(), "iss": "https://issuer", "aud": "baton",
		"tenant": "acme", "publish": []string{"a.*"},
	}
	for _, do := range change {
		do(c)
	}
	return c
}

func (i *issuer) sign(method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	i.t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	signed, err := token.SignedString(key)
	if err != nil {
		i.t.Fatal(err)
	}
	return signed
}

func (i *issuer) rs(claims jwt.MapClaims) string {
	return i.sign(jwt.SigningMethodRS256, "r", i.rsa, claims)
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// open is an Authenticator with every way configured.
func (i *issuer) open(change ...func(*Config)) *Authenticator {
	i.t.Helper()
	config := Config{
		Keys: &keyring{}, HS256File: write(i.t, "secret", append(i.secret, '\n')), JWKS: write(i.t, "jwks", i.jwks()),
		Issuer: "https://issuer", Audience: "baton", Now: func() time.Time { return i.now },
	}
	for _, do := range change {
		do(&config)
	}
	a, err := New(config)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(a.Close)
	return a
}

// TestJWTsOfEveryAlgorithm: one of each kind is accepted, and says who it is.
func TestJWTsOfEveryAlgorithm(t *testing.T) {
	i := newIssuer(t)
	a := i.open()
	for name, token := range map[string]string{
		"HS256":       i.sign(jwt.SigningMethodHS256, "", i.secret, i.good()),
		"RS256":       i.rs(i.good()),
		"ES256":       i.sign(jwt.SigningMethodES256, "e", i.ecdsa, i.good()),
		"EdDSA":       i.sign(jwt.SigningMethodEdDSA, "d", i.ed, i.good()),
		"without kid": i.sign(jwt.SigningMethodES256, "", i.ecdsa, i.good()),
		"within leeway": i.rs(i.good(func(c jwt.MapClaims) {
			c["exp"], c["nbf"], c["iat"] = i.now.Add(-29*time.Second).Unix(), i.now.Add(29*time.Second).Unix(), i.now.Add(29*time.Second).Unix()
		})),
	} {
		who, err := a.Authenticate(context.Background(), []byte(token))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if who.Tenant != "acme" || who.ClientID != "user-1" || who.Roles != command.RoleClient || !who.Publish.Match([]byte("a.b")) ||
			who.Work != nil || a.Ended(who) != "" {
			t.Errorf("%s: %+v", name, who)
		}
	}
}

// TestTokensThatAreRefused: each bad token has its own sentence, and none is said to
// be nearly right.
func TestTokensThatAreRefused(t *testing.T) {
	i := newIssuer(t)
	a := i.open()
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&i.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	with := func(name string, value any) jwt.MapClaims {
		return i.good(func(c jwt.MapClaims) { c[name] = value })
	}
	without := func(name string) jwt.MapClaims { return i.good(func(c jwt.MapClaims) { delete(c, name) }) }
	good := i.rs(i.good())
	extended := jwt.NewWithClaims(jwt.SigningMethodRS256, i.good())
	extended.Header["kid"], extended.Header["crit"] = "r", []string{"x"}
	critical, err := extended.SignedString(i.rsa)
	if err != nil {
		t.Fatal(err)
	}
	const signature = "its signature, or its algorithm, is not one"
	for _, test := range []struct{ name, token, want string }{
		{"none", i.sign(jwt.SigningMethodNone, "", jwt.UnsafeAllowNoneSignatureType, i.good()), signature},
		{"none, of a known key", i.sign(jwt.SigningMethodNone, "r", jwt.UnsafeAllowNoneSignatureType, i.good()), signature},
		{"the public key as a secret", i.sign(jwt.SigningMethodHS256, "r", public, i.good()), signature},
		{"the modulus as a secret", i.sign(jwt.SigningMethodHS256, "r", i.rsa.N.Bytes(), i.good()), signature},
		{"another secret", i.sign(jwt.SigningMethodHS256, "", []byte(strings.Repeat("x", 32)), i.good()), signature},
		{"another RSA key", i.sign(jwt.SigningMethodRS256, "r", otherRSA, i.good()), signature},
		{"HS512", i.sign(jwt.SigningMethodHS512, "", i.secret, i.good()), signature},
		{"PS256 of an RSA key", i.sign(jwt.SigningMethodPS256, "r", i.rsa, i.good()), signature},
		{"ES256 with an RSA key's id", i.sign(jwt.SigningMethodES256, "r", i.ecdsa, i.good()), "does not know"},
		{"a key that is for encrypting", i.sign(jwt.SigningMethodRS256, "enc", i.rsa, i.good()), "does not know"},
		{"an unknown key", i.sign(jwt.SigningMethodRS256, "z", i.rsa, i.good()), "does not know"},
		{"extensions", critical, "crit"},
		{"expired", i.rs(with("exp", i.now.Add(-31*time.Second).Unix())), "has expired"},
		{"without an end", i.rs(without("exp")), "requires: exp"},
		{"not yet", i.rs(with("nbf", i.now.Add(31*time.Second).Unix())), "not valid yet"},
		{"of the future", i.rs(with("iat", i.now.Add(31*time.Second).Unix())), "in the future"},
		{"another audience", i.rs(with("aud", "others")), "another audience"},
		{"no audience", i.rs(without("aud")), "aud"},
		{"another issuer", i.rs(with("iss", "https://issuer.evil")), "another issuer"},
		{"no issuer", i.rs(without("iss")), "iss"},
		{"a role nobody knows", i.rs(with("roles", []string{"root"})), "role"},
		{"roles of another kind", i.rs(with("roles", 7)), "not valid"},
		{"a bad pattern", i.rs(with("publish", []string{"a.*.b"})), "pattern"},
		{"nobody", i.rs(without("sub")), "neither client_id nor sub"},
		{"everybody", i.rs(with("sub", "*")), "names no client"},
		{"a long tenant", i.rs(with("tenant", strings.Repeat("t", 256))), "255"},
		{"a changed claim", changed(good), signature},
		{"cut", good[:len(good)-4], signature},
		{"two parts", good[:strings.LastIndex(good, ".")], "neither an API key nor a JWT"},
		{"noise", "hello", "neither an API key nor a JWT"},
		{"oversized", strings.Repeat("a", 16<<10+1), "16 KiB"},
		{"empty", "", "is needed"},
	} {
		who, err := a.Authenticate(context.Background(), []byte(test.token))
		if who != nil || !errors.Is(err, ErrUnauthenticated) || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: %+v, %v; want a refusal with %q", test.name, who, err, test.want)
		}
	}
}

// changed is a JWT with another tenant and the old signature.
func changed(token string) string {
	parts := strings.Split(token, ".")
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = text([]byte(strings.Replace(string(body), "acme", "evil", 1)))
	return strings.Join(parts, ".")
}

// TestWaysThatAreNotConfigured accept nothing.
func TestWaysThatAreNotConfigured(t *testing.T) {
	i := newIssuer(t)
	a := i.open(func(c *Config) { c.HS256File = "" })
	if _, err := a.Authenticate(context.Background(), []byte(i.sign(jwt.SigningMethodHS256, "", i.secret, i.good()))); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("HS256 without a secret: %v", err)
	}
	a = i.open(func(c *Config) { c.JWKS = "" })
	if _, err := a.Authenticate(context.Background(), []byte(i.rs(i.good()))); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("RS256 without keys: %v", err)
	}
	a = i.open(func(c *Config) { c.JWKS, c.HS256File, c.Keys = "", "", nil })
	key, _, _ := NewKey()
	for _, token := range []string{i.rs(i.good()), key} {
		if _, err := a.Authenticate(context.Background(), []byte(token)); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("nothing is configured: %v", err)
		}
	}
}

// TestAPIKeys: the right secret of a key in force is accepted, until it is revoked
// or expires.
func TestAPIKeys(t *testing.T) { //nolint:revive // A life of a key.
	i := newIssuer(t)
	token, id, hash := NewKey()
	other, _, _ := NewKey()
	ring := &keyring{keys: map[string]*command.Key{id: {
		ID: id, Name: "mail", Tenant: "acme", Roles: command.RoleWorker, Work: []string{"mail"}, Hash: hash,
	}}}
	a := i.open(func(c *Config) { c.Keys = ring })
	ask := func(token string) error {
		_, err := a.Authenticate(context.Background(), []byte(token))
		return err
	}
	who, err := a.Authenticate(context.Background(), []byte(token))
	if err != nil || who.Tenant != "acme" || who.Name != "key "+id+" (mail)" || !who.Work.Match([]byte("mail")) || who.Is(command.RoleClient) {
		t.Fatalf("%+v, %v", who, err)
	}
	wrong := token[:len(token)-1] + string('0'+(token[len(token)-1]-'0'+1)%10)
	for name, bad := range map[string]string{
		"another secret": wrong, "unknown": other, "cut": token[:40], "another's secret": token[:17] + other[17:], "upper case": "bk_" + strings.ToUpper(token[3:]),
	} {
		if refusal := ask(bad); !errors.Is(refusal, ErrUnauthenticated) || strings.Contains(fmt.Sprint(refusal), bad) {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	if got, want := fmt.Sprint(ask(wrong)), fmt.Sprint(ask(other)); got != want {
		t.Errorf("a wrong secret of a key is told from an unknown key: %s, %s", got, want)
	}
	ring.keys[id].ExpiresMS = i.now.Add(time.Minute).UnixMilli()
	if who, err = a.Authenticate(context.Background(), []byte(token)); err != nil || a.Ended(who) != "" {
		t.Errorf("a minute before its end: %v", err)
	}
	i.now = i.now.Add(time.Minute)
	if err := ask(token); err == nil || a.Ended(who) != "the token has expired" {
		t.Errorf("at its end: %v, %q", err, a.Ended(who))
	}
	ring.keys[id].ExpiresMS, who.Expires, ring.keys[id].RevokedMS = 0, time.Time{}, 1
	if err := ask(token); err == nil || a.Ended(who) != "the token was revoked" {
		t.Errorf("revoked: %v, %q", err, a.Ended(who))
	}
	ring.down = true
	if err := ask(token); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthenticated) {
		t.Errorf("nobody can be asked: %v", err)
	}
}

// TestAdminKey: the file's content does everything, and only that.
func TestAdminKey(t *testing.T) {
	i := newIssuer(t)
	key := strings.Repeat("k", 40)
	a := i.open(func(c *Config) { c.AdminKeyFile = write(t, "admin", []byte(key+"\n")) })
	who, err := a.Authenticate(context.Background(), []byte(key))
	if err != nil || !who.AllTenants() || !who.Is(command.RoleAdmin) || !who.ForOthers() || a.Ended(who) != "" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := a.Authenticate(context.Background(), []byte(key+"k")); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("another key: %v", err)
	}
	if _, err := New(Config{AdminKeyFile: write(t, "short", []byte("admin\n"))}); err == nil || !strings.Contains(err.Error(), "32") {
		t.Errorf("a short key: %v", err)
	}
}

// TestFilesAreReadAnew: a file that changes is in force soon, one that breaks changes
// nothing.
func TestFilesAreReadAnew(t *testing.T) {
	i := newIssuer(t)
	path := write(t, "secret", i.secret)
	a := i.open(func(c *Config) { c.HS256File = path })
	next := []byte(strings.Repeat("n", 40))
	put := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		i.now = i.now.Add(2 * fileCheckInterval)
	}
	accepts := func(secret []byte) bool {
		_, err := a.Authenticate(context.Background(), []byte(i.sign(jwt.SigningMethodHS256, "", secret, i.good())))
		return err == nil
	}
	put([]byte("short"))
	if !accepts(i.secret) {
		t.Error("a broken file took the secret away")
	}
	put(next)
	if accepts(i.secret) || !accepts(next) {
		t.Error("the new secret is not in force")
	}
}

// TestJWKSOfAURL: keys are fetched, a new one when a token names it, and the last
// good ones stay when the URL fails.
func TestJWKSOfAURL(t *testing.T) {
	i, rotated := newIssuer(t), newIssuer(t)
	var body atomic.Value
	body.Store([]byte("not JSON"))
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		content, _ := body.Load().([]byte)
		_, _ = w.Write(content)
	}))
	defer server.Close()
	var now atomic.Int64
	now.Store(i.now.Unix())
	a := i.open(func(c *Config) {
		c.JWKS, c.Now = server.URL, func() time.Time { return time.Unix(now.Load(), 0) }
	})
	ask := func(from *issuer) error {
		_, err := a.Authenticate(context.Background(), []byte(from.rs(from.good())))
		return err
	}
	for asked.Load() == 0 { // The first fetch is on its way.
		time.Sleep(time.Millisecond)
	}
	later := func() { now.Add(int64(MinJWKSInterval/time.Second) + 1) }
	if err := ask(i); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nothing was fetched yet: %v", err)
	}
	body.Store(i.jwks())
	later()
	if err := ask(i); err != nil {
		t.Errorf("the keys are there: %v", err)
	}
	body.Store([]byte(strings.ReplaceAll(string(rotated.jwks()), `"kid":"r"`, `"kid":"new"`)))
	before := asked.Load()
	for range 5 {
		if err := ask(rotated); err == nil {
			t.Error("a key of another issuer under a known id is accepted")
		}
	}
	token := []byte(rotated.sign(jwt.SigningMethodRS256, "new", rotated.rsa, rotated.good()))
	for range 5 {
		if _, err := a.Authenticate(context.Background(), token); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("an unknown key, soon after a fetch: %v", err)
		}
	}
	if n := asked.Load(); n != before {
		t.Errorf("%d fetches within the pause", n-before)
	}
	later()
	if _, err := a.Authenticate(context.Background(), token); err != nil {
		t.Errorf("a key that came: %v", err)
	}
	body.Store([]byte("{}"))
	later()
	if _, err := a.Authenticate(context.Background(), token); err != nil {
		t.Errorf("the last good keys are gone: %v", err)
	}
}

// TestJWKSThatAreRefused: what is no set of keys, and URLs that anybody may change.
func TestJWKSThatAreRefused(t *testing.T) {
	for name, set := range map[string]string{
		"not JSON": "x", "no keys": `{"keys":[]}`, "a short RSA key": `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		"a point off the curve": `{"keys":[{"kty":"EC","crv":"P-256","x":"` + text(make([]byte, 32)) + `","y":"` + text(make([]byte, 32)) + `"}]}`,
		"half an Ed25519 key":   `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQAB"}]}`,
		"only a secret":         `{"keys":[{"kty":"oct","k":"AQAB"}]}`,
	} {
		if keys, err := parseKeySet([]byte(set)); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
	for _, bad := range []string{"http://issuer.example.com/keys", "ftp://x/y", "https://", "/no/such/file"} {
		if a, err := New(Config{JWKS: bad}); err == nil {
			a.Close()
			t.Errorf("%s is accepted", bad)
		}
	}
}

// TestPatterns: a star at the end, and nowhere else.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, channel string
		want             bool
	}{
		{"a", "a", true},
		{"a", "a.b", false},
		{"a", "ab", false},
		{"a.*", "a.b", true},
		{"a.*", "a.b.c", true},
		{"a.*", "a", false},
		{"a.*", "a.", true},
		{"a*", "ab", true},
		{"a*", "a", true},
		{"*", "anything", true},
		{"a", "", false},
	} {
		if got := (Patterns{"never", test.pattern}).Match([]byte(test.channel)); got != test.want {
			t.Errorf("%s and %s: %v", test.pattern, test.channel, got)
		}
	}
	if Patterns(nil).Match([]byte("a")) {
		t.Error("no pattern grants something")
	}
	for _, bad := range []string{"", "**", "a.*.b", "*a", "a b", "a/b", "$", "$*", "$$a", strings.Repeat("a", 256)} {
		if CheckPatterns([]string{bad}) == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
	if err := CheckPatterns([]string{"$run.answer", "$message.*"}); err != nil {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() { (Patterns{"a.*"}).Match([]byte("a.b")) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

// TestCertificates: the organization is the tenant.
func TestCertificates(t *testing.T) {
	who, err := OfCertificate(&x509.Certificate{Subject: pkix.Name{CommonName: "w1", Organization: []string{"acme"}}})
	if err != nil || who.Tenant != "acme" || who.Roles != command.RoleWorker || who.ClientID != "" || who.Name != "certificate w1" {
		t.Errorf("%+v, %v", who, err)
	}
	if who, err = OfCertificate(&x509.Certificate{}); err != nil || who.Tenant != "default" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err = OfCertificate(&x509.Certificate{Subject: pkix.Name{Organization: []string{"a", "b"}}}); err == nil {
		t.Error("two tenants are accepted")
	}
}

// FuzzAuthenticate: whatever is shown, nothing is granted but by a good signature.
func FuzzAuthenticate(f *testing.F) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	public, _ := private.Public().(ed25519.PublicKey)
	a := &Authenticator{config: Config{Keys: &keyring{}, Now: time.Now}}
	a.parser = newParser(&a.config)
	a.jwks = &keySet{file: &watchedFile[[]publicKey]{
		parsed: []publicKey{{"d", algEdDSA, crypto.PublicKey(public)}}, now: func() time.Time { return time.Time{} },
	}}
	key, _, _ := NewKey()
	for _, seed := range []string{"", "a.b.c", key, `eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		if who, err := a.Authenticate(context.Background(), token); err == nil || who != nil {
			t.Fatalf("%q is %+v", token, who)
		}
	})
}
