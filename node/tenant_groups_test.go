package node_test

import (
	"strings"
	"testing"
)

// TestATenantMakesNoGroups: a group holds up the events of all tenants, so a worker of
// one works in those that an administrator of all has made.
func TestATenantMakesNoGroups(t *testing.T) {
	n := startOne(t, withAdmin(t))
	acme, _ := theirs(t, n, "acme")
	worker := acme.open("")
	const subscribe = `{"type":"subscribe","id":8,"channel":"plain","group":"audit","from":"earliest","credit":1}`
	for range 2 {
		if answer := worker.ask(subscribe); !strings.Contains(answer, `"forbidden"`) || !strings.Contains(answer, "baton channel set") {
			t.Fatalf("a tenant's new group: %s", answer)
		}
	}
	everywhere := &asker{t, n.ClientURL(), adminKey}
	const path = "/v1/channels/plain?tenant=acme"
	if answer := everywhere.ask("GET", path, ""); strings.Contains(answer, "audit") {
		t.Fatalf("what was refused is there: %s", answer)
	}
	if answer := everywhere.ask("PATCH", "/v1/channels/plain", `{"groups":{"audit":"earliest"}}`); !strings.HasPrefix(answer, "200 ") {
		t.Fatal(answer)
	}
	worker.send(subscribe)
	if m := worker.next(); m["type"] != "ok" {
		t.Fatalf("a group that exists: %v", m)
	}
	if m := worker.next(); m["type"] != "job" || m["group"] != "audit" {
		t.Fatalf("no job of the group but %v", m)
	}
}
