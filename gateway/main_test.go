package gateway

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(&everyPoller{m}) }

// testPoller is the poller of the gateways that tests make without naming one. Only
// TestMain changes it.
var testPoller = PollerGoroutine

// everyPoller runs the tests with each poller there is, in turn. Benchmarks and
// fuzzing run once.
type everyPoller struct{ m *testing.M }

func (e *everyPoller) Run() int {
	flag.Parse()
	if code := e.m.Run(); code != 0 || !hasEpoll || chosen("test.bench") || chosen("test.fuzz") || chosen("test.list") {
		return code
	}
	testPoller = PollerEpoll
	return e.m.Run()
}

func chosen(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != ""
}
