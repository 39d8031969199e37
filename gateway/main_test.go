package gateway

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/batonmq/baton/transport/wire"
)

// TestMain runs every test in each encoding and with each poller there is, and fails
// when one leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(everyWay{m}) }

// spoken is the encoding that the tests' clients ask for, and testPoller the poller of
// the gateways that tests make without naming one. Only TestMain changes them.
var (
	spoken     = wire.JSON
	testPoller = PollerGoroutine
)

type everyWay struct{ tests *testing.M }

// Run is once for each way: what a poller does to bytes does not depend on what they
// say, so not all pairs are run. To fuzz and to measure it is once in all.
func (e everyWay) Run() (code int) {
	flag.Parse()
	ways := []struct {
		encoding wire.Encoding
		poller   Poller
	}{{wire.JSON, PollerGoroutine}, {wire.Binary, PollerEpoll}, {wire.JSON, PollerEpoll}}
	if !hasEpoll {
		ways[1].poller, ways = PollerGoroutine, ways[:2]
	}
	for _, way := range ways {
		spoken, testPoller = way.encoding, way.poller
		code = e.tests.Run()
		if code != 0 || chosen("test.bench") || chosen("test.fuzz") || chosen("test.list") {
			break
		}
	}
	return code
}

func chosen(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != ""
}
