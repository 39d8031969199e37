//go:build unix

package fleet

import (
	"syscall"
	"testing"
)

// Pause stops a process where it stands.
func Pause(t *testing.T, p *Process) {
	t.Helper()
	signal(t, p, syscall.SIGSTOP)
}

// Resume has a process go on that was paused.
func Resume(t *testing.T, p *Process) {
	t.Helper()
	signal(t, p, syscall.SIGCONT)
}

func signal(t *testing.T, p *Process, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
