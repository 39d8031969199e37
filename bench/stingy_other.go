//go:build !linux

package bench

// setStingy leaves the socket as it is: what the system's buffers take is not sent slowly.
func setStingy(uintptr) error { return nil }
