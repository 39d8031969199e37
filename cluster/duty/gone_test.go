package duty

import (
	"testing"
	"time"

	"github.com/batonmq/baton/fsm"
)

// TestWatchedClients: only a client that was there can go, and one that comes back in time
// has not gone.
func TestWatchedClients(t *testing.T) {
	var w watch
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	w.learn([]fsm.BoundClient{{Tenant: "t", ClientID: "ana"}})
	key := streamKey{"t", "ana"}
	for i, step := range []struct {
		second    int
		connected bool
		gone      bool
	}{
		{0, false, false}, {60, false, false}, // It never was there.
		{61, true, false}, {62, false, false}, {71, false, false}, {71, true, false}, // It came back.
		{80, false, false}, {90, false, true}, {200, false, false}, // It is told once.
		{201, true, false}, {202, false, false}, {212, false, true},
	} {
		if gone := w.clients[key].look(step.connected, at(step.second)); gone != step.gone {
			t.Errorf("step %d at %d s: gone is %v", i, step.second, gone)
		}
	}
	w.learn([]fsm.BoundClient{{Tenant: "t", ClientID: "ana", Gone: true}})
	if len(w.clients) != 0 {
		t.Error("a client without such runs is still watched")
	}
}
