package bench

import (
	"os"
	"syscall"
)

// syncData makes a file's bytes durable.
func syncData(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }
