//go:build !unix

package fleet

import "testing"

// Pause skips the test: there is no pausing of processes here.
func Pause(t *testing.T, _ *Process) {
	t.Helper()
	t.Skip("there is no pausing of processes")
}

// Resume has a process go on that was paused.
func Resume(t *testing.T, _ *Process) {
	t.Helper()
	t.Skip("there is no pausing of processes")
}
