package process

import (
	"os"
	"os/exec"
	"testing"
)

// process is a program that the test started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// startProcess runs the binary. What it prints goes to a file, behind what was
// there. It is killed with the test.
func startProcess(t *testing.T, output string, args ...string) *process {
	t.Helper()
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = childAttributes()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // It is killed, so it ends with an error.
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it without a warning, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // It may have ended.
	<-p.done
}

// alive tells whether it has not ended.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// showTail logs the end of a file when the test has failed.
func showTail(t *testing.T, path string) {
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
