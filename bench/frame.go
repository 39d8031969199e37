package bench

import (
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/gobwas/ws"
)

// socketURL is the WebSocket of a node named by an http or ws URL, with or without /ws.
func socketURL(node string) string {
	if rest, plain := strings.CutPrefix(node, "http"); plain {
		node = "ws" + rest
	}
	return strings.TrimSuffix(strings.TrimSuffix(node, "/ws"), "/") + "/ws"
}

// maxFrame is more than a node says to who asks nothing: welcome names every node.
const maxFrame = 1 << 20

func readFrame(from io.Reader) (frame ws.Frame, err error) {
	if frame.Header, err = ws.ReadHeader(from); err != nil {
		return frame, err
	}
	if frame.Header.Length > maxFrame {
		return frame, fmt.Errorf("the node sent a frame of %d bytes", frame.Header.Length)
	}
	frame.Payload = make([]byte, frame.Header.Length)
	_, err = io.ReadFull(from, frame.Payload)
	return frame, err
}

// say writes a message in a text frame of its own.
func say(conn net.Conn, message []byte) error {
	_, err := conn.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame(message))))
	return err
}
