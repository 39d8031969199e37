package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	// proxyHeaderTimeout is how long a trusted proxy may take for its header, and for the
	// first byte of a connection that has none.
	proxyHeaderTimeout = 5 * time.Second
	// maxProxyHeader bounds what follows the fixed part of a header: addresses and
	// fields, which have room in 2 KiB.
	maxProxyHeader = 2048
	proxyFixed     = 16 // signature, version, family, length
)

// proxySignature begins every header of the PROXY protocol v2. Neither HTTP nor TLS
// begins with any of it.
var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n") //nolint:gochecknoglobals // Go has no constant arrays.

var errProxyHeader = errors.New("gateway: a header of the PROXY protocol that cannot be used")

// proxyStart is the beginning of a connection: the header of a trusted proxy is read
// from it, byte for byte, so that the socket behind is as if there had been none.
//
// It happens with the first use, on the goroutine of the connection, so that a slow
// proxy keeps nobody from being accepted.
type proxyStart struct {
	trusted bool
	logger  *slog.Logger

	once   sync.Once
	begun  bool // the first bytes were looked at; the reader's own
	first  []byte
	client net.Addr // whom the proxy connects for; nil for the socket's own
	err    error
}

// open reads the header, if there is one.
func (p *proxyStart) open(conn net.Conn) {
	if !p.trusted {
		return
	}
	p.once.Do(func() {
		_ = conn.SetReadDeadline(time.Now().Add(proxyHeaderTimeout))
		p.first, p.client, p.err = readProxyHeader(conn)
		_ = conn.SetReadDeadline(time.Time{})
		if errors.Is(p.err, errProxyHeader) {
			p.logger.Warn("a trusted proxy sent a header that cannot be used: the connection is closed",
				"proxy", conn.RemoteAddr().String(), "error", p.err)
		}
	})
}

// read is the connection's Read, until the header and what was taken with it are gone.
func (p *proxyStart) read(conn net.Conn, b []byte) (int, error) {
	p.open(conn)
	if p.err != nil {
		return 0, p.err
	}
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	n, err := conn.Read(b)
	if !p.begun {
		p.begun = true
		if bytes.HasPrefix(b[:n], proxySignature) {
			p.logger.Warn("a header of the PROXY protocol came from an address that is no trusted proxy: the connection is closed",
				"from", conn.RemoteAddr().String(), "remedy", "add the address to --trusted-proxies if it is one")
			return 0, errProxyHeader
		}
	}
	return n, err
}

// readProxyHeader reads a header of the version 2, and nothing behind it. Where there is none it
// returns the byte that it has seen.
func readProxyHeader(conn io.Reader) (first []byte, client net.Addr, err error) {
	header := make([]byte, proxyFixed, 64)
	if _, err = io.ReadFull(conn, header[:1]); err != nil {
		return nil, nil, err
	}
	if header[0] != proxySignature[0] {
		return header[:1], nil, nil
	}
	if _, err = io.ReadFull(conn, header[1:]); err != nil {
		return nil, nil, err
	}
	length := int(binary.BigEndian.Uint16(header[proxyFixed-2:]))
	if !bytes.HasPrefix(header, proxySignature) || length > maxProxyHeader {
		return nil, nil, fmt.Errorf("%w: it is not of version 2, or longer than %d bytes", errProxyHeader, maxProxyHeader)
	}
	header = append(header, make([]byte, length)...)
	if _, err = io.ReadFull(conn, header[proxyFixed:]); err != nil {
		return nil, nil, err
	}
	client, err = clientIn(header)
	return nil, client, err
}

// The bytes of a header's fixed part behind the signature.
const (
	proxyCommandAt = 12 // version and command
	proxyFamilyAt  = 13
	proxyLocal     = 0x20 // version 2, LOCAL
	proxyUnknown   = 0x00 // no family
)

// clientIn is whom a whole header names; nil for nobody: a proxy's own connection, as
// for a health check, and one of no known family are what they look like.
func clientIn(header []byte) (net.Addr, error) {
	if header[proxyCommandAt] == proxyLocal || header[proxyCommandAt] == proxyLocal|1 && header[proxyFamilyAt] == proxyUnknown {
		return nil, nil //nolint:nilnil // Nobody is no error here.
	}
	said, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProxyHeader, err)
	}
	source, _, ok := said.TCPAddrs()
	if !ok {
		return nil, fmt.Errorf("%w: it is not about TCP", errProxyHeader)
	}
	return source, nil
}
