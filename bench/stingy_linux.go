package bench

import "syscall"

// setStingy has a socket that is not connected yet take little: the sizes are those of
// slowReceiveBuffer and slowSegment. Segments are small because the other side's buffer
// grows with them, on loopback to megabytes.
func setStingy(descriptor uintptr) error {
	if err := syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, slowReceiveBuffer); err != nil {
		return err
	}
	return syscall.SetsockoptInt(int(descriptor), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, slowSegment)
}
