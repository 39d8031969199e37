package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// vault is a KeySource in memory.
type vault struct {
	mu      sync.Mutex
	keys    map[string]*command.Key
	version uint64
	down    bool
}

func (v *vault) Key(_ context.Context, id string) (*command.Key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down {
		return nil, context.DeadlineExceeded
	}
	return v.keys[id], nil
}

func (v *vault) KnownKey(id string) *command.Key {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys[id]
}

func (v *vault) KeysVersion() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version
}

// add makes a key, and returns its text and id.
func (v *vault) add(key command.Key) (text, id string) {
	text, key.ID, key.Hash = auth.NewKey()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys[key.ID] = &key
	return text, key.ID
}

func (v *vault) revoke(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	revoked := *v.keys[id]
	revoked.RevokedMS = 1
	v.keys[id] = &revoked
	v.version++
}

const jwtSecret = "a secret of thirty-two characters"

// newClosedEdge starts a gateway that asks for tokens.
func newClosedEdge(t *testing.T, change ...func(*Config)) (*edge, *vault) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(jwtSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &vault{keys: make(map[string]*command.Key)}
	who, err := auth.New(auth.Config{Keys: v, HS256File: path, AdminKeyFile: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(who.Close)
	return newEdge(t, append(change, func(c *Config) { c.Auth = who })...), v
}

// signed is a JWT that is good for a while.
func signed(t *testing.T, good time.Duration, claims jwt.MapClaims) string {
	t.Helper()
	claims["exp"] = time.Now().Add(good).Unix()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestHelloNeedsAToken: what a hello says must follow from its token; else it is
// closed, for good, with a code that says why.
func TestHelloNeedsAToken(t *testing.T) {
	e, v := newClosedEdge(t)
	worker, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker})
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient})
	backend, _ := v.add(command.Key{Tenant: "acme", ClientID: "*", Roles: command.RoleClient})
	everywhere, _ := v.add(command.Key{Tenant: "*", Roles: command.RoleWorker})
	expired, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker, ExpiresMS: 1})
	unknown, _, _ := auth.NewKey()
	for _, test := range []struct {
		name, header, hello string
		code                int // 0 for welcome
		tenant, client      string
	}{
		{name: "no token", hello: `{"type":"hello"}`, code: 4500},
		{name: "an unknown token", hello: `{"type":"hello","token":"` + unknown + `"}`, code: 4500},
		{name: "an expired token", hello: `{"type":"hello","token":"` + expired + `"}`, code: 4500},
		{name: "a token that is too long", hello: `{"type":"hello","token":"` + strings.Repeat("x", wire.MaxTokenBytes+1) + `"}`, code: 4501},
		{name: "a worker", hello: `{"type":"hello","token":"` + worker + `"}`, tenant: "acme"},
		{name: "a worker, by header", header: "Authorization: Bearer " + worker, hello: `{"type":"hello"}`, tenant: "acme"},
		{name: "an unknown token in the header", header: "Authorization: Bearer " + unknown, hello: `{"type":"hello"}`, code: 4500},
		{name: "the header is not asked where hello has one", header: "Authorization: Bearer " + unknown, hello: `{"type":"hello","token":"` + worker + `"}`, tenant: "acme"},
		{name: "its own tenant", hello: `{"type":"hello","tenant":"acme","token":"` + worker + `"}`, tenant: "acme"},
		{name: "another tenant", hello: `{"type":"hello","tenant":"other","token":"` + worker + `"}`, code: 4503},
		{name: "a worker that wants to be a client", hello: `{"type":"hello","client_id":"ana","token":"` + worker + `"}`, code: 4503},
		{name: "a client", hello: `{"type":"hello","token":"` + ana + `"}`, tenant: "acme", client: "ana"},
		{name: "a client that says so", hello: `{"type":"hello","client_id":"ana","token":"` + ana + `"}`, tenant: "acme", client: "ana"},
		{name: "another client", hello: `{"type":"hello","client_id":"bob","token":"` + ana + `"}`, code: 4503},
		{name: "a backend as a client", hello: `{"type":"hello","client_id":"bob","token":"` + backend + `"}`, tenant: "acme", client: "bob"},
		{name: "a backend as none", hello: `{"type":"hello","token":"` + backend + `"}`, tenant: "acme"},
		{name: "all tenants", hello: `{"type":"hello","token":"` + everywhere + `"}`, tenant: "default"},
		{name: "one of all tenants", hello: `{"type":"hello","tenant":"other","token":"` + everywhere + `"}`, tenant: "other"},
		{name: "a JWT", hello: `{"type":"hello","token":"` + signed(t, time.Hour, jwt.MapClaims{"sub": "ana"}) + `"}`, tenant: "default", client: "ana"},
		{name: "a JWT that is over", hello: `{"type":"hello","token":"` + signed(t, -time.Minute, jwt.MapClaims{"sub": "ana"}) + `"}`, code: 4500},
	} {
		t.Run(test.name, func(t *testing.T) {
			var header []string
			if test.header != "" {
				header = []string{test.header}
			}
			c := e.connect(header...)
			c.t = t
			c.send(test.hello)
			if test.code != 0 {
				c.expect("error")
				c.expectClose(test.code)
				return
			}
			m := c.expect("welcome")
			if client, _ := m["client_id"].(string); m["tenant"] != test.tenant || client != test.client {
				t.Errorf("welcome %v", m)
			}
		})
	}
	v.mu.Lock()
	v.down = true
	v.mu.Unlock()
	c := e.connect()
	c.send(`{"type":"hello","token":"` + worker + `"}`)
	c.expectError(503, "no_leader")
	c.expectClose(4002)
}

// TestVerbsNeedGrants: each verb with a token that does not allow it. Nothing of it
// reaches the cluster.
func TestVerbsNeedGrants(t *testing.T) {
	e, v := newClosedEdge(t)
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient, Publish: []string{"in.*"}})
	worker, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker, Work: []string{"in.*"}, Publish: []string{"out"}, Follow: []string{"news"}})
	lease := string(e.broker.AppendLease(nil, command.LeaseID{Event: command.EventID{Epoch: 1, Queue: 1, Position: 1}, Fence: 1}))
	for _, test := range []struct{ name, token, sends string }{
		{"a channel that is not granted", ana, `{"type":"publish","id":4,"channel":"out","data":1}`},
		{"a client that works", ana, `{"type":"subscribe","id":4,"channel":"in.a","credit":1}`},
		{"a client that follows", ana, `{"type":"follow","id":4,"channel":"in.a"}`},
		{"a client that completes", ana, `{"type":"complete","id":4,"lease":"` + lease + `"}`},
		{"a client that fails", ana, `{"type":"fail","id":4,"lease":"` + lease + `","error":{"code":"x","message":"y"}}`},
		{"a client that parks", ana, `{"type":"park","id":4,"lease":"` + lease + `"}`},
		{"a client that keeps", ana, `{"type":"checkpoint","id":4,"lease":"` + lease + `","checkpoint":1}`},
		{"a client that releases", ana, `{"type":"release","lease":"` + lease + `"}`},
		{"a client that renews", ana, `{"type":"renew","leases":["` + lease + `"]}`},
		{"work that is not granted", worker, `{"type":"subscribe","id":4,"channel":"other","credit":1}`},
		{"work in a group that is not granted", worker, `{"type":"subscribe","id":4,"channel":"other","group":"g","credit":1}`},
		{"a follow that is not granted", worker, `{"type":"follow","id":4,"channel":"in.a"}`},
		{"a worker's publish that is not granted", worker, `{"type":"publish","id":4,"channel":"in.a","data":1}`},
		{"an emit that is not granted", worker, `{"type":"complete","id":4,"lease":"` + lease + `","emit":[{"channel":"out","data":1},{"channel":"in.a","data":1}]}`},
		{"a worker that cancels", worker, `{"type":"cancel","id":4,"event_id":"` + (command.EventID{Epoch: 1, Queue: 1, Position: 1}).String() + `"}`},
		{"a worker that cancels a lineage", worker, `{"type":"cancel","id":4,"correlation_id":"c"}`},
		{"a client that streams", ana, `{"type":"chunk","lease":"` + lease + `","offset":0,"data":"x"}`},
		{"a worker that reads a client's stream", worker, `{"type":"read","id":4,"stream":"` + (command.EventID{Epoch: 1, Queue: 1, Position: 1}).String() + `","offset":0}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := e.open(`{"type":"hello","token":"` + test.token + `"}`)
			c.send(test.sends)
			m := c.expectError(403, "forbidden")
			if strings.Contains(test.sends, `"id":4`) {
				has(t, m, "id", 4.0)
			}
			c.alive()
			if n := len(e.broker.submissions) + len(e.broker.subscribed) + len(e.broker.followed) + len(e.broker.ensures) + len(e.broker.renewals); n != 0 {
				t.Errorf("%d commands reached the cluster", n)
			}
			_ = c.conn.Close()
		})
	}
}

// TestGrantsReachTheCluster: what is allowed is sent on in the token's tenant, and
// with whose job it must be.
func TestGrantsReachTheCluster(t *testing.T) {
	e, v := newClosedEdge(t)
	token, _ := v.add(command.Key{
		Tenant: "acme", ClientID: "ana", Roles: command.RoleClient | command.RoleWorker, Publish: []string{"*"}, Work: []string{"*"}, Follow: []string{"*"},
	})
	lease := string(e.broker.AppendLease(nil, command.LeaseID{Event: command.EventID{Epoch: 1, Queue: 1, Position: 1}, Fence: 1}))
	c := e.open(`{"type":"hello","token":"` + token + `"}`)
	if spec := (<-e.broker.attached).spec; spec.Tenant != "acme" || spec.ClientID != "ana" {
		t.Errorf("attached %+v", spec)
	}
	c.send(`{"type":"publish","id":4,"channel":"c","data":1}`)
	if p := e.submission().publish(); p.Event.Tenant != "acme" || p.Event.ClientID != "ana" {
		t.Errorf("published %+v", p.Event)
	}
	c.send(`{"type":"subscribe","id":5,"channel":"c","credit":1}`)
	if spec := (<-e.broker.subscribed).spec; spec.Tenant != "acme" {
		t.Errorf("subscribed %+v", spec)
	}
	c.send(`{"type":"follow","id":6,"channel":"c"}`)
	if f := <-e.broker.followed; f.spec.Tenant != "acme" {
		t.Errorf("followed %+v", f.spec)
	}
	c.send(`{"type":"complete","id":7,"lease":"` + lease + `"}`)
	if tenant := e.submission().complete().Tenant; tenant != "acme" {
		t.Errorf("completed for %q", tenant)
	}
	c.send(`{"type":"release","lease":"` + lease + `"}`)
	if tenant := e.submission().release().Tenant; tenant != "acme" {
		t.Errorf("released for %q", tenant)
	}
	c.send(`{"type":"fail","id":8,"lease":"` + lease + `","error":{"code":"x","message":"y"}}`)
	var fail command.Fail
	if fail.Decode(e.submission().reader()); fail.Tenant != "acme" {
		t.Errorf("failed for %q", fail.Tenant)
	}
	c.send(`{"type":"park","id":9,"lease":"` + lease + `"}`)
	var park command.Park
	if park.Decode(e.submission().reader()); park.Tenant != "acme" {
		t.Errorf("parked for %q", park.Tenant)
	}
	c.send(`{"type":"checkpoint","id":10,"lease":"` + lease + `","checkpoint":1}`)
	var keep command.Checkpoint
	if keep.Decode(e.submission().reader()); keep.Tenant != "acme" {
		t.Errorf("kept for %q", keep.Tenant)
	}
	c.send(`{"type":"renew","leases":["` + lease + `"]}`)
	if call := <-e.broker.renewals; call.tenant != "acme" {
		t.Errorf("renewed for %q", call.tenant)
	}
}

// TestCredentialsEnd: a session whose key is revoked, or whose token ends, is closed;
// one that brought a fresh token goes on.
func TestCredentialsEnd(t *testing.T) {
	e, v := newClosedEdge(t)
	key, id := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker, Work: []string{"*"}})
	other, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker, Work: []string{"*"}})
	stays, goes := e.open(`{"type":"hello","token":"`+key+`"}`), e.open(`{"type":"hello","token":"`+key+`"}`)
	stays.send(`{"type":"auth","id":1,"token":"` + other + `"}`)
	has(t, stays.expect("ok"), "id", 1.0)
	soon := v.withEnd(t, time.Now().Add(1500*time.Millisecond))
	ends, goesOn := e.open(`{"type":"hello","token":"`+soon+`"}`), e.open(`{"type":"hello","token":"`+soon+`"}`)
	goesOn.send(`{"type":"auth","id":2,"token":"` + other + `"}`)
	goesOn.expect("ok")
	v.revoke(id)
	for _, c := range []*client{goes, ends} {
		c.expectError(401, "unauthenticated")
		c.expectClose(4500)
	}
	stays.alive()
	goesOn.alive()
}

// withEnd is a key that ends soon.
func (v *vault) withEnd(t *testing.T, end time.Time) string {
	t.Helper()
	text, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker, ExpiresMS: end.UnixMilli()})
	return text
}

// TestRefreshKeepsTheSession: a token that does not allow what the session is, or has
// open, is refused and changes nothing.
func TestRefreshKeepsTheSession(t *testing.T) {
	e, v := newClosedEdge(t)
	all := command.Key{
		Tenant: "acme", ClientID: "ana", Roles: command.RoleClient | command.RoleWorker, Publish: []string{"a"}, Work: []string{"w"}, Follow: []string{"f"},
	}
	token, _ := v.add(all)
	c := e.open(`{"type":"hello","token":"` + token + `"}`)
	c.send(`{"type":"subscribe","id":1,"channel":"w","credit":1}`)
	c.expect("ok")
	c.send(`{"type":"follow","id":2,"channel":"f"}`)
	c.expect("ok")
	with := func(change func(*command.Key)) string {
		key := all
		change(&key)
		text, _ := v.add(key)
		return text
	}
	for name, bad := range map[string]string{
		"another tenant":  with(func(k *command.Key) { k.Tenant = "other" }),
		"another client":  with(func(k *command.Key) { k.ClientID = "bob" }),
		"no client":       with(func(k *command.Key) { k.Roles = command.RoleWorker }),
		"no worker":       with(func(k *command.Key) { k.Roles = command.RoleClient }),
		"another channel": with(func(k *command.Key) { k.Work = []string{"x"} }),
		"another follow":  with(func(k *command.Key) { k.Follow = nil }),
	} {
		c.send(`{"type":"auth","id":3,"token":"` + bad + `"}`)
		if m := c.expect("error"); m["code"] != 403.0 || m["id"] != 3.0 {
			t.Errorf("%s: %v", name, m)
		}
	}
	c.send(`{"type":"auth","id":4,"token":"nonsense"}`)
	c.expectError(401, "unauthenticated")
	c.send(`{"type":"publish","id":5,"channel":"b","data":1}`)
	c.expectError(403, "forbidden")
	c.send(`{"type":"auth","id":6,"token":"` + with(func(k *command.Key) {
		k.Publish, k.ExpiresMS = []string{"b"}, time.Now().Add(time.Hour).UnixMilli()
	}) + `"}`)
	if m := c.expect("ok"); m["id"] != 6.0 || m["token_expires_ms"] == nil {
		t.Errorf("%v", m)
	}
	c.send(`{"type":"publish","id":7,"channel":"b","data":1}`)
	c.expect("ok")
}

// TestHTTPNeedsAToken: each route, by who asks.
func TestHTTPNeedsAToken(t *testing.T) {
	e, v := newClosedEdge(t)
	token := func(key command.Key) string {
		text, _ := v.add(key)
		return text
	}
	ana := token(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient, Publish: []string{"in"}})
	backend := token(command.Key{Tenant: "acme", ClientID: "*", Roles: command.RoleClient, Publish: []string{"in"}})
	worker := token(command.Key{Tenant: "acme", Roles: command.RoleWorker, Publish: []string{"in"}})
	admin := token(command.Key{Tenant: "acme", Roles: command.RoleAdmin, Publish: []string{"in"}})
	root := jwtSecret
	event := (command.EventID{Epoch: 1, Queue: 1, Position: 1}).String()
	for _, test := range []struct {
		method, path, body string
		token              string
		status             int
	}{
		{"GET", "/healthz", "", "", 200},
		{"GET", "/readyz", "", "", 200},
		{"GET", "/metrics", "", "", 401},
		{"GET", "/metrics", "", admin, 403},
		{"GET", "/metrics", "", root, 200},
		{"GET", "/v1/cluster", "", admin, 403},
		{"GET", "/v1/cluster", "", root, 200},
		{"POST", "/v1/events", `{"channel":"in","data":1}`, "", 401},
		{"POST", "/v1/events", `{"channel":"in","data":1}`, ana, 200},
		{"POST", "/v1/events", `{"channel":"in","client_id":"ana","data":1}`, ana, 200},
		{"POST", "/v1/events", `{"channel":"in","client_id":"bob","data":1}`, ana, 403},
		{"POST", "/v1/events", `{"channel":"out","data":1}`, ana, 403},
		{"POST", "/v1/events", `{"channel":"in","tenant":"other","data":1}`, ana, 403},
		{"POST", "/v1/events", `{"channel":"in","client_id":"bob","data":1}`, backend, 200},
		{"POST", "/v1/events", `{"channel":"in","client_id":"bob","data":1}`, worker, 403},
		{"POST", "/v1/events", `{"channel":"in","data":1}`, worker, 200},
		{"POST", "/v1/events", `{"channel":"in","client_id":"bob","data":1}`, admin, 200},
		{"POST", "/v1/events", `{"channel":"out","client_id":"bob","data":1}`, admin, 403},
		{"GET", "/v1/traces/c", "", ana, 403},
		{"GET", "/v1/traces/c", "", worker, 403},
		{"GET", "/v1/traces/c", "", admin, 200},
		{"GET", "/v1/traces/c?tenant=other", "", admin, 403},
		{"GET", "/v1/traces/c?tenant=other", "", root, 200},
		{"GET", "/v1/events/" + event, "", worker, 403},
		{"GET", "/v1/events/" + event + "/why", "", worker, 403},
		{"GET", "/v1/deadletters", "", worker, 403},
		{"DELETE", "/v1/deadletters/" + event, "", worker, 403},
		{"POST", "/v1/deadletters/" + event + "/redrive", "", ana, 403},
		{"GET", "/v1/channels", "", ana, 403},
		{"PATCH", "/v1/channels/c", "{}", admin, 403},
		{"PATCH", "/v1/channels/c", "{}", root, 200},
		{"POST", "/v1/leases/complete", `{"lease":"x"}`, ana, 403},
		{"POST", "/v1/leases/complete", `{"lease":"x"}`, worker, 409},
		{"POST", "/v1/leases/fail", `{"lease":"x","error":{"code":"x","message":"y"}}`, ana, 403},
		{"POST", "/v1/events", `[{"channel":"in","client_id":"bob","data":1},{"channel":"in","data":1}]`, ana, 200},
		{"GET", "/v1/stream?client_id=ana", "", "", 401},
		{"GET", "/v1/stream?client_id=bob", "", ana, 403},
		{"GET", "/v1/stream?client_id=ana&tenant=other", "", ana, 403},
		{"GET", "/v1/stream?client_id=ana", "", worker, 403},
		{"GET", "/v1/tenants", "", admin, 403},
		{"GET", "/v1/tenants/t/limits", "", admin, 403},
		{"PATCH", "/v1/tenants/t/limits", "{}", admin, 403},
		{"PATCH", "/v1/tenants/t/limits", "{}", root, 200},
		{"GET", "/v1/tokens", "", worker, 403},
		{"GET", "/v1/tokens", "", admin, 200},
		{"GET", "/v1/runs", "", "", 401},
		{"GET", "/v1/runs", "", ana, 200},
	} {
		request := e.request(test.method, test.path, test.body)
		if test.token != "" {
			request.Header.Set("Authorization", "bearer  "+test.token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s %s %s: %s, want %d", test.method, test.path, test.body, response.Status, test.status)
		}
		if asks := response.Header.Get("WWW-Authenticate") != ""; asks != (response.StatusCode == http.StatusUnauthorized) {
			t.Errorf("%s %s: a challenge is %v", test.method, test.path, asks)
		}
	}
}

// TestTokensOverHTTP: what a request for a token may say.
func TestTokensOverHTTP(t *testing.T) {
	log := &bytes.Buffer{}
	var mu sync.Mutex
	e, v := newClosedEdge(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&locked{mu: &mu, to: log}, nil)) })
	admin, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleAdmin, Name: "boss"})
	ask := func(body string, status int, reason string) string {
		return e.do(t, e.request("POST", "/v1/tokens", body, "Authorization", "Bearer "+admin), status, reason)
	}
	for name, bad := range map[string]string{
		"no role": `{}`, "an unknown role": `{"roles":["root"]}`, "a client without a name": `{"roles":["client"]}`,
		"a name without the role": `{"roles":["worker"],"client_id":"ana"}`, "a bad pattern": `{"roles":["worker"],"work":["a.*.b"]}`,
		"the past": `{"roles":["worker"],"expires_at":1}`, "its own secret": `{"roles":["worker"],"token":"bk_x"}`,
		"its own id": `{"roles":["worker"],"id":"x"}`, "an unknown field": `{"roles":["worker"],"admin":true}`, "two bodies": `{"roles":["worker"]}{}`,
		"not JSON": `x`,
	} {
		if answer := ask(bad, 400, "bad_request"); answer == "" {
			t.Error(name)
		}
	}
	ask(`{"roles":["worker"],"tenant":"other"}`, 403, "forbidden")
	answer := ask(`{"roles":["worker","admin"],"work":["a.*"],"name":"mail"}`, 200, "")
	var put command.PutKey
	put.Decode(e.submission().reader())
	if put.Key.Tenant != "acme" || put.Key.Name != "mail" || put.Key.Roles != command.RoleWorker|command.RoleAdmin || !strings.Contains(put.Key.CreatedBy, "boss") {
		t.Errorf("%+v", put.Key)
	}
	_, after, _ := strings.Cut(answer, `"token":"`)
	text, _, _ := strings.Cut(after, `"`)
	v.mu.Lock()
	v.keys[put.Key.ID] = &put.Key
	v.mu.Unlock()
	e.open(`{"type":"hello","token":"` + text + `"}`)
	e.broker.set(func() {
		e.broker.credentials = cluster.Credentials{Keys: []command.Key{put.Key, {ID: "z", Tenant: "other"}}}
	})
	list := e.do(t, e.request("GET", "/v1/tokens", "", "Authorization", "Bearer "+admin), 200, "")
	if strings.Contains(list, text[20:]) || strings.Contains(list, "other") || !strings.Contains(list, put.Key.ID) {
		t.Errorf("the list is %s", list)
	}
	mu.Lock()
	defer mu.Unlock()
	audit := log.String()
	contains(t, audit, "msg=audit action=token.create")
	contains(t, audit, "status=403")
	contains(t, audit, "token="+put.Key.ID)
	if strings.Contains(audit, text[20:]) || strings.Contains(audit, admin) {
		t.Error("the audit log has a secret")
	}
}

// TestCancelsOfOthersAreAudited: what an administrator cancels is in the log, a
// client's own is not.
func TestCancelsOfOthersAreAudited(t *testing.T) {
	log := &bytes.Buffer{}
	var mu sync.Mutex
	e, v := newClosedEdge(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&locked{mu: &mu, to: log}, nil)) })
	admin, id := v.add(command.Key{Tenant: "acme", Roles: command.RoleAdmin})
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient})
	for _, token := range []string{ana, admin} {
		c := e.open(`{"type":"hello","token":"` + token + `"}`)
		c.send(`{"type":"cancel","id":1,"correlation_id":"work-of-somebody"}`)
		c.expect("ok")
	}
	mu.Lock()
	defer mu.Unlock()
	contains(t, log.String(), fmt.Sprintf(`msg=audit action=cancel who="key %s" tenant=acme target="lineage work-of-somebody"`, id))
	if n := strings.Count(log.String(), "action=cancel"); n != 1 {
		t.Errorf("%d cancels are audited", n)
	}
}

type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// TestBatchNeedsGrants: each event of a batch is asked for by itself.
func TestBatchNeedsGrants(t *testing.T) {
	e, v := newClosedEdge(t)
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient, Publish: []string{"in"}})
	for _, test := range []struct{ kind, body string }{
		{"application/json", `[{"channel":"in","client_id":"bob","data":1},{"channel":"out","data":1},{"channel":"in","tenant":"other","data":1},{"channel":"in","data":1}]`},
		{"application/cloudevents-batch+json", `[{"specversion":"1.0","id":"1","source":"s","type":"out","data":1},` +
			`{"specversion":"1.0","id":"2","source":"s","type":"out","data":1},{"specversion":"1.0","id":"3","source":"s","type":"out","data":1},` +
			`{"specversion":"1.0","id":"4","source":"s","type":"in","data":1}]`},
	} {
		answer := e.do(t, e.request("POST", "/v1/events", test.body, "Content-Type", test.kind, "Authorization", "Bearer "+ana), 200, "")
		if got := strings.Count(answer, `"forbidden"`); got != 3 {
			t.Errorf("%d of the batch were refused, want 3: %s", got, answer)
		}
		if n := len(e.broker.submissions); n != 1 {
			t.Errorf("%d events reached the cluster, want the last one", n)
		}
		event := e.submission().publish().Event
		if event.Tenant != "acme" || event.ClientID != "ana" || event.Channel != "in" {
			t.Errorf("%+v reached the cluster", event)
		}
	}
}

// TestEventStreamIsOnesOwn: a client gets its own notifications without naming itself,
// and a backend those of whom it names.
func TestEventStreamIsOnesOwn(t *testing.T) {
	e, v := newClosedEdge(t)
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient})
	backend, _ := v.add(command.Key{Tenant: "acme", ClientID: "*", Roles: command.RoleClient})
	for _, test := range []struct{ path, token, client string }{
		{"/v1/stream", ana, "ana"}, {"/v1/stream?client_id=ana", ana, "ana"}, {"/v1/stream?client_id=bob", backend, "bob"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		request := e.request("GET", test.path, "", "Authorization", "Bearer "+test.token).WithContext(ctx)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		spec := (<-e.broker.attached).spec
		if response.StatusCode != http.StatusOK || spec.Tenant != "acme" || spec.ClientID != test.client {
			t.Errorf("%s: %s, of %s in %s", test.path, response.Status, spec.ClientID, spec.Tenant)
		}
		stop()
		_ = response.Body.Close()
	}
}
