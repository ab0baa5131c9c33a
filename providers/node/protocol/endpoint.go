package protocol

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"upkeep/providers/facts"
)

// ServiceEndpoint is the tunnel to an etcd that the node's layout does not tell and the operator's configuration names: one
// EndpointRequest as a line of JSON goes in, one Answer as a line of JSON comes out, and then, where it is no refusal,
// etcd's bytes.
const ServiceEndpoint = "endpoint"

// EndpointRequest asks for a connection to an etcd.
type EndpointRequest struct {
	facts.EtcdEndpoint
}

// Answer says whether a service gives what was asked for.
type Answer struct {
	// Refused says why not; empty: it follows.
	Refused string `json:"refused,omitempty"`
}

// EndpointAddress returns host:port of the URL at which an etcd takes clients, as it can be configured.
func EndpointAddress(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", fmt.Errorf("%.100q is not where an etcd takes clients; write https://HOST:PORT, such as \"https://10.0.0.21:2379\"", text)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return "", fmt.Errorf("%.100q names no port; etcd takes clients at 2379 where nobody chose another: \"https://%s:2379\"", text, hostOf(u))
	}
	if host := u.Hostname(); net.ParseIP(host) == nil && strings.Trim(host, "0123456789.") == "" {
		return "", fmt.Errorf("%.100q has an address that is none; write it as in \"https://10.0.0.21:2379\"", text)
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && (ip.IsUnspecified() || ip.IsMulticast()) {
		return "", fmt.Errorf("%.100q is no address that can be connected to; write the one that the member advertises", text)
	}
	return net.JoinHostPort(u.Hostname(), u.Port()), nil
}

func hostOf(u *url.URL) string {
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.To4() == nil {
		return "[" + u.Hostname() + "]"
	}
	return u.Hostname()
}

// CheckEndpoint refuses an endpoint that is none, and files that are no place of a control plane's keys: the helper must not
// show a server any other key of the node.
func CheckEndpoint(e facts.EtcdEndpoint) error {
	if _, err := EndpointAddress(e.URL); err != nil {
		return err
	}
	given := 0
	for _, p := range []string{e.CA, e.Certificate, e.Key} {
		if p == "" {
			continue
		}
		given++
		if err := CheckCollect(p); err != nil {
			return err
		}
	}
	if given != 0 && given != 3 {
		return errors.New("the authority, the certificate and the key of an endpoint belong together: name all of them, or none")
	}
	return nil
}
