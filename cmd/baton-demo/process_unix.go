//go:build unix && !linux

package main

import "syscall"

// childAttributes keeps Ctrl-C in a terminal from the children, which are told
// by us.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
