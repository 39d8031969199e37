package gateway

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/batonmq/baton/transport/wire"
)

// TestMain runs every test in each encoding, and fails when one leaves a goroutine
// behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(everyEncoding{m}) }

// spoken is the encoding that the tests' clients ask for.
var spoken = wire.JSON

type everyEncoding struct{ tests *testing.M }

// Run is once for JSON and once for Binary, or once in all to fuzz and to measure.
func (e everyEncoding) Run() (code int) {
	for _, spoken = range []wire.Encoding{wire.JSON, wire.Binary} {
		code = e.tests.Run()
		if code != 0 || flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.bench").Value.String() != "" {
			break
		}
	}
	return code
}
