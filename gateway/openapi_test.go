package gateway

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// document is what is looked at of the OpenAPI document.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components map[string]map[string]any
}

type operation struct {
	Summary    string
	Parameters []struct{ Name, In string }
	Responses  map[string]any
}

// TestOpenAPI: the document that is served names every route and no other, each
// parameter of a path, and nothing that it does not define.
func TestOpenAPI(t *testing.T) {
	e := newEdge(t)
	body := e.get(t, "/openapi.json", 200, "")
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil || d.OpenAPI != "3.1.0" {
		t.Fatalf("%v, %s", err, d.OpenAPI)
	}
	var described, served []string
	for path, operations := range d.Paths {
		for method, o := range operations {
			described = append(described, strings.ToUpper(method)+" "+path)
			checkOperation(t, path, &o)
		}
	}
	for _, pattern := range e.gateway.routes().patterns {
		// A route without a method is for what is not there.
		if method, path, ok := strings.Cut(pattern, " "); ok {
			served = append(served, method+" "+strings.Replace(path, "{$}", "", 1))
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described\n  %s\nserved\n  %s", strings.Join(described, "\n  "), strings.Join(served, "\n  "))
	}
	for _, rest := range strings.Split(body, `"$ref": "#/components/`)[1:] {
		kind, name, _ := strings.Cut(rest[:strings.IndexByte(rest, '"')], "/")
		if d.Components[kind][name] == nil {
			t.Errorf("there is no %s/%s", kind, name)
		}
	}
}

func checkOperation(t *testing.T, path string, o *operation) {
	t.Helper()
	if o.Summary == "" || len(o.Responses) == 0 {
		t.Errorf("%s has no summary or no responses: %v", path, slices.Collect(maps.Keys(o.Responses)))
	}
	for _, part := range strings.Split(path, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		if !slices.ContainsFunc(o.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "path" }) {
			t.Errorf("%s does not describe %s", path, name)
		}
	}
}
