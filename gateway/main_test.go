package gateway

import (
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

func (e everyEncoding) Run() (code int) {
	for _, spoken = range []wire.Encoding{wire.JSON, wire.Binary} {
		if code = e.tests.Run(); code != 0 {
			break
		}
	}
	return code
}
