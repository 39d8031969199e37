package tokens

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants no goroutine left behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
