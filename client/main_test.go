package client

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs every test in each encoding, and finds goroutines that nobody
// waited for.
func TestMain(m *testing.M) { goleak.VerifyTestMain(everyEncoding{m}) }

// spoken is the encoding that the tests' clients ask for.
var spoken = JSON

type everyEncoding struct{ tests *testing.M }

// Run is once for JSON and once for Binary, or once in all to fuzz and to measure.
func (e everyEncoding) Run() (code int) {
	for _, spoken = range []Encoding{JSON, Binary} {
		code = e.tests.Run()
		if code != 0 || flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.bench").Value.String() != "" {
			break
		}
	}
	return code
}
