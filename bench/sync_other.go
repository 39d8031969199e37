//go:build !linux

package bench

import "os"

// syncData makes a file's bytes durable.
func syncData(file *os.File) error { return file.Sync() }
