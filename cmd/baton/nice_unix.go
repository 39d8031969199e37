//go:build unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// stormNiceness is how far the clients of a storm stand back: were they on machines of
// their own, as those of a real storm are, they would take no processor from the node.
const stormNiceness = 10

// standBack lowers the priority of this process. That is a thread's own, so the process
// begins once more on the one that has it.
func standBack(mark string) error {
	if os.Getenv(mark) != "" {
		return nil
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this binary: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, stormNiceness); err != nil {
		return fmt.Errorf("the priority: %w", err)
	}
	return syscall.Exec(binary, os.Args, append(os.Environ(), mark+"=1")) //nolint:gosec // Itself.
}
