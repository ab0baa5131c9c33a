package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// largestSessions bounds max_sessions; sshd's own MaxStartups and MaxSessions are far below it.
const largestSessions = 1000

// What goes to the ssh client as an argument must not look like an option and must not hold a blank or a control
// character (ssh(1): a destination is [user@]hostname or a URI; -J takes a list separated by commas).
var (
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.$@\\-]*$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$`)
	jumpPattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.$\\-]*@)?[A-Za-z0-9_:\[][A-Za-z0-9_.:%\]-]*$`)
)

func connectionBlock() entry {
	return entry{refer: referToConnection, check: checkConnections, BlockType: BlockType{
		Name:  "connection",
		Label: "a name for this way of reaching nodes",
		Doc:   "Says how to reach nodes. The system's own `ssh` is used, so what is not said here comes from `~/.ssh/config`. A node without a connection is reached by plain `ssh HOST`.",
		Example: `connection "bastion" {
  user        = "ops"
  become      = true
  proxy_jump  = "ops@bastion.example.net"
  known_hosts = "known_hosts"
}
`,
		Schema: Schema{Attributes: []Attribute{
			{Name: "transport", Type: cty.String, Default: cty.StringVal("ssh"), OneOf: []string{"ssh", "local"}, Doc: "`ssh`, or `local` for the machine that upkeep runs on."},
			{Name: "user", Type: cty.String, Doc: "The user to log in as."},
			{Name: "port", Type: cty.Number, Doc: "The port of the ssh server."},
			{Name: "become", Type: cty.Bool, Default: cty.False, Doc: "Become root by `sudo -n`. Needed where the user is not root."},
			{Name: "proxy_jump", Type: cty.String, Doc: "Jump hosts, `[user@]host[:port]`, separated by commas, as `ssh -J` takes them."},
			{Name: "known_hosts", Type: cty.String, Doc: "The file of host keys, relative to the configuration directory. Host keys are always checked."},
			{Name: "identity", Type: cty.String, Doc: "The private key file, relative to the configuration directory. An agent or `~/.ssh/config` serves where it is not set."},
			{Name: "ssh_config", Type: cty.String, Doc: "A configuration file for ssh, relative to the configuration directory, instead of `~/.ssh/config`."},
			{Name: "access", Type: cty.String, Default: cty.StringVal("full"), OneOf: []string{"full", "restricted"}, Doc: "`full`: the helper program is sent to the node. `restricted`: it is installed there, and sudoers has a line for each class of requests (`upkeep access -print`)."},
			{Name: "max_sessions", Type: cty.Number, Default: cty.NumberIntVal(8), Doc: "How many sessions may go through one jump host at a time."},
		}},
		Decode: decodeConnection,
	}}
}

// ValidUser reports whether a word can be the user that ssh logs in as.
func ValidUser(user string) bool { return userPattern.MatchString(user) }

// ValidJump reports whether every hop of a list for `ssh -J` is one.
func ValidJump(jump string) bool {
	for hop := range strings.SplitSeq(jump, ",") {
		if !validHop(hop) {
			return false
		}
	}
	return true
}

// validHop reports whether [user@]host[:port] is right in all of its parts; an IPv6 address with a port stands in
// brackets.
func validHop(hop string) bool {
	if !jumpPattern.MatchString(hop) {
		return false
	}
	host := hop[strings.LastIndex(hop, "@")+1:]
	if strings.HasSuffix(host, "]") {
		return strings.HasPrefix(host, "[") && ValidHost(host[1:len(host)-1])
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		number, err := strconv.ParseUint(port, 10, 16)
		return err == nil && number > 0 && ValidHost(name)
	}
	return ValidHost(host)
}

func decodeConnection(b Block) (any, hcl.Diagnostics) {
	port, diags := b.Integer("port", 1, 65535)
	sessions, more := b.Integer("max_sessions", 1, largestSessions)
	diags = append(diags, more...)
	check := func(name string, right func(string) bool, word, wanted string) {
		if !right(word) {
			diags = append(diags, b.Diagnose(name, "Invalid "+name, "\""+word+"\" is not "+wanted+"."))
		}
	}
	if user := b.String("user"); user != "" {
		check("user", userPattern.MatchString, user, "a user name")
	}
	if jump := b.String("proxy_jump"); jump != "" {
		for hop := range strings.SplitSeq(jump, ",") {
			check("proxy_jump", validHop, strings.TrimSpace(hop), "a jump host; write [user@]host[:port]")
		}
	}
	if b.String("transport") == "local" {
		for _, name := range []string{"user", "port", "proxy_jump", "known_hosts", "identity", "ssh_config"} {
			if _, set := b.Ranges[name]; set && !b.attribute(name).IsNull() {
				diags = append(diags, b.Diagnose(name, "Argument without effect", "\""+name+"\" is for ssh, and the transport is \"local\". Remove one of them."))
			}
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return Connection{
		Name:        Reference{Name: b.Name, Key: b.Key}.instance(),
		Transport:   b.String("transport"),
		User:        b.String("user"),
		Port:        port,
		Become:      b.Bool("become"),
		ProxyJump:   strings.ReplaceAll(b.String("proxy_jump"), " ", ""),
		KnownHosts:  b.String("known_hosts"),
		Identity:    b.String("identity"),
		SSHConfig:   b.String("ssh_config"),
		Access:      b.String("access"),
		MaxSessions: sessions,
		Position:    PositionOf(b.DefRange, b.Directory),
	}, nil
}

func (c Connection) enter(l *loader, _ Block) {
	c.KnownHosts, c.Identity, c.SSHConfig = l.path(c.KnownHosts), l.path(c.Identity), l.path(c.SSHConfig)
	l.desired.Connections = append(l.desired.Connections, c)
}

func referToConnection(r Reference) cty.Value { return cty.CapsuleVal(ConnectionType, &r) }

// checkConnections reports what must not reach ssh.
func checkConnections(d Desired) error {
	names := map[string]bool{"": true}
	for _, c := range d.Connections {
		switch {
		case names[c.Name]:
			return fmt.Errorf("connection %q: the name is empty or occurs twice", c.Name)
		case c.Transport != "ssh" && c.Transport != "local":
			return fmt.Errorf("connection %q: %q is not a transport", c.Name, c.Transport)
		case c.Access != "full" && c.Access != "restricted":
			return fmt.Errorf("connection %q: %q is not a kind of access", c.Name, c.Access)
		case c.User != "" && !userPattern.MatchString(c.User):
			return fmt.Errorf("connection %q: %q is not a user name", c.Name, c.User)
		case c.ProxyJump != "" && !ValidJump(c.ProxyJump):
			return fmt.Errorf("connection %q: %q is not a list of jump hosts", c.Name, c.ProxyJump)
		case c.Port < 0 || c.Port > 65535 || c.MaxSessions < 0 || c.MaxSessions > largestSessions:
			return fmt.Errorf("connection %q: the port or max_sessions is out of range", c.Name)
		}
		names[c.Name] = true
	}
	return nil
}

// connects reports whether a connection of a name is declared; the empty name is plain ssh.
func (d Desired) connects(name string) bool {
	return name == "" || slices.ContainsFunc(d.Connections, func(c Connection) bool { return c.Name == name })
}
