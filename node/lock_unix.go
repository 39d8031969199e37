//go:build unix

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDirectory makes sure that one process uses a data directory. The lock
// goes with the process.
func lockDirectory(dir string) (unlock func() error, err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // The operator names the data directory.
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, &ConfigError{
			"data", fmt.Sprintf("the directory %s is in use by another process", dir),
			"stop that one, or give this node a --data directory of its own",
		}
	}
	return file.Close, nil
}
