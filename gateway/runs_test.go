package gateway

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeRuns are the runs of a fake cluster.
type fakeRuns struct {
	asked  chan cluster.Runs
	waited chan cluster.RunLook
	// clients are whose runs there are, by id, of tenant default or acme.
	clients map[command.EventID]string
	// hold, where it is set, is what waits for ends until it is closed.
	hold chan struct{}
}

func newFakeRuns() fakeRuns {
	return fakeRuns{asked: make(chan cluster.Runs, 100), waited: make(chan cluster.RunLook, 100), clients: make(map[command.EventID]string)}
}

func (b *fakeBroker) Runs(_ context.Context, want *cluster.Runs) (*cluster.RunsPage, error) {
	b.runs.asked <- *want
	if want.Cursor != "" && want.Cursor != "c" {
		return nil, cluster.ErrBadRunCursor
	}
	return &cluster.RunsPage{Runs: []cluster.RunInfo{{RunID: "r", ClientID: want.Client}}, Cursor: "c"}, nil
}

func (b *fakeBroker) Run(_ context.Context, look *cluster.RunLook) (*cluster.RunInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	client, found := b.runs.clients[look.Run]
	if !found {
		return nil, cluster.ErrNoRun
	}
	return &cluster.RunInfo{RunID: look.Run.String(), State: "succeeded", ClientID: client}, nil
}

func (b *fakeBroker) AwaitRun(_ context.Context, look *cluster.RunLook) error {
	b.runs.waited <- *look
	b.mu.Lock()
	hold := b.runs.hold
	b.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return nil
}

func (s submission) start() command.StartRun {
	var c command.StartRun
	c.Decode(s.reader())
	return c
}

func (s submission) control() command.ControlRun {
	var c command.ControlRun
	c.Decode(s.reader())
	return c
}

func (s submission) message() command.SendMessage {
	var c command.SendMessage
	c.Decode(s.reader())
	return c
}

// TestHTTPStartRun: a run is begun in the partition of its key, which is the client's
// where none is named.
func TestHTTPStartRun(t *testing.T) { //nolint:revive // A list of what a start may say.
	e := newEdge(t)
	body := e.do(t, e.request("POST", "/v1/runs", `{"workflow":"w","alias":"canary","client_id":"ann","tenant":"acme","headers":{"a":"b"},"data":{"x":1},"on_end":"done"}`,
		"Idempotency-Key", "k1"), 202, "")
	s := e.submission()
	c := s.start()
	contains(t, body, `"run_id":"`)
	if c.Workflow != "w" || c.Alias != "canary" || c.Event.Channel != "" || c.Event.Tenant != "acme" || c.Event.ClientID != "ann" ||
		c.Event.Key != "ann" || c.Event.IdempotencyKey != "k1" || string(c.Event.Payload.Bytes) != `{"x":1}` || string(c.Event.Headers) != `{"a":"b"}` || c.Event.OnEnd != "done" {
		t.Fatalf("%+v", c)
	}
	if slot := command.SlotOf("acme", "ann"); s.prefix.Slot != slot || s.partition != command.PartitionOf(slot, fakePartitions) {
		t.Fatalf("slot %d in partition %d", s.prefix.Slot, s.partition)
	}
	e.do(t, e.request("POST", "/v1/runs", `{"workflow":"w"}`), 202, "")
	if c := e.submission().start(); c.Event.Key == "" || c.Event.Key != c.Event.IdempotencyKey || c.Event.Key[0] != '~' || string(c.Event.Payload.Bytes) != "null" {
		t.Fatalf("%+v", c.Event)
	}
	e.broker.set(func() { e.broker.result = command.Result{Duplicate: true, Event: letterID(1)} })
	contains(t, e.do(t, e.request("POST", "/v1/runs", `{"workflow":"w","key":"k"}`), 200, ""), `"duplicate":true`)
	for _, test := range []struct{ name, path, body string }{
		{"no workflow", "", `{"data":1}`},
		{"no object", "", `[]`},
		{"a misspelt field", "", `{"workflow":"w","clientid":"a"}`},
		{"what holds it back", "", `{"workflow":"w","delay_ms":5}`},
		{"a workflow that is no string", "", `{"workflow":5}`},
		{"two kinds of data", "", `{"workflow":"w","data":1,"data_base64":""}`},
		{"on_end for nobody", "", `{"workflow":"w","on_end":"n"}`},
		{"no time", "?wait=soon", `{"workflow":"w"}`},
		{"too long a time", "?wait=31s", `{"workflow":"w"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.do(t, e.request("POST", "/v1/runs"+test.path, test.body), 400, "bad_request")
		})
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NotFound, Message: "workflow w has no alias"} })
	e.do(t, e.request("POST", "/v1/runs", `{"workflow":"w"}`), 404, "not_found")
}

// TestHTTPRunWaits: a start and a look wait for the end where they are asked to, and show
// the run.
func TestHTTPRunWaits(t *testing.T) {
	e := newEdge(t)
	id := letterID(3)
	e.broker.set(func() {
		e.broker.runs.clients[id] = "ann"
		e.broker.result = command.Result{Event: id, Duplicate: true}
	})
	contains(t, e.do(t, e.request("POST", "/v1/runs?wait=10s", `{"workflow":"w"}`), 200, ""), `"state":"succeeded"`)
	if look := <-e.broker.runs.waited; look.Run != id || look.Tenant != "default" {
		t.Fatalf("%+v", look)
	}
	contains(t, e.get(t, "/v1/runs/"+id.String()+"?wait=1s", 200, ""), `"state":"succeeded"`)
	<-e.broker.runs.waited
	e.get(t, "/v1/runs/"+id.String(), 200, "")
	e.get(t, "/v1/runs/"+id.String()+"?wait=-1s", 400, "bad_request")
	if n := len(e.broker.runs.waited); n != 0 {
		t.Fatalf("%d waited that were not asked to", n)
	}
	e.get(t, "/v1/runs/"+letterID(4).String(), 404, "not_found")
	e.get(t, "/v1/runs/nonsense", 404, "not_found")
}

// TestHTTPListRuns: every filter gets to the cluster, and none that is not known is passed
// over.
func TestHTTPListRuns(t *testing.T) {
	e := newEdge(t)
	contains(t, e.get(t, "/v1/runs", 200, ""), `"cursor":"c"`)
	if want := <-e.broker.runs.asked; want.Tenant != "default" || want.Limit != defaultRuns {
		t.Fatalf("%+v", want)
	}
	e.get(t, "/v1/runs?tenant=acme&workflow=w&version=v&state=incident&client_id=c&correlation_id=i&error_code=e&since=5&until=1970-01-01T00:00:01Z&cursor=c&limit=7", 200, "")
	want := <-e.broker.runs.asked
	if want.Tenant != "acme" || want.Workflow != "w" || want.Version != "v" || want.State != "incident" || want.Client != "c" ||
		want.CorrelationID != "i" || want.ErrorCode != "e" || want.SinceMS != 5 || want.UntilMS != 1000 || want.Cursor != "c" || want.Limit != 7 {
		t.Fatalf("%+v", want)
	}
	for _, query := range []string{"worflow=w", "state=done", "since=yesterday", "since=-1", "limit=0", "limit=x", "cursor=z"} {
		e.get(t, "/v1/runs?"+query, 400, "bad_request")
	}
}

// TestHTTPControlRun: what is asked of a run gets to its partition, and what an action
// would pass over is refused.
func TestHTTPControlRun(t *testing.T) { //nolint:revive // A list of what may be asked.
	e := newEdge(t)
	id := letterID(3)
	path := "/v1/runs/" + id.String() + "/"
	for action, of := range map[string]command.RunAction{
		"cancel": command.RunCancel, "pause": command.RunPause, "resume": command.RunResume, "retry": command.RunRetry,
		"skip": command.RunSkip, "fail": command.RunFail, "redrive": command.RunRedrive, "fork": command.RunFork,
	} {
		e.do(t, e.request("POST", path+action+"?tenant=acme", `{"reason":"why"}`), 200, "")
		if s := e.submission(); s.partition != 3 || s.control().Action != of || s.control().Run != id || s.control().Tenant != "acme" ||
			s.control().Reason != "why" || s.control().ClientID != "" || s.control().Once == "" {
			t.Fatalf("%s: %+v", action, s.control())
		}
	}
	e.do(t, e.request("POST", path+"fork", `{"step":"s","version":"v","data_base64":"/w=="}`, "Idempotency-Key", "k"), 200, "")
	if c := e.submission().control(); c.Step != "s" || c.Code != "v" || string(c.Data.Bytes) != "\xff" || c.Data.Codec != command.CodecBytes || c.Once != "k" {
		t.Fatalf("%+v", c)
	}
	e.do(t, e.request("POST", path+"cancel", `{"no_compensation":true,"code":"c"}`), 200, "")
	if c := e.submission().control(); !c.NoUndo || c.Code != "c" {
		t.Fatalf("%+v", c)
	}
	for action, body := range map[string]string{
		"cancel": `{"data":1}`, "pause": `{"step":"s"}`, "resume": `{"no_compensation":true}`, "retry": `{"version":"v"}`,
		"skip": `{"data":1,"data_base64":""}`, "fail": `{"stp":"s"}`, "redrive": `{"code":"c"}`, "fork": `{"data":1}{}`,
	} {
		e.do(t, e.request("POST", path+action, body), 400, "bad_request")
	}
	e.do(t, e.request("POST", path+"explode", ""), 404, "not_found")
	e.do(t, e.request("POST", "/v1/runs/nonsense/cancel", ""), 404, "not_found")
	e.do(t, e.request("POST", "/v1/runs/"+(command.EventID{Epoch: 1, Partition: 900, Position: 1}).String()+"/cancel", ""), 404, "not_found")
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.BadRequest, Message: "the run has ended"} })
	contains(t, e.do(t, e.request("POST", path+"pause", ""), 400, "bad_request"), "the run has ended")
}

// TestHTTPMessage: a message gets to where those meet it who wait for its name and key.
func TestHTTPMessage(t *testing.T) {
	e := newEdge(t)
	contains(t, e.do(t, e.request("POST", "/v1/messages", `{"name":"approval","key":"k","data":{"approved":true},"id":"m1","ttl_ms":5,"tenant":"acme"}`), 200, ""), `"name":"approval"`)
	s := e.submission()
	c := s.message()
	slot := command.SlotOf("acme", command.MessageKey("approval", "k"))
	if c.Tenant != "acme" || c.Name != "approval" || c.Key != "k" || c.ID != "m1" || c.TTLMS != 5 || string(c.Payload.Bytes) != `{"approved":true}` ||
		s.prefix.Slot != slot || s.partition != command.PartitionOf(slot, fakePartitions) {
		t.Fatalf("%+v in partition %d", c, s.partition)
	}
	e.do(t, e.request("POST", "/v1/messages", `{"name":"n"}`), 200, "")
	if c := e.submission().message(); c.ID == "" || string(c.Payload.Bytes) != "null" {
		t.Fatalf("%+v", c)
	}
	for _, body := range []string{``, `{}`, `{"name":"n","ttl_ms":-1}`, `{"name":"n","nme":1}`, `{"name":"` + strings.Repeat("n", 256) + `"}`} {
		e.do(t, e.request("POST", "/v1/messages", body), 400, "bad_request")
	}
}

// TestSocketCancelsARun: cancel by run.
func TestSocketCancelsARun(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	id := letterID(3)
	c.send(`{"type":"cancel","id":7,"run":"` + id.String() + `","reason":"enough"}`)
	s := e.submission()
	if got := s.control(); s.partition != 3 || got.Run != id || got.Action != command.RunCancel || got.ClientID != "ann" || got.Tenant != "default" ||
		got.Reason != "enough" || got.Once == "" {
		t.Fatalf("%+v", got)
	}
	has(t, c.expect("ok"), "id", 7.0)
}

// TestWhoMaySeeRuns: clients see and cancel their own runs, backends and administrators
// all of the tenant, and others none; what one may not see is not there.
func TestWhoMaySeeRuns(t *testing.T) {
	e, v := newClosedEdge(t)
	add := func(key command.Key) string {
		text, _ := v.add(key)
		return "Bearer " + text
	}
	own, foreign := letterID(1), letterID(2)
	e.broker.set(func() { e.broker.runs.clients[own], e.broker.runs.clients[foreign] = "ana", "bob" })
	ana := add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient, Publish: []string{"$run.ours", "orders"}})
	backend := add(command.Key{Tenant: "acme", ClientID: "*", Roles: command.RoleClient})
	admin := add(command.Key{Tenant: "acme", Roles: command.RoleAdmin})
	worker := add(command.Key{Tenant: "acme", Roles: command.RoleWorker, Publish: []string{"*"}})
	for i, test := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"", "GET", "/v1/runs", "", 401},
		{ana, "GET", "/v1/runs", "", 200},
		{ana, "GET", "/v1/runs?client_id=bob", "", 403},
		{ana, "GET", "/v1/runs?tenant=other", "", 403},
		{ana, "GET", "/v1/runs/" + own.String(), "", 200},
		{ana, "GET", "/v1/runs/" + foreign.String(), "", 404},
		{ana, "GET", "/v1/runs/" + foreign.String() + "?wait=1s", "", 404},
		{backend, "GET", "/v1/runs/" + foreign.String(), "", 200},
		{admin, "GET", "/v1/runs/" + foreign.String(), "", 200},
		{worker, "GET", "/v1/runs/" + own.String(), "", 403},
		{worker, "GET", "/v1/runs", "", 403},
		{worker, "POST", "/v1/runs/" + own.String() + "/cancel", "", 403},
		{ana, "POST", "/v1/runs/" + own.String() + "/cancel", "", 200},
		{ana, "POST", "/v1/runs/" + own.String() + "/pause", "", 403},
		{backend, "POST", "/v1/runs/" + own.String() + "/fork", "", 403},
		{admin, "POST", "/v1/runs/" + own.String() + "/pause", "", 200},
		{ana, "POST", "/v1/runs", `{"workflow":"ours"}`, 202},
		{ana, "POST", "/v1/runs", `{"workflow":"ours","client_id":"bob"}`, 403},
		{ana, "POST", "/v1/runs", `{"workflow":"theirs"}`, 403},
		{ana, "POST", "/v1/runs", `{"workflow":"ours","tenant":"other"}`, 403},
		{admin, "POST", "/v1/runs", `{"workflow":"theirs","client_id":"bob"}`, 202},
		{worker, "POST", "/v1/runs", `{"workflow":"theirs"}`, 202},
		{worker, "POST", "/v1/runs?wait=1s", `{"workflow":"theirs"}`, 403},
		{ana, "POST", "/v1/messages", `{"name":"n"}`, 403},
		{worker, "POST", "/v1/messages", `{"name":"n"}`, 200},
		{worker, "POST", "/v1/messages", `{"name":"n","tenant":"other"}`, 403},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			e.do(t, e.request(test.method, test.path, test.body, "Authorization", test.who), test.status, "")
		})
	}
	if want := <-e.broker.runs.asked; want.Client != "ana" || want.Tenant != "acme" {
		t.Fatalf("a client's list is of %q in %q", want.Client, want.Tenant)
	}
	if len(e.broker.runs.waited) != 0 {
		t.Fatal("somebody waited for another's run")
	}
	if c := e.submission().control(); c.ClientID != "ana" || c.Tenant != "acme" {
		t.Fatalf("%+v", c)
	}
}

// TestJobsOfRuns: the job of a step says which run and step it is of.
func TestJobsOfRuns(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 10)
	run := letterID(3)
	for key, step := range map[string]any{
		run.String() + "/answer/0/0": "answer", "compensate/" + run.String() + "/a/b/1/20": "a/b", "other/answer/0/0": nil,
		run.String() + "/0": nil, run.String(): nil,
	} {
		s.sink.Job(&command.Job{
			Lease: command.LeaseID{Event: letterID(1), Fence: 1}, LeaseMS: 1000, CorrelationID: "co", CausationID: "ca",
			Event: command.Event{Channel: "c", Tenant: "t", Key: "k", IdempotencyKey: key, Task: command.Task{Run: run}},
		})
		job := c.expect("job")
		has(t, job, "run", run.String())
		if job["step"] != step {
			t.Errorf("%s is of step %v", key, job["step"])
		}
	}
}

// TestRunWaitsAreBounded: those that wait for ends of runs are not too many, and take no
// place of those that ask for something else.
func TestRunWaitsAreBounded(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxRunWaits, c.Limits.MaxHTTPRequests = 1, 1 })
	id := letterID(3)
	e.broker.set(func() {
		e.broker.runs.clients[id] = "ann"
		e.broker.runs.hold = make(chan struct{})
	})
	path := "/v1/runs/" + id.String()
	answered := make(chan string)
	go func() { answered <- e.get(t, path+"?wait=5s", 200, "") }()
	<-e.broker.runs.waited
	e.get(t, path+"?wait=5s", 503, "overloaded")
	e.get(t, path, 200, "")
	if n := e.refusals(limitRunWaits); n != 1 {
		t.Errorf("%d refusals are counted", n)
	}
	close(e.broker.runs.hold)
	contains(t, <-answered, `"state":"succeeded"`)
}
