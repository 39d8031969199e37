package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/node"
)

const adminKey = "an-admin-key-of-more-than-32-characters"

// withAdmin has nodes ask for tokens.
func withAdmin(t *testing.T) func(*node.Config) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.key")
	if err := os.WriteFile(path, []byte(adminKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *node.Config) { c.Auth.AdminKeyFile = path }
}

// startOne is a cluster of one.
func startOne(t *testing.T, change ...func(*node.Config)) *node.Node {
	t.Helper()
	config := node.Config{
		Name: "n1", DataDir: t.TempDir(), Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0", Partitions: 2,
	}
	for _, do := range change {
		do(&config)
	}
	n, err := node.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	waitFor(t, "ready", func() error { return n.Ready(t.Context()) })
	return n
}

func admin(t *testing.T, n *node.Node) *client.HTTP {
	t.Helper()
	h, err := client.NewHTTP(client.Options{Nodes: []string{n.ClientURL()}, Token: adminKey})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mint(t *testing.T, n *node.Node, said client.Token) *client.Token {
	t.Helper()
	made, err := admin(t, n).CreateToken(t.Context(), said)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// asker sends requests with a token, and sees what comes back, all of it.
type asker struct {
	t     *testing.T
	url   string
	token string
}

func (a *asker) ask(method, path, body string) string {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %s", response.StatusCode, response.Header.Get("Content-Type"), text)
}

// socket is a WebSocket that hides nothing.
type socket struct {
	t    *testing.T
	conn net.Conn
}

func (a *asker) open(hello string) *socket {
	a.t.Helper()
	conn, _, _, err := ws.Dial(a.t.Context(), "ws"+strings.TrimPrefix(a.url, "http")+"/ws")
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.Close() })
	s := &socket{a.t, conn}
	s.send(`{"type":"hello","token":"` + a.token + `"` + hello + `}`)
	if m := s.next(); m["type"] != "welcome" {
		a.t.Fatalf("no welcome but %v", m)
	}
	return s
}

func (s *socket) send(text string) {
	s.t.Helper()
	if err := wsutil.WriteClientText(s.conn, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) read() string {
	s.t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	text, err := wsutil.ReadServerText(s.conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *socket) next() (m map[string]any) {
	s.t.Helper()
	text := s.read()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
	return m
}

// ask sends a request and returns its answer, and what came before it; a ping stands
// behind, so that silence is an answer too.
func (s *socket) ask(text string) string {
	s.t.Helper()
	s.send(text)
	s.send(`{"type":"ping","time":7}`)
	all, pong := "", false
	for want := strings.Contains(text, `"id":`); !pong || want; {
		answer := s.read()
		switch {
		case strings.Contains(answer, `"type":"pong"`):
			pong = true
			continue
		case strings.Contains(answer, `"type":"synced"`):
			continue
		}
		all += answer + "\n"
		want = false
	}
	return all
}

// job subscribes and waits for the job that is there.
func (s *socket) job(channel string) (event, lease string) {
	s.t.Helper()
	s.send(`{"type":"subscribe","id":1,"channel":"` + channel + `","credit":1}`)
	for {
		if m := s.next(); m["type"] == "job" {
			return fmt.Sprint(m["event_id"]), fmt.Sprint(m["lease"])
		}
	}
}

// things are what a tenant has: an event, a dead letter, a lease, a parked one, a
// token, and the correlation id of a lineage.
type things struct{ event, letter, lease, parked, token, correlation string }

// theirs are things of a tenant, made by the holder of a token for everything in it.
func theirs(t *testing.T, n *node.Node, tenant string) (*asker, *things) {
	t.Helper()
	if err := admin(t, n).CreateTenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	key := mint(t, n, client.Token{
		Tenant: tenant, Roles: []string{"client", "worker", "admin"}, ClientID: "*",
		Publish: []string{"*"}, Work: []string{"*"}, Follow: []string{"*"},
	})
	a, h := &asker{t, n.ClientURL(), key.Token}, &things{token: key.ID, correlation: "lineage-of-" + tenant}
	publish := func(channel string) string {
		var stored struct {
			EventID string `json:"event_id"`
		}
		answer := a.ask("POST", "/v1/events", `{"channel":"`+channel+`","client_id":"ann","correlation_id":"`+h.correlation+`","data":1}`)
		_, body, _ := strings.Cut(answer, " application/json ")
		if err := json.Unmarshal([]byte(body), &stored); err != nil || stored.EventID == "" {
			t.Fatalf("%v: %s", err, answer)
		}
		return stored.EventID
	}
	worker := a.open("")
	h.event = publish("plain")
	publish("dead")
	event, lease := worker.job("dead")
	h.letter = event
	mustOK(t, worker.ask(`{"type":"fail","id":2,"lease":"`+lease+`","error":{"code":"x","message":"y"},"retryable":false}`))
	publish("held")
	_, h.lease = a.open("").job("held")
	publish("parked")
	_, h.parked = worker.job("parked")
	mustOK(t, worker.ask(`{"type":"park","id":3,"lease":"`+h.parked+`"}`))
	return a, h
}

func mustOK(t *testing.T, answer string) {
	t.Helper()
	if !strings.Contains(answer, `"type":"ok"`) {
		t.Fatal(answer)
	}
}

// none are ids that nothing has: of an event far behind all there are, and a lease
// that was over long ago, of the asker's own.
func none(t *testing.T, a *asker, of string) *things {
	t.Helper()
	id, err := command.ParseEventID(of)
	if err != nil {
		t.Fatal(err)
	}
	id.Position += 1_000_000
	w := a.open("")
	mustOK(t, w.ask(`{"type":"publish","id":9,"channel":"over","data":1}`))
	_, lease := w.job("over")
	w.ask(`{"type":"release","lease":"` + lease + `"}`)
	return &things{event: id.String(), letter: id.String(), lease: lease, parked: lease, token: "0123456789abc", correlation: "no-such-lineage"}
}

func (h *things) in(text string) string {
	return strings.NewReplacer("EVENT", h.event, "LETTER", h.letter, "LEASE", h.lease, "PARKED", h.parked, "TOKEN", h.token,
		"LINEAGE", h.correlation).Replace(text)
}

// out takes the ids that somebody named out of what came back: the answer may name
// what was asked for.
func (h *things) out(text string) string {
	return strings.NewReplacer(h.event, "EVENT", h.letter, "EVENT", h.lease, "LEASE", h.parked, "LEASE", h.token, "TOKEN",
		h.correlation, "LINEAGE").Replace(text)
}

// TestTenantsSeeNothingOfEachOther tries every route and verb with another tenant's
// ids, and wants the very bytes that ids get which nothing has. What is the other
// tenant's is as it was then.
func TestTenantsSeeNothingOfEachOther(t *testing.T) { //nolint:revive // A line for each.
	n := startOne(t, withAdmin(t))
	acme, has := theirs(t, n, "acme")
	evil, _ := theirs(t, n, "evil")
	nothing := none(t, evil, has.event)
	compare := func(what string, ask func(string) string, text string) {
		t.Helper()
		theirs, none := has.out(ask(has.in(text))), nothing.out(ask(nothing.in(text)))
		if theirs != none {
			t.Errorf("%s: asked for the other tenant's:\n%s\nfor what is not there:\n%s", what, theirs, none)
		}
		for _, word := range []string{"acme", "ann", `"1"`} {
			if strings.Contains(theirs, word) {
				t.Errorf("%s: the answer says %s: %s", what, word, theirs)
			}
		}
	}
	for _, route := range []struct{ method, path, body string }{
		{"GET", "/v1/events/EVENT", ""},
		{"GET", "/v1/events/LETTER", ""},
		{"GET", "/v1/events/EVENT/why", ""},
		{"GET", "/v1/events/LETTER/why", ""},
		{"GET", "/v1/traces/LINEAGE", ""},
		{"GET", "/v1/traces/EVENT", ""},
		{"GET", "/v1/deadletters/LETTER", ""},
		{"GET", "/v1/deadletters/LETTER?group=default", ""},
		{"DELETE", "/v1/deadletters/LETTER", ""},
		{"POST", "/v1/deadletters/LETTER/redrive", ""},
		{"POST", "/v1/deadletters/LETTER/redrive", `{"data":2}`},
		{"DELETE", "/v1/tokens/TOKEN", ""},
		{"POST", "/v1/leases/complete", `{"lease":"LEASE","result":1}`},
		{"POST", "/v1/leases/complete", `{"lease":"PARKED","notify":[{"name":"x","client_id":"ann","data":1}]}`},
		{"POST", "/v1/leases/complete", `{"lease":"LEASE","emit":[{"channel":"plain","data":1}]}`},
		{"POST", "/v1/leases/fail", `{"lease":"LEASE","error":{"code":"x","message":"y"}}`},
		{"POST", "/v1/leases/fail", `{"lease":"PARKED","error":{"code":"x","message":"y"},"retryable":false}`},
	} {
		ask := func(text string) string {
			path, body, _ := strings.Cut(text, " ")
			return evil.ask(route.method, path, body)
		}
		compare(route.method+" "+route.path+" "+route.body, ask, route.path+" "+route.body)
	}
	s, asClient := evil.open(""), evil.open(`,"client_id":"ann"`)
	for _, verb := range []string{
		`{"type":"cancel","id":5,"event_id":"EVENT"}`,
		`{"type":"cancel","id":5,"correlation_id":"LINEAGE"}`,
		`{"type":"complete","id":5,"lease":"LEASE"}`,
		`{"type":"complete","id":5,"lease":"PARKED","emit":[{"channel":"plain","data":1}]}`,
		`{"type":"fail","id":5,"lease":"LEASE","error":{"code":"x","message":"y"}}`,
		`{"type":"fail","id":5,"lease":"PARKED","error":{"code":"x","message":"y"}}`,
		`{"type":"park","id":5,"lease":"LEASE"}`,
		`{"type":"checkpoint","id":5,"lease":"LEASE","checkpoint":1}`,
		`{"type":"release","lease":"LEASE"}`,
		`{"type":"release","lease":"PARKED"}`,
	} {
		compare(verb, s.ask, verb)
		compare(verb+" as a client", asClient.ask, verb)
	}
	compare("renew", func(text string) string {
		s.send(text)
		return s.read()
	}, `{"type":"renew","leases":["LEASE"]}`)
	for _, list := range []string{"/v1/channels", "/v1/channels/plain", "/v1/deadletters", "/v1/deadletters?channel=dead", "/v1/tokens"} {
		if answer := evil.ask("GET", list, ""); strings.Contains(answer, "acme") || strings.Contains(answer, has.letter) || strings.Contains(answer, has.token) {
			t.Errorf("%s: %s", list, answer)
		}
	}
	if answer := evil.ask("GET", "/v1/channels/plain", ""); !strings.Contains(answer, `"stored":1`) {
		t.Errorf("another's events are counted: %s", answer)
	}
	// Naming the other tenant is refused before anything is looked at.
	for _, route := range []struct{ method, path, body string }{
		{"GET", "/v1/events/" + has.event + "?tenant=acme", ""},
		{"GET", "/v1/deadletters?tenant=acme", ""},
		{"GET", "/v1/deadletters?tenant=nobody", ""},
		{"POST", "/v1/events", `{"channel":"plain","tenant":"acme","data":1}`},
		{"POST", "/v1/events", `{"channel":"plain","tenant":"nobody","data":1}`},
		{"POST", "/v1/tokens", `{"tenant":"acme","roles":["worker"]}`},
		{"POST", "/v1/tokens", `{"tenant":"nobody","roles":["worker"]}`},
		{"POST", "/v1/tokens", `{"tenant":"*","roles":["worker"]}`},
	} {
		if answer := evil.ask(route.method, route.path, route.body); !strings.HasPrefix(answer, "403 ") || !strings.Contains(answer, "of another tenant") {
			t.Errorf("%s %s %s: %s", route.method, route.path, route.body, answer)
		}
	}
	// What is the same for all tenants is for who may act for all.
	for _, route := range []struct{ method, path, body string }{
		{"GET", "/v1/cluster", ""},
		{"GET", "/metrics", ""},
		{"GET", "/v1/tenants", ""},
		{"POST", "/v1/tenants", `{"tenant":"x"}`},
		{"DELETE", "/v1/tenants/acme", ""},
		{"PATCH", "/v1/channels/plain", `{}`},
		{"PUT", "/v1/channels/plain", `{}`},
		{"DELETE", "/v1/channels/plain", ""},
	} {
		if answer := evil.ask(route.method, route.path, route.body); !strings.HasPrefix(answer, "403 ") {
			t.Errorf("%s %s: %s", route.method, route.path, answer)
		}
	}
	for path, want := range map[string]string{
		"/v1/events/" + has.event: `"state":"waiting"`, "/v1/deadletters/" + has.letter: `"redrivable":true`,
	} {
		if answer := acme.ask("GET", path, ""); !strings.HasPrefix(answer, "200 ") || !strings.Contains(answer, want) {
			t.Errorf("%s is not as it was: %s", path, answer)
		}
	}
	for _, lease := range []string{has.lease, has.parked} {
		if answer := acme.ask("POST", "/v1/leases/complete", `{"lease":"`+lease+`"}`); !strings.HasPrefix(answer, "200 ") {
			t.Errorf("its lease is not as it was: %s", answer)
		}
	}
}

// TestStreamsAndFollowsOfATenant: what two tenants call by one name is two things.
func TestStreamsAndFollowsOfATenant(t *testing.T) {
	n := startOne(t, withAdmin(t))
	acme, _ := theirs(t, n, "acme")
	evil, _ := theirs(t, n, "evil")
	follower, listener := evil.open(""), evil.open(`,"client_id":"ann"`)
	mustOK(t, follower.ask(`{"type":"follow","id":1,"channel":"shared","from":"earliest"}`))
	worker := acme.open("")
	mustOK(t, worker.ask(`{"type":"publish","id":4,"channel":"shared","idempotency_key":"same","data":"acme"}`))
	_, lease := worker.job("shared")
	mustOK(t, worker.ask(`{"type":"complete","id":5,"lease":"`+lease+`","notify":[{"client_id":"ann","name":"done","data":"acme"}]}`))
	own := evil.open("")
	stored := own.ask(`{"type":"publish","id":4,"channel":"shared","idempotency_key":"same","data":"evil"}`)
	mustOK(t, stored)
	if strings.Contains(stored, "duplicate") {
		t.Errorf("another tenant's idempotency key: %s", stored)
	}
	if m := follower.next(); m["type"] != "event" || m["data"] != "evil" || m["tenant"] != "evil" {
		t.Errorf("the follower got %v", m)
	}
	_, lease = own.job("shared")
	mustOK(t, own.ask(`{"type":"complete","id":5,"lease":"`+lease+`","notify":[{"client_id":"ann","name":"done","data":"evil"}]}`))
	for {
		m := listener.next()
		if m["type"] == "notify" {
			if m["data"] != "evil" || m["seq"] != 1.0 {
				t.Errorf("the client got %v", m)
			}
			return
		}
	}
}

// lines is a log in memory.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestRevocationReachesEveryNode: a token is good on every node as soon as it is
// made, and on none a moment after it is revoked: open sockets are closed with 4500.
// The audit log says who did it, and no secret.
func TestRevocationReachesEveryNode(t *testing.T) {
	log := &lines{}
	nodes := startThree(t, withAdmin(t), func(c *node.Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	// One that has no replica of the meta group.
	nodes = append(nodes, startOne(t, withAdmin(t), func(c *node.Config) {
		c.Name, c.Join, c.BootstrapExpect, c.Partitions = "n4", []string{nodes[0].GossipAddress()}, 3, 0
	}))
	key := mint(t, nodes[0], client.Token{Name: "mail", Roles: []string{"worker"}, Work: []string{"*"}})
	var sockets []*socket
	for _, n := range nodes {
		sockets = append(sockets, (&asker{t, n.ClientURL(), key.Token}).open(""))
	}
	if err := admin(t, nodes[1]).RevokeToken(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	for i, s := range sockets {
		if m := s.next(); m["type"] != "error" || m["reason"] != "unauthenticated" {
			t.Errorf("node %d: %v", i, m)
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		_, err := wsutil.ReadServerText(s.conn)
		closed, ok := err.(wsutil.ClosedError) //nolint:errorlint // It comes as it is.
		if !ok || closed.Code != 4500 {
			t.Errorf("node %d: %v", i, err)
		}
	}
	for i, n := range nodes {
		if answer := (&asker{t, n.ClientURL(), key.Token}).ask("POST", "/v1/events", `{"channel":"c","data":1}`); !strings.HasPrefix(answer, "401 ") {
			t.Errorf("node %d: %s", i, answer)
		}
	}
	text := log.String()
	for _, want := range []string{
		`msg=audit action=token.create who="admin key"`, "token=" + key.ID, `action=token.revoke who="admin key"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, secret := range []string{key.Token, key.Token[20:], adminKey} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has a secret")
		}
	}
}

// TestTenantsAreRemovedWithTheirTokens, and come back without them.
func TestTenantsAreRemovedWithTheirTokens(t *testing.T) {
	n := startOne(t, withAdmin(t))
	acme, has := theirs(t, n, "acme")
	if answer := acme.ask("GET", "/v1/events/"+has.event, ""); !strings.HasPrefix(answer, "200 ") {
		t.Fatal(answer)
	}
	revoked, err := admin(t, n).DeleteTenant(t.Context(), "acme")
	if err != nil || revoked != 1 {
		t.Fatal(revoked, err)
	}
	if err = admin(t, n).CreateTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if answer := acme.ask("GET", "/v1/events/"+has.event, ""); !strings.HasPrefix(answer, "401 ") {
		t.Error(answer)
	}
	tokens, _, err := admin(t, n).Tokens(t.Context())
	if err != nil || len(tokens) != 1 || tokens[0].RevokedAt == 0 || tokens[0].Token != "" {
		t.Errorf("%+v, %v", tokens, err)
	}
	if _, err := admin(t, n).CreateToken(t.Context(), client.Token{Tenant: "nobody", Roles: []string{"worker"}}); err == nil {
		t.Error("a token of a tenant that is not there")
	}
}
