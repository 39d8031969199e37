package gateway

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/batonmq/baton/fsm/command"
)

func withLimits(l Limits) func(*Config) { return func(c *Config) { c.Limits = l } }

// refusals is how many the limit refused.
func (e *edge) refusals(limit limitName) int {
	var m dto.Metric
	if err := e.gateway.meter.limited[limit].Write(&m); err != nil {
		e.t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}

const publishOne = `{"type":"publish","id":1,"channel":"q","data":1}`

// published sends a publish and answers it.
func (e *edge) published(c *client) {
	e.t.Helper()
	c.send(publishOne)
	e.submission().reply(command.Result{})
	c.expect("ok")
}

// TestPublishRateIsHonest: at each level, who waits as long as retry_after_ms says is
// admitted, and who comes a moment sooner is not; what was refused took nothing.
func TestPublishRateIsHonest(t *testing.T) {
	for name, limits := range map[limitName]Limits{ //nolint:exhaustive // Those of publishing.
		limitPublishRate:       {PublishRate: 3, PublishBurst: 2},
		limitTenantPublishRate: {TenantPublishRate: 3, TenantPublishBurst: 2, PublishRate: 50},
		limitNodePublishRate:   {NodePublishRate: 3, NodePublishBurst: 2, TenantPublishRate: 60, PublishRate: 50},
	} {
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newBubbleEdge(t, withLimits(limits), func(c *Config) { c.Limits.IdleTimeout, c.Limits.PingInterval = time.Hour, time.Minute })
				e.broker.set(func() { e.broker.hold = true })
				c := e.open(`{"type":"hello"}`)
				e.published(c)
				e.published(c)
				for i := range 5 {
					c.send(publishOne)
					m := c.expectError(429, "rate_limited")
					has(t, m, "id", 1.0)
					has(t, m, "retryable", true)
					wait, _ := m["retry_after_ms"].(float64)
					if wait <= 0 || wait > 334 {
						t.Fatalf("retry_after_ms is %v", wait)
					}
					time.Sleep(time.Duration(wait-2) * time.Millisecond)
					c.send(publishOne)
					c.expectError(429, "rate_limited")
					time.Sleep(2 * time.Millisecond)
					e.published(c)
					if got := e.refusals(name); got != 2*(i+1) {
						t.Fatalf("%d refusals are counted", got)
					}
				}
				if under := e.gateway.requests.Load(); under != 0 {
					t.Fatalf("%d requests are under way", under)
				}
				_ = c.conn.Close()
			})
		})
	}
}

// TestPublishRateIsShared: a tenant's rate is one for all its connections and HTTP, and
// outlives them; another tenant has its own.
func TestPublishRateIsShared(t *testing.T) {
	e := newEdge(t, withLimits(Limits{TenantPublishRate: 1, TenantPublishBurst: 2}))
	e.broker.set(func() { e.broker.hold = true })
	first := e.open(`{"type":"hello"}`)
	e.published(first)
	first.send(`{"type":"bye"}`)
	first.expectClose(1000)
	second := e.open(`{"type":"hello"}`)
	e.published(second)
	second.send(publishOne)
	second.expectError(429, "rate_limited")
	e.do(t, e.request(http.MethodPost, "/v1/events", `{"channel":"q","data":1}`), 429, "rate_limited")
	other := e.open(`{"type":"hello","tenant":"other"}`)
	e.published(other)
}

// TestJobsAreNotPaced: what ends a job is never refused for what others publish, nor
// are its emits.
func TestJobsAreNotPaced(t *testing.T) {
	e := newEdge(t, withLimits(Limits{PublishRate: 1, PublishBurst: 1, MaxTenantInFlight: 1, MaxNodeInFlight: 1}))
	e.broker.set(func() { e.broker.hold = true })
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 4)
	lease := e.push(c, s, leaseOf(0, 7))
	c.send(publishOne)
	publish := e.submission()
	for range 3 {
		c.send(`{"type":"complete","id":2,"lease":"` + lease + `","emit":[{"channel":"q","data":1},{"channel":"q","data":2}]}`)
		e.submission().reply(command.Result{Events: make([]command.EventID, 2)})
		c.expect("ok")
	}
	publish.reply(command.Result{})
	c.expect("ok")
}

// TestInFlightIsShared: requests under way of a tenant, and of all.
func TestInFlightIsShared(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxTenantInFlight: 2, MaxNodeInFlight: 3}))
	e.broker.set(func() { e.broker.hold = true })
	a, b, other, third := e.open(`{"type":"hello"}`), e.open(`{"type":"hello"}`), e.open(`{"type":"hello","tenant":"o"}`), e.open(`{"type":"hello","tenant":"p"}`)
	a.send(publishOne)
	first := e.submission()
	b.send(publishOne)
	second := e.submission()
	for _, c := range []*client{a, b} {
		c.send(publishOne)
		m := c.expectError(429, "tenant_limit")
		has(t, m, "retry_after_ms", 50.0)
	}
	e.do(t, e.request(http.MethodPost, "/v1/events", `{"channel":"q","data":1}`), 429, "tenant_limit")
	other.send(publishOne)
	last := e.submission()
	third.send(publishOne)
	third.expectError(429, "too_many_in_flight")
	e.do(t, e.request(http.MethodPost, "/v1/events", `{"channel":"q","tenant":"p","data":1}`), 429, "too_many_in_flight")
	_ = a.conn.Close() // Its request goes on, and is counted until it is answered.
	b.send(publishOne)
	b.expectError(429, "tenant_limit")
	for _, s := range []submission{first, second, last} {
		s.reply(command.Result{})
	}
	b.expect("ok")
	e.published(b)
	e.published(third)
	if e.refusals(limitTenantInFlight) != 4 || e.refusals(limitNodeInFlight) != 2 {
		t.Fatalf("%d and %d refusals", e.refusals(limitTenantInFlight), e.refusals(limitNodeInFlight))
	}
}

// TestBatchBeyondTheRate: each event is answered for itself, those too many with a time
// at which all before them have had theirs.
func TestBatchBeyondTheRate(t *testing.T) {
	e := newEdge(t, withLimits(Limits{TenantPublishRate: 1, TenantPublishBurst: 2}))
	body := e.do(t, e.request(http.MethodPost, "/v1/events", `[{"channel":"q","data":1},{"channel":"q","data":2},{"channel":"q","data":3},{"channel":"q","data":4}]`), 200, "")
	if strings.Count(body, `"event_id"`) != 2 || strings.Count(body, `"rate_limited"`) != 2 {
		t.Fatal(body)
	}
	var waits []int
	for _, part := range strings.Split(body, `"retry_after_ms":`)[1:] {
		wait := 0
		for _, digit := range part {
			if digit < '0' || digit > '9' {
				break
			}
			wait = 10*wait + int(digit-'0')
		}
		waits = append(waits, wait)
	}
	if len(waits) != 2 || waits[0] <= 0 || waits[0] > 1000 || waits[1] <= 1000 || waits[1] > 2000 {
		t.Fatalf("told to wait %v ms", waits)
	}
}

// TestTenantSubscriptions: all of a tenant's at the node, follows included, whichever way they end.
func TestTenantSubscriptions(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxTenantSubscriptions: 3}))
	a, b := e.open(`{"type":"hello"}`), e.open(`{"type":"hello"}`)
	e.subscribe(a, 1)
	e.subscribe(b, 1)
	_, id := e.follow(b, ``)
	const one = `{"type":"subscribe","id":9,"channel":"q","credit":1}`
	a.send(one)
	a.expectError(429, "tenant_limit")
	a.send(`{"type":"follow","id":9,"channel":"q"}`)
	a.expectError(429, "tenant_limit")
	b.send(`{"type":"unsubscribe","id":10,"subscription":"` + id + `"}`)
	b.expect("ok")
	a.send(one)
	a.expect("ok")
	a.send(one)
	a.expectError(429, "tenant_limit")
	b.send(`{"type":"bye"}`)
	b.expectClose(1000)
	e.awaitConnections(1)
	a.send(one)
	a.expect("ok")
	e.open(`{"type":"hello","tenant":"other"}`).send(one)
}

// awaitConnections waits until the gateway has no more connections than that.
func (e *edge) awaitConnections(most int) {
	e.t.Helper()
	for {
		e.gateway.mu.Lock()
		have := len(e.gateway.connections)
		e.gateway.mu.Unlock()
		if have <= most {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// sentAway is the bye and the close of who is beyond a limit of connections.
func (e *edge) sentAway(c *client, code int) (afterMs float64) {
	e.t.Helper()
	m := c.expect("bye")
	has(e.t, m, "reason", "limit")
	has(e.t, m, "reconnect", true)
	afterMs, _ = m["after_ms"].(float64)
	c.expectClose(code)
	return afterMs
}

// TestConnectionsOfAddressAndTenant: one more is sent away, and has a place when another goes.
func TestConnectionsOfAddressAndTenant(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxAddressConnections: 3, MaxTenantConnections: 2}))
	a, b := e.open(`{"type":"hello"}`), e.open(`{"type":"hello"}`)
	c := e.connect()
	c.send(`{"type":"hello"}`)
	m := c.expectError(429, "tenant_limit")
	if wait, told := m["retry_after_ms"].(float64); told && wait < 0 {
		t.Fatal(m)
	}
	e.sentAway(c, 4029)
	e.awaitConnections(2)
	e.open(`{"type":"hello","tenant":"other"}`)
	e.sentAway(e.connect(), 4029)
	e.do(t, e.request(http.MethodGet, "/v1/stream?client_id=ann&tenant=another", ""), 429, "rate_limited")
	_ = a.conn.Close()
	e.awaitConnections(2)
	e.open(`{"type":"hello"}`)
	e.do(t, e.request(http.MethodGet, "/v1/stream?client_id=ann", ""), 429, "tenant_limit")
	b.alive()
	for limit, want := range map[limitName]int{ //nolint:exhaustive // Those of connections.
		limitTenantConnections: 2, limitAddressConnections: 2, limitConnections: 0} {
		if got := e.refusals(limit); got != want {
			t.Errorf("%s refused %d, want %d", limit, got, want)
		}
	}
}

// TestConnectRate: upgrades beyond it are told when to come back, and what was refused
// has taken nothing of either rate.
func TestConnectRate(t *testing.T) {
	e := newEdge(t, withLimits(Limits{ConnectRate: 1, ConnectBurst: 2, AddressConnectRate: 1, AddressConnectBurst: 3}))
	e.open(`{"type":"hello"}`)
	e.open(`{"type":"hello"}`)
	for range 5 {
		if after := e.sentAway(e.connect(), 4029); after > 1000+2000 {
			t.Fatalf("told to come back after %v ms", after)
		}
	}
	if e.refusals(limitConnectRate) != 5 || e.refusals(limitAddressConnectRate) != 0 {
		t.Fatalf("%d and %d", e.refusals(limitConnectRate), e.refusals(limitAddressConnectRate))
	}
}

// TestAddressConnectRate: an address has a rate of its own.
func TestAddressConnectRate(t *testing.T) {
	e := newEdge(t, withLimits(Limits{AddressConnectRate: 1, AddressConnectBurst: 2, ConnectRate: 1000}))
	e.open(`{"type":"hello"}`)
	e.open(`{"type":"hello"}`)
	e.sentAway(e.connect(), 4029)
	if e.refusals(limitAddressConnectRate) != 1 {
		t.Fatal("it is not counted")
	}
}

// TestMaxConnections: the node's own places end with the code that sends to another node.
func TestMaxConnections(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxConnections: 1}))
	c := e.open(`{"type":"hello"}`)
	e.sentAway(e.connect(), 4000)
	c.alive()
	if e.refusals(limitConnections) != 1 {
		t.Fatal("it is not counted")
	}
}

// TestControlFrames: a flood of pings is answered up to the limit, then ends the connection,
// and others notice nothing.
func TestControlFrames(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxControlFrames: 100}))
	other := e.open(`{"type":"hello"}`)
	c := e.open(`{"type":"hello"}`)
	for range 150 {
		c.raw(masked(0x9, true, "x"))
	}
	for range 100 {
		c.expect("PONG")
	}
	c.expectClose(4029)
	other.alive()
	if e.refusals(limitControlFrames) == 0 {
		t.Fatal("it is not counted")
	}
}

// TestLimitsThatMakeNoSense are refused before a node starts with them.
func TestLimitsThatMakeNoSense(t *testing.T) {
	for part, l := range map[string]Limits{
		"publish_rate: it must not be negative":                {PublishRate: -1},
		"connect_burst: it needs connect_rate":                 {ConnectBurst: 5},
		"tenant_publish_rate: it must be at most":              {TenantPublishRate: maxRate + 1},
		"max_tenant_connections: it must not be":               {MaxTenantConnections: -1},
		"address_connect_burst: it needs address_connect_rate": {AddressConnectBurst: 1},
		"max_tenant_backlog_bytes: it must not be":             {MaxTenantBacklogBytes: -1},
	} {
		_, err := New(Config{Broker: newFakeBroker(), Node: "n1", Limits: l})
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
}

// TestPacedPublishAllocatesNothing: rates cost no garbage.
func TestPacedPublishAllocatesNothing(t *testing.T) {
	g := &Gateway{began: time.Now()}
	g.rates = newRates(&Limits{PublishRate: 1, PublishBurst: 1, TenantPublishRate: 1, TenantPublishBurst: 1, NodePublishRate: 1, NodePublishBurst: 1})
	own, tenant := &bucket{}, &usage{}
	if n := testing.AllocsPerRun(100, func() { g.pace(own, tenant, 0) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
