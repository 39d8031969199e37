package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopGrace is how long a child may take to end after SIGTERM.
const stopGrace = 8 * time.Second

// process is a child: a node or a worker.
type process struct {
	name string
	log  string // file of its standard error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// startProcess runs a program with its standard output in out and its standard
// error in a file of the directory.
func startProcess(directory, name string, out io.Writer, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(directory, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(program, args...) //nolint:gosec,noctx // our own programs; stopped by stop, not by a context
	p.cmd.Stderr = log
	p.cmd.Stdout = out
	if out == nil {
		p.cmd.Stdout = log
	}
	p.cmd.SysProcAttr = childAttributes()
	if err = p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends it without a word, as kill -9 does, and waits until it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// stopAll asks all to end, and kills those that do not within the grace.
func stopAll(processes []*process) {
	for _, p := range processes {
		if p.alive() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for _, p := range processes {
		select {
		case <-p.done:
		case <-grace.C:
			for _, late := range processes {
				_ = late.kill()
			}
			return
		}
	}
}

// tail is the end of a process's log.
func (p *process) tail() string {
	const most = 2000
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-most):])
}
