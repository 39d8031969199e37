package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeWorkflows are those of a fake cluster, by tenant and name.
type fakeWorkflows struct {
	all     map[[2]string]*cluster.Workflow
	kept    map[[3]string]*cluster.KeptDefinition
	changes uint64
	// rivals is how often somebody else changes a workflow first; live has versions that
	// runs need.
	rivals int
	live   map[string]bool
}

func (b *fakeBroker) Workflows(_ context.Context, tenant, after string, limit int) (found []cluster.WorkflowSummary, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, w := range b.workflows.all {
		if key[0] == tenant && key[1] > after {
			found = append(found, cluster.WorkflowSummary{Name: w.Name, Aliases: w.Aliases, Versions: len(w.Versions)})
		}
	}
	slices.SortFunc(found, func(a, b cluster.WorkflowSummary) int { return strings.Compare(a.Name, b.Name) })
	return found[:min(limit, len(found))], nil
}

func (b *fakeBroker) Workflow(_ context.Context, tenant, name string) (*cluster.Workflow, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.workflows.all[[2]string{tenant, name}]
	if w == nil {
		return nil, cluster.ErrNoWorkflow
	}
	found := *w
	return &found, nil
}

func (b *fakeBroker) Definition(_ context.Context, tenant, name, version string) (*cluster.KeptDefinition, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept := b.workflows.kept[[3]string{tenant, name, version}]; kept != nil {
		return kept, nil
	}
	return nil, cluster.ErrNoWorkflow
}

func (b *fakeBroker) PutWorkflow(_ context.Context, put *command.PutWorkflow) (created bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := &b.workflows
	if all.all == nil {
		all.all, all.kept = make(map[[2]string]*cluster.Workflow), make(map[[3]string]*cluster.KeptDefinition)
	}
	w := all.all[[2]string{put.Tenant, put.Name}]
	if w == nil {
		w = &cluster.Workflow{Name: put.Name}
		all.all[[2]string{put.Tenant, put.Name}] = w
	}
	key := [3]string{put.Tenant, put.Name, put.Version}
	if created = all.kept[key] == nil; created {
		w.Versions = append(w.Versions, cluster.WorkflowVersion{Version: put.Version, CreatedMS: 77})
	}
	all.kept[key] = &cluster.KeptDefinition{Canonical: put.Canonical, Source: put.Source, On: put.On}
	if put.Alias != "" {
		all.move(w, put.Alias, []command.WorkflowTarget{{Version: put.Version, Share: command.WholeShare}})
	}
	return created, nil
}

func (all *fakeWorkflows) move(w *cluster.Workflow, alias string, targets []command.WorkflowTarget) {
	all.changes++
	w.Count = all.changes
	w.Aliases = slices.DeleteFunc(slices.Clone(w.Aliases), func(a command.WorkflowAlias) bool { return a.Alias == alias })
	if len(targets) > 0 {
		w.Aliases = append(w.Aliases, command.WorkflowAlias{Alias: alias, Targets: targets})
	}
}

func (b *fakeBroker) SetAlias(_ context.Context, set *command.SetAlias) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.workflows.all[[2]string{set.Tenant, set.Name}]
	if w == nil {
		return &cluster.RefusedError{Result: command.Result{Reason: command.NotFound, Message: "there is no workflow " + set.Name}}
	}
	if b.workflows.rivals > 0 {
		b.workflows.rivals--
		b.workflows.move(w, "rival", nil)
	}
	if set.Expect != 0 && set.Expect != w.Count {
		return &cluster.RefusedError{Result: command.Result{Reason: command.Sequence, Message: "others were first"}}
	}
	b.workflows.move(w, set.Alias, set.Targets)
	return nil
}

func (b *fakeBroker) RemoveWorkflow(_ context.Context, tenant, name, version string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.workflows.live[version] {
		return &cluster.RefusedError{Result: command.Result{Reason: command.Sequence, Message: "3 runs are live"}}
	}
	delete(b.workflows.kept, [3]string{tenant, name, version})
	w := b.workflows.all[[2]string{tenant, name}]
	w.Versions = slices.DeleteFunc(w.Versions, func(v cluster.WorkflowVersion) bool { return v.Version == version })
	return nil
}

func greet(channel string) string {
	return "# Says hello.\nworkflow: greet\nsteps:\n  hello: {channel: " + channel + ", end: true}\n"
}

// applied applies a definition, and returns its version.
func (e *edge) applied(t *testing.T, query, definition string) string {
	t.Helper()
	body := e.do(t, e.request("PUT", "/v1/workflows"+query, definition), 200, "")
	var answer struct{ Version string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Version) != versionDigits {
		t.Fatalf("%v in %s", err, body)
	}
	return answer.Version
}

// TestHTTPWorkflows applies definitions, with an alias, a canary and none, shows them as
// they were written, and removes one.
func TestHTTPWorkflows(t *testing.T) {
	e := newEdge(t)
	contains(t, e.get(t, "/v1/workflows", 200, ""), `{"workflows":[]}`)
	dry := e.do(t, e.request("PUT", "/v1/workflows?dry_run=1", greet("a")), 200, "")
	containsAll(t, dry, `"workflow":"greet"`, `"created":true`, `"aliases":[]`)
	e.get(t, "/v1/workflows/greet", 404, "not_found")
	first := e.applied(t, "", greet("a"))
	contains(t, e.do(t, e.request("PUT", "/v1/workflows?dry_run=1", greet("a")), 200, ""), `"created":false`)
	containsAll(t, e.get(t, "/v1/workflows", 200, ""), `{"workflow":"greet","aliases":[{"alias":"prod","targets":[{"version":"`+first, `"version_count":1`)
	e.broker.workflows.rivals = 2
	second := e.applied(t, "?canary=12.5", greet("b"))
	containsAll(t, e.get(t, "/v1/workflows/greet", 200, ""),
		`{"version":"`+second+`","share":12.5}`, `{"version":"`+first+`","share":87.5}`, `"created_at":77`)
	e.broker.workflows.rivals = settingsTries
	e.do(t, e.request("PUT", "/v1/workflows?canary=20", greet("b")), 409, "sequence")
	third := e.applied(t, "?alias=", greet("c"))
	containsAll(t, e.get(t, "/v1/workflows/greet/versions/"+third[:6], 200, ""),
		`"version":"`+third+`"`, `"definition":{`, `"source":"# Says hello.\nworkflow: greet`)
	alias := `{"targets":[{"version":"` + first[:8] + `","share":99.99},{"version":"` + third + `","share":0.01}]}`
	contains(t, e.do(t, e.request("PUT", "/v1/workflows/greet/aliases/next", alias), 200, ""), `{"version":"`+third+`","share":0.01}`)
	if body := e.do(t, e.request("DELETE", "/v1/workflows/greet/aliases/next", ""), 200, ""); strings.Contains(body, "next") {
		t.Errorf("the alias is there still: %s", body)
	}
	e.broker.workflows.live = map[string]bool{first: true}
	contains(t, e.do(t, e.request("DELETE", "/v1/workflows/greet/versions/"+first, ""), 409, "sequence"), "3 runs are live")
	contains(t, e.do(t, e.request("DELETE", "/v1/workflows/greet/versions/"+third[:8], ""), 200, ""), third)
	e.get(t, "/v1/workflows/greet/versions/"+third, 404, "not_found")
}

// TestHTTPWorkflowPages: a cursor leads through all workflows of the tenant.
func TestHTTPWorkflowPages(t *testing.T) {
	e := newEdge(t)
	for i := range 3 {
		e.applied(t, "", strings.Replace(greet("a"), "greet", fmt.Sprint("greet", i), 1))
	}
	contains(t, e.get(t, "/v1/workflows?limit=2", 200, ""), `"cursor":"greet1"`)
	body := e.get(t, "/v1/workflows?limit=2&cursor=greet1", 200, "")
	if contains(t, body, "greet2"); strings.Contains(body, "cursor") || strings.Contains(body, "greet1") {
		t.Errorf("the last page is %s", body)
	}
}

// TestHTTPWorkflowsThatAreWrong: a mistake in a definition is told with its place, all at
// once, and one in the request before anything is changed.
func TestHTTPWorkflowsThatAreWrong(t *testing.T) {
	e := newEdge(t)
	body := e.do(t, e.request("PUT", "/v1/workflows", "workflow: greet\nsteps:\n  hello: {channel: a, next: nowhere}\n"), 422, "")
	containsAll(t, body, `"problems":[{"line":3,"column":`, `"path":"steps.hello.next"`, `"status":422`, `"code":400`)
	for path, says := range map[string]string{
		"?canary=0": "above 0", "?canary=101": "above 0", "?canary=1.234": "two decimals", "?canary=x": "a number", "?canary=NaN": "above 0",
		"?alias=&canary=1": "needs an alias", "?dry_run=maybe": "1 or 0", "?cannary=1": "not cannary",
	} {
		contains(t, e.do(t, e.request("PUT", "/v1/workflows"+path, greet("a")), 400, "bad_request"), says)
	}
	contains(t, e.do(t, e.request("PUT", "/v1/workflows", greet("a"), "Content-Type", "application/json"), 400, "bad_request"), "not JSON")
	e.do(t, e.request("PUT", "/v1/workflows", greet("a"), "Content-Type", "image/png"), 400, "bad_request")
	e.do(t, e.request("PUT", "/v1/workflows", strings.Repeat("#", 300_000)), 413, "too_large")
	e.get(t, "/v1/workflows/greet", 404, "not_found")
	version := e.applied(t, "", greet("a"))
	for body, says := range map[string]string{
		`{}`: "targets must be", `{"targets":[{"version":"abc","share":1}]}`: "6 to 32",
		`{"targets":[{"version":"` + version + `","share":0}]}`: "above 0", `{"target":1}`: "cannot be read",
	} {
		contains(t, e.do(t, e.request("PUT", "/v1/workflows/greet/aliases/x", body), 400, "bad_request"), says)
	}
	e.do(t, e.request("PUT", "/v1/workflows/greet/aliases/x", `{"targets":[{"version":"000000","share":100}]}`), 404, "not_found")
	e.get(t, "/v1/workflows?limit=0", 400, "bad_request")
	e.get(t, "/v1/workflows/greet/versions/xyzxyz", 400, "bad_request")
}

// TestAmbiguousVersions: digits that several versions begin with name none of them.
func TestAmbiguousVersions(t *testing.T) {
	e := newEdge(t)
	for _, end := range []string{"a", "b"} {
		put := command.PutWorkflow{Tenant: "default", Name: "greet", Version: strings.Repeat("c", 31) + end, Canonical: []byte("{}")}
		if _, err := e.broker.PutWorkflow(t.Context(), &put); err != nil {
			t.Fatal(err)
		}
	}
	contains(t, e.get(t, "/v1/workflows/greet/versions/cccccc", 400, "bad_request"), "2 versions begin with cccccc")
	e.get(t, "/v1/workflows/greet/versions/"+strings.Repeat("c", 31)+"b", 200, "")
}

// TestCanaryShares: the others keep what is left in the proportion that they had, and all
// of it comes to the whole.
func TestCanaryShares(t *testing.T) {
	for _, test := range []struct {
		have  string
		share uint32
		want  string
	}{
		{"", 100, "n:10000"},
		{"n:10000", 100, "n:10000"},
		{"a:10000", 1000, "n:1000 a:9000"},
		{"n:1000 a:9000", 2500, "n:2500 a:7500"},
		{"a:3333 b:3333 c:3334", 100, "n:100 a:3299 b:3300 c:3301"},
		{"a:1 b:9999", 5000, "n:5000 b:5000"},
		{"a:10000", 10000, "n:10000"},
	} {
		var have []command.WorkflowTarget
		for word := range strings.FieldsSeq(test.have) {
			var target command.WorkflowTarget
			if _, err := fmt.Sscanf(strings.Replace(word, ":", " ", 1), "%s %d", &target.Version, &target.Share); err != nil {
				t.Fatal(err)
			}
			have = append(have, target)
		}
		var got []string
		for _, target := range withCanary(have, "n", test.share) {
			got = append(got, fmt.Sprintf("%s:%d", target.Version, target.Share))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q with %d: %q, want %s", test.have, test.share, got, test.want)
		}
	}
}

// TestWorkflowsOfOthers: a token for one tenant sees nothing of another's workflows and
// changes nothing of them, whatever tenant it asks for; one without the role admin none.
func TestWorkflowsOfOthers(t *testing.T) {
	e, v := newClosedEdge(t)
	token := func(k command.Key) []string {
		text, _ := v.add(k)
		return []string{"Authorization", "Bearer " + text}
	}
	acme, other := token(command.Key{Tenant: "acme", Roles: command.RoleAdmin}), token(command.Key{Tenant: "other", Roles: command.RoleAdmin})
	worker := token(command.Key{Tenant: "acme", Roles: command.RoleWorker, Work: []string{"*"}})
	ask := func(method, path, body string, as []string, status int) string {
		t.Helper()
		return e.do(t, e.request(method, "/v1/workflows"+path, body, as...), status, "")
	}
	body := ask("PUT", "", greet("a"), acme, 200)
	version := body[strings.Index(body, `"version":"`)+len(`"version":"`):][:versionDigits]
	contains(t, ask("GET", "", "", other, 200), `{"workflows":[]}`)
	alias := `{"targets":[{"version":"` + version + `","share":100}]}`
	for _, request := range [][3]string{
		{"GET", "/greet", ""},
		{"GET", "/greet/versions/" + version, ""},
		{"DELETE", "/greet/versions/" + version, ""},
		{"PUT", "/greet/aliases/prod", alias},
		{"DELETE", "/greet/aliases/prod", ""},
	} {
		ask(request[0], request[1], request[2], other, 404)
		ask(request[0], request[1]+"?tenant=acme", request[2], other, 403)
		ask(request[0], request[1], request[2], worker, 403)
	}
	ask("PUT", "?tenant=acme", greet("b"), other, 403)
	ask("PUT", "", greet("b"), other, 200)
	contains(t, ask("GET", "/greet", "", acme, 200), `"version_count":1`)
	ask("GET", "/greet/versions/"+version, "", acme, 200)
}
