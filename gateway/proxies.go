package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the addresses that are believed whom they connect for.
type proxies []netip.Prefix

// CheckProxy says what is wrong with an entry of Config.TrustedProxies, before there
// is a Gateway to make.
func CheckProxy(listed string) error {
	_, err := parseProxies([]string{listed})
	return err
}

func parseProxies(listed []string) (proxies, error) {
	trusted := make(proxies, 0, len(listed))
	for _, text := range listed {
		prefix, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil {
			prefix, err = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("gateway: trusted proxy %q must look like 10.0.0.0/8 or 10.1.2.3", text)
		}
		trusted = append(trusted, prefix.Masked())
	}
	return trusted, nil
}

func (p proxies) trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// addressOf is the address of a request's client: that of the socket, or what a
// header of the PROXY protocol said in its place; where it is a trusted proxy's, the
// last one in X-Forwarded-For that is not. Each proxy adds whom it was asked by at the
// end, so what is farther to the left anybody may have written.
func (g *Gateway) addressOf(r *http.Request) netip.Addr {
	addr := parseAddress(r.RemoteAddr)
	if len(g.proxies) == 0 {
		return addr
	}
	for _, line := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for list := line; list != ""; {
			if !g.proxies.trusts(addr) {
				return addr
			}
			at := strings.LastIndexByte(list, ',')
			before := parseAddress(strings.TrimSpace(list[at+1:]))
			if !before.IsValid() {
				return addr // What a trusted proxy did not write, nothing before it can be believed.
			}
			addr, list = before, list[:max(at, 0)]
		}
	}
	return addr
}

// parseAddress reads an address with or without a port.
func parseAddress(text string) netip.Addr {
	if pair, err := netip.ParseAddrPort(text); err == nil {
		return pair.Addr().Unmap()
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// fromOf is where a request came from, as logs have it: with the port where that is
// the client's own.
func (g *Gateway) fromOf(r *http.Request) string {
	addr := g.addressOf(r)
	if !addr.IsValid() || addr == parseAddress(r.RemoteAddr) {
		return r.RemoteAddr
	}
	return addr.String()
}

// addressIn is the address of a socket's end; not valid for one that has none.
func addressIn(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
