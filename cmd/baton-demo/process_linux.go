package main

import "syscall"

// childAttributes keeps Ctrl-C in a terminal from the children, which are told
// by us, and has them killed when this process dies without a word.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
