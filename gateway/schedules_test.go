package gateway

import (
	"context"
	"strings"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeSchedules are the schedules of a fake cluster: one, daily.
type fakeSchedules struct{ asked chan cluster.ScheduleQuery }

func newFakeSchedules() fakeSchedules { return fakeSchedules{make(chan cluster.ScheduleQuery, 100)} }

func (b *fakeBroker) Schedules(_ context.Context, want *cluster.ScheduleQuery) (*cluster.SchedulesPage, error) {
	b.schedules.asked <- *want
	return &cluster.SchedulesPage{Schedules: []cluster.ScheduleInfo{{ID: "daily"}}, Cursor: "daily"}, nil
}

func (b *fakeBroker) Schedule(_ context.Context, tenant, id string) (*cluster.ScheduleInfo, error) {
	if id != "daily" {
		return nil, cluster.ErrNoSchedule
	}
	return &cluster.ScheduleInfo{ID: id, Workflow: "of " + tenant}, nil
}

func (s submission) put() command.PutSchedule {
	var c command.PutSchedule
	c.Decode(s.reader())
	return c
}

func (s submission) askOfSchedule() command.ControlSchedule {
	var c command.ControlSchedule
	c.Decode(s.reader())
	return c
}

// TestHTTPPutSchedule: all that a schedule says gets to the partition where it lives.
func TestHTTPPutSchedule(t *testing.T) {
	e := newEdge(t)
	body := e.do(t, e.request("PUT", "/v1/schedules/daily?tenant=acme", `{"workflow":"w","alias":"canary","spec":"0 9 * * *","timezone":"Europe/Berlin",
		"overlap":"allow","catch_up_ms":60000,"jitter_ms":5,"start_at":6,"end_at":7,"max_runs":8,"client_id":"ana","key":"k","data":{"x":1},
		"paused":true,"note":"not yet"}`), 200, "")
	contains(t, body, `"workflow":"of acme"`)
	s := e.submission()
	want := command.Schedule{
		Workflow: "w", Alias: "canary", Input: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"x":1}`)}, ClientID: "ana", Key: "k",
		Spec: "0 9 * * *", Timezone: "Europe/Berlin", Overlap: command.OverlapAllow, CatchUpMS: 60000, JitterMS: 5, StartMS: 6, EndMS: 7, MaxRuns: 8,
	}
	got := s.put()
	if string(command.AppendSchedule(nil, &got.Schedule)) != string(command.AppendSchedule(nil, &want)) || got.Tenant != "acme" || got.ID != "daily" ||
		!got.Pause || got.Note != "not yet" {
		t.Fatalf("%+v", got)
	}
	if slot := command.SlotOf("acme", command.ScheduleKey("daily")); s.prefix.Slot != slot || s.partition != command.PartitionOf(slot, fakePartitions) {
		t.Fatalf("slot %d in partition %d", s.prefix.Slot, s.partition)
	}
	e.do(t, e.request("PUT", "/v1/schedules/daily", `{"workflow":"w","spec":"@daily"}`), 200, "")
	if c := e.submission().put(); c.Tenant != "default" || c.Pause || c.Schedule.Overlap != 0 || string(c.Schedule.Input.Bytes) != "null" {
		t.Fatalf("%+v", c)
	}
	for _, body := range []string{
		``, `{}`, `{"workflow":"w"}`, `{"spec":"@daily"}`, `{"workflow":"w","spec":"@daily","cron":"x"}`, `{"workflow":"w","spec":"@daily","overlap":"often"}`,
		`{"workflow":"w","spec":"@daily","note":"but not paused"}`, `{"workflow":"w","spec":"@daily","max_runs":-1}`,
		`{"workflow":"w","spec":"@daily","data":1,"data_base64":""}`,
	} {
		e.do(t, e.request("PUT", "/v1/schedules/daily", body), 400, "bad_request")
	}
	e.do(t, e.request("PUT", "/v1/schedules/a%20b", `{"workflow":"w","spec":"@daily"}`), 400, "bad_request")
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.BadRequest, Message: "not a schedule"} })
	contains(t, e.do(t, e.request("PUT", "/v1/schedules/daily", `{"workflow":"w","spec":"x"}`), 400, "bad_request"), "not a schedule")
}

// TestHTTPAskOfSchedule: what is asked of a schedule gets to it, and what an action would
// pass over is refused.
func TestHTTPAskOfSchedule(t *testing.T) {
	e := newEdge(t)
	const path = "/v1/schedules/daily"
	contains(t, e.do(t, e.request("POST", path+"/pause?tenant=acme", `{"note":"why"}`), 200, ""), `"schedule_id":"daily"`)
	if c := e.submission().askOfSchedule(); c.Action != command.SchedulePause || c.Note != "why" || c.Tenant != "acme" || c.ID != "daily" {
		t.Fatalf("%+v", c)
	}
	e.do(t, e.request("POST", path+"/resume", ``), 200, "")
	if c := e.submission().askOfSchedule(); c.Action != command.ScheduleResume {
		t.Fatalf("%+v", c)
	}
	e.broker.set(func() { e.broker.result = command.Result{Event: letterID(3)} })
	contains(t, e.do(t, e.request("POST", path+"/trigger", `{"overlap":"cancel"}`, "Idempotency-Key", "k"), 200, ""), `"run_id":"`+letterID(3).String())
	if c := e.submission().askOfSchedule(); c.Action != command.ScheduleTrigger || c.Overlap != command.OverlapCancel || c.Once != "k" {
		t.Fatalf("%+v", c)
	}
	e.broker.set(func() { e.broker.result = command.Result{} })
	if body := e.do(t, e.request("POST", path+"/trigger", ``), 200, ""); strings.Contains(body, "run_id") {
		t.Fatalf("a run that has not begun: %s", body)
	}
	if c := e.submission().askOfSchedule(); c.Once == "" {
		t.Fatal("a trigger that is sent again would begin two runs")
	}
	for action, body := range map[string]string{
		"pause": `{"overlap":"skip"}`, "resume": `{"note":"x"}`, "trigger": `{"overlap":"x"}`,
	} {
		e.do(t, e.request("POST", path+"/"+action, body), 400, "bad_request")
	}
	contains(t, e.do(t, e.request("DELETE", path, ""), 200, ""), `"schedule_id":"daily"`)
	if s := e.submission(); s.prefix.Kind != command.KindDeleteSchedule {
		t.Fatalf("%v", s.prefix.Kind)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NotFound, Message: "no such schedule"} })
	for _, of := range [][2]string{{"DELETE", path}, {"POST", path + "/trigger"}, {"POST", path + "/pause"}} {
		e.do(t, e.request(of[0], of[1], ""), 404, "not_found")
	}
}

// TestHTTPListSchedules: filters get to the cluster, and none that is not known is passed
// over.
func TestHTTPListSchedules(t *testing.T) {
	e := newEdge(t)
	contains(t, e.get(t, "/v1/schedules", 200, ""), `"cursor":"daily"`)
	if want := <-e.broker.schedules.asked; want != (cluster.ScheduleQuery{Tenant: "default", Limit: defaultSchedules}) {
		t.Fatalf("%+v", want)
	}
	e.get(t, "/v1/schedules?tenant=acme&workflow=w&cursor=a&limit=7", 200, "")
	if want := <-e.broker.schedules.asked; want != (cluster.ScheduleQuery{Tenant: "acme", Workflow: "w", After: "a", Limit: 7}) {
		t.Fatalf("%+v", want)
	}
	for _, query := range []string{"state=active", "limit=0", "limit=x"} {
		e.get(t, "/v1/schedules?"+query, 400, "bad_request")
	}
	contains(t, e.get(t, "/v1/schedules/daily", 200, ""), `"schedule_id":"daily"`)
	e.get(t, "/v1/schedules/weekly", 404, "not_found")
}

// TestWhoMayUseSchedules: administrators, in their tenant.
func TestWhoMayUseSchedules(t *testing.T) {
	e, v := newClosedEdge(t)
	admin, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleAdmin})
	client, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient | command.RoleWorker, Publish: []string{"*"}})
	for _, of := range [][3]string{
		{"GET", "/v1/schedules"},
		{"GET", "/v1/schedules/daily"},
		{"DELETE", "/v1/schedules/daily"},
		{"PUT", "/v1/schedules/daily", `{"workflow":"w","spec":"@daily"}`},
		{"POST", "/v1/schedules/daily/pause"},
		{"POST", "/v1/schedules/daily/resume"},
		{"POST", "/v1/schedules/daily/trigger"},
	} {
		e.do(t, e.request(of[0], of[1], of[2]), 401, "")
		e.do(t, e.request(of[0], of[1], of[2], "Authorization", "Bearer "+client), 403, "")
		e.do(t, e.request(of[0], of[1], of[2], "Authorization", "Bearer "+admin), 200, "")
		e.do(t, e.request(of[0], of[1]+"?tenant=other", of[2], "Authorization", "Bearer "+admin), 403, "")
	}
}
