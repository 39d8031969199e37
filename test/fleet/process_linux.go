package fleet

import "syscall"

// childAttributes has children killed when this process dies without a word, as
// at the end of a test's time.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
