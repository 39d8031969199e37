package gateway

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDocuments holds what is served to the official schemas of OpenAPI 3.1 and
// AsyncAPI 3.0.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Node")
	}
	node := needNode(t, "testdata/documents")
	e := newEdge(t)
	for _, kind := range []string{"openapi", "asyncapi"} {
		check := exec.CommandContext(t.Context(), node, "testdata/documents/check.mjs", kind)
		check.Stdin = strings.NewReader(e.get(t, "/"+kind+".json", 200, ""))
		if output, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, output)
		}
	}
}
