//go:build !unix

package process

import "testing"

func pause(t *testing.T, _ *process) {
	t.Helper()
	t.Skip("there is no pausing of processes")
}

func resume(t *testing.T, _ *process) {
	t.Helper()
	t.Skip("there is no pausing of processes")
}
