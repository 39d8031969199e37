//go:build unix

package gateway

import "syscall"

// defaultMaxConnections leaves a thousand descriptors for files and peers.
func defaultMaxConnections() int {
	const reserve, ceiling = 1000, 1_000_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fallbackMaxConnections
	}
	descriptors := int(min(limit.Cur, ceiling))
	return max(descriptors-reserve, descriptors/2, 1)
}
