package fleet

import (
	"os"
	"os/exec"
	"testing"
)

// Process is a program that the test started.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// StartProcess runs a program. What it prints goes to a file, behind what was
// there. It is killed with the test.
func StartProcess(t *testing.T, output, program string, args ...string) *Process {
	t.Helper()
	p, err := start(output, program, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func start(output, program string, args []string) (*Process, error) {
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	p := &Process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // It is killed, so it ends with an error.
	}()
	return p, nil
}

// Kill ends it without a warning, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // It may have ended.
	<-p.done
}

// Alive tells whether it has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ShowTail logs the end of a file when the test has failed.
func ShowTail(t *testing.T, path string) {
	t.Helper()
	const most = 4000
	if !t.Failed() {
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Log(err)
		return
	}
	t.Logf("the end of %s:\n%s", path, content[max(0, len(content)-most):])
}
