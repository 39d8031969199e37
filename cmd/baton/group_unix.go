//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes a command the head of a process group, so that its children
// can be killed with it, and so that Ctrl-C in a terminal reaches only us.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = groupAttributes() }

// killGroup kills a command and all its children.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
