package main

import "syscall"

// groupAttributes also has the command killed when this process dies without a
// word.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
