package node

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"upkeep/config"
)

// The transports of a Target.
const (
	TransportSSH   = "ssh"   // the system's ssh client
	TransportLocal = "local" // this machine
)

// The kinds of access of a Target.
const (
	AccessFull       = "full"       // root, or sudo for everything: the helper is streamed in
	AccessRestricted = "restricted" // the helper is installed, and sudo allows that one file
)

// defaultMaxSessions is how many sessions go through one jump host at a time: below sshd's MaxStartups 10:30:100, above
// which sshd drops handshakes at random (sshd_config(5), OpenSSH 9.2).
const defaultMaxSessions = 8

// Target is one node and how to reach it.
type Target struct {
	// Name is the node's name in the configuration; errors carry it.
	Name string
	// Host is an IP address, a DNS name or an alias of ~/.ssh/config. The local transport does not need it.
	Host string
	// Transport is TransportSSH or TransportLocal; empty is ssh.
	Transport string
	// Connection is the name of the connection, for error messages.
	Connection string
	// User and Port are ssh's; empty and 0 leave them to ~/.ssh/config.
	User string
	Port int
	// Become runs the helper as root by `sudo -n`.
	Become bool
	// ProxyJump is [user@]host[:port], or several of them with commas, as in ssh_config(5).
	ProxyJump string
	// KnownHosts, Identity and SSHConfig are absolute paths; empty leaves them to ssh.
	KnownHosts, Identity, SSHConfig string
	// Access is AccessFull or AccessRestricted; empty is full.
	Access string
	// MaxSessions limits the sessions at a time through the jump host; 0 is 8.
	MaxSessions int
}

// TargetOf joins a node and its connection. The zero Connection is plain ssh as the operator's ~/.ssh/config has it.
func TargetOf(n config.Node, c config.Connection) Target {
	return Target{
		Name: n.Name, Host: n.Host, Transport: c.Transport, Connection: c.Name, User: c.User, Port: c.Port, Become: c.Become,
		ProxyJump: c.ProxyJump, KnownHosts: c.KnownHosts, Identity: c.Identity, SSHConfig: c.SSHConfig,
		Access: c.Access, MaxSessions: c.MaxSessions,
	}
}

// Check refuses a target that could not be handed to ssh safely. Hosts may come from the cluster, so nothing in them is
// trusted: a host is an IP address or a DNS name, and never an option or a piece of shell.
func (t Target) Check() error {
	switch t.Access {
	case "", AccessFull, AccessRestricted:
	default:
		return fmt.Errorf("access %q is neither %q nor %q", t.Access, AccessFull, AccessRestricted)
	}
	switch t.Transport {
	case TransportLocal:
		return nil
	case "", TransportSSH:
	default:
		return fmt.Errorf("transport %q is neither %q nor %q", t.Transport, TransportSSH, TransportLocal)
	}
	if t.Host == "" {
		return fmt.Errorf("the node has no host")
	}
	if !isHost(t.Host) {
		return fmt.Errorf("host %q is neither an IP address nor a DNS name", t.Host)
	}
	if t.User != "" && !isUser(t.User) {
		return fmt.Errorf("user %q is not a user name", t.User)
	}
	if t.Port < 0 || t.Port > 65535 {
		return fmt.Errorf("port %d is not a TCP port", t.Port)
	}
	if t.ProxyJump != "" {
		for hop := range strings.SplitSeq(t.ProxyJump, ",") {
			if _, err := parseJump(hop); err != nil {
				return err
			}
		}
	}
	for _, p := range []struct{ argument, path string }{{"known_hosts", t.KnownHosts}, {"identity", t.Identity}, {"ssh_config", t.SSHConfig}} {
		// ssh expands % and ${} in these paths and splits them at quotes (ssh_config(5), TOKENS).
		if strings.ContainsAny(p.path, "\"'%$\\\n\r\x00") {
			return fmt.Errorf("%s: the path %q has a quote, %%, $, backslash or line break in it, which ssh would interpret", p.argument, p.path)
		}
	}
	return nil
}

// jumpKey names what the sessions of this target share, empty for nothing: the jump host, or, where it may be hidden in
// ~/.ssh/config, the connection that declared a limit.
func (t Target) jumpKey() string {
	switch {
	case t.Transport == TransportLocal:
		return ""
	case t.ProxyJump != "":
		return t.ProxyJump
	case t.MaxSessions > 0:
		return "connection." + t.Connection
	default:
		return ""
	}
}

func (t Target) maxSessions() int {
	if t.MaxSessions > 0 {
		return t.MaxSessions
	}
	return defaultMaxSessions
}

// jump is one hop of a ProxyJump.
type jump struct {
	user, host, port string
}

// parseJump reads [user@]host[:port]; an IPv6 address with a port stands in brackets.
func parseJump(s string) (jump, error) {
	var j jump
	rest := s
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		j.user, rest = rest[:i], rest[i+1:]
		if !isUser(j.user) {
			return jump{}, fmt.Errorf("proxy_jump %q: %q is not a user name", s, j.user)
		}
	}
	j.host = rest
	switch {
	case strings.HasPrefix(rest, "["):
		host, port, ok := strings.Cut(rest[1:], "]")
		if !ok || port != "" && port[0] != ':' {
			return jump{}, fmt.Errorf("proxy_jump %q: write [ADDRESS]:PORT", s)
		}
		j.host, j.port = host, strings.TrimPrefix(port, ":")
	case strings.Count(rest, ":") == 1:
		j.host, j.port, _ = strings.Cut(rest, ":")
	}
	if !isHost(j.host) {
		return jump{}, fmt.Errorf("proxy_jump %q: host %q is neither an IP address nor a DNS name", s, j.host)
	}
	if j.port != "" && !isPort(j.port) {
		return jump{}, fmt.Errorf("proxy_jump %q: %q is not a port", s, j.port)
	}
	return j, nil
}

// isHost accepts IP addresses, with a zone of plain characters, and DNS names (RFC 1123, and underscores, which aliases
// of ~/.ssh/config have).
func isHost(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Zone() == "" || zonePattern.MatchString(a.Zone())
	}
	return len(s) <= 253 && namePattern.MatchString(s)
}

func isUser(s string) bool { return len(s) <= 128 && userPattern.MatchString(s) }

func isPort(s string) bool { return portPattern.MatchString(s) }

var (
	zonePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$`)
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$`)
	portPattern = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
)
