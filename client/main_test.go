package client

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs every test in each encoding, and finds goroutines that nobody
// waited for.
func TestMain(m *testing.M) { goleak.VerifyTestMain(everyEncoding{m}) }

// spoken is the encoding that the tests' clients ask for.
var spoken = JSON

type everyEncoding struct{ tests *testing.M }

func (e everyEncoding) Run() (code int) {
	for _, spoken = range []Encoding{JSON, Binary} {
		if code = e.tests.Run(); code != 0 {
			break
		}
	}
	return code
}
