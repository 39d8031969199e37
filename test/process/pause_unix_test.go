//go:build unix

package process

import (
	"syscall"
	"testing"
)

// pause stops a process where it stands, resume has it go on.
func pause(t *testing.T, p *process) {
	t.Helper()
	signal(t, p, syscall.SIGSTOP)
}

func resume(t *testing.T, p *process) {
	t.Helper()
	signal(t, p, syscall.SIGCONT)
}

func signal(t *testing.T, p *process, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
