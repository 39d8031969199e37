package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// origins decides who may talk to a node from a browser. A node on a
// developer's machine must not be reachable for any page on the internet that
// the developer happens to open.
type origins struct {
	all     bool
	allowed map[string]bool // origins, as browsers spell them
	hosts   map[string]bool // their host names
}

// CheckOrigin says what is wrong with an entry of Config.AllowedOrigins, before
// there is a Gateway to make.
func CheckOrigin(origin string) error {
	_, err := parseOrigins([]string{origin})
	return err
}

func parseOrigins(listed []string) (origins, error) {
	o := origins{allowed: make(map[string]bool), hosts: make(map[string]bool)}
	for _, origin := range listed {
		if origin == "*" {
			o.all = true
			continue
		}
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return o, fmt.Errorf("gateway: allowed origin %q must look like https://app.example.com", origin)
		}
		o.allowed[strings.ToLower(parsed.Scheme+"://"+parsed.Host)] = true
		o.hosts[strings.ToLower(parsed.Hostname())] = true
	}
	return o, nil
}

// check says why a request may not come in; empty for it may.
func (o *origins) check(r *http.Request) string {
	if o.all {
		return ""
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && isLoopbackAddr(local) {
		// A page whose name was rebound to this machine says that name here.
		if host := hostName(r.Host); !isLocalName(host) && !o.hosts[host] {
			return fmt.Sprintf("host %q is not this machine's; list its origin as an allowed one", clip(host, 64))
		}
	}
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Method != http.MethodGet && r.Method != http.MethodHead {
			return "a page of another site may not do this"
		}
		return ""
	case o.allowedOrigin(origin):
		return ""
	default:
		return fmt.Sprintf("origin %q is not allowed; list it as an allowed origin", clip(origin, 64))
	}
}

func (o *origins) allowedOrigin(origin string) bool {
	if o.all || o.allowed[strings.ToLower(origin)] {
		return true
	}
	parsed, err := url.Parse(origin)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return false
	}
	return isLocalName(strings.ToLower(parsed.Hostname()))
}

// hostName is a Host header without port and brackets, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func isLocalName(name string) bool {
	if name == "localhost" {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

func isLoopbackAddr(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
