package node

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Error says why a node could not be asked, or what it answered instead.
type Error struct {
	Node string
	// Why is what came back, without the node's name: "no answer in 10s".
	Why string
	// Next is what to do next, with the exact command where there is one; empty where nobody can know.
	Next string
	// Cause is the error behind it; nil where the reason was only text.
	Cause error

	// dropped: the other side dropped the handshake before anything ran, and may take the next one.
	dropped bool
	// lost: the session ended, or broke off, before the answer came.
	lost bool
	// answered: the helper itself said this.
	answered bool
}

// Error returns the node, the reason and what to do.
func (e *Error) Error() string {
	s := e.Node + ": " + e.Why
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// The messages of ssh(1) (OpenSSH 8.2 to 10) that tell why a connection failed.
var (
	unknownKey  = regexp.MustCompile(`No (\S+) host key is known for (\S+) and you have requested strict checking`)
	changedKey  = regexp.MustCompile(`REMOTE HOST IDENTIFICATION HAS CHANGED`)
	changedHost = regexp.MustCompile(`Host key for (\S+) has changed`)
	denied      = regexp.MustCompile(`(?:(\S+@\S+): )?Permission denied \([^)]*\)|Too many authentication failures`)
	unreachable = regexp.MustCompile(`(?m)^(?:ssh: )?(?:connect to host .*|Could not resolve hostname .*|.*stdio forwarding failed.*|channel \d+: open failed: .*)$`)
	dropped     = regexp.MustCompile(`kex_exchange_identification|ssh_exchange_identification|banner exchange|Connection (?:closed|reset) by|Connection reset by peer|Session open refused by peer|Not allowed at this time`)
	sudoRefused = regexp.MustCompile(`(?m)^(?:sudo: .*|Sorry, user .* is not allowed to execute .*|.* is not in the sudoers file.*)$`)
)

// sshFailed is how ssh(1) exits for an error of its own; every other status is the remote command's.
const sshFailed = 255

// explain turns the way a child ended before its session started into an error. Authentication and host keys are looked
// for first: such a refusal is final, whatever else ssh said.
//
// Standard error carries what ssh says and what the node says, and nothing tells them apart. So only ssh's own exit status
// makes a message ssh's, and what upkeep advises names no host and no file that the configuration does not name.
func explain(t Target, installed string, exitCode int, stderr string) *Error {
	e := &Error{Node: t.Name}
	login, verbose := loginCommand(t), loginCommand(t, "-v")
	if t.Transport != TransportLocal && exitCode == sshFailed {
		switch {
		case changedKey.MatchString(stderr):
			host, ok := hostOf(t, changedHost, stderr)
			e.Why = fmt.Sprintf("the host key of %s is not the one that is known", host)
			e.Next = fmt.Sprintf("see which line with: %s true", verbose)
			if ok {
				file := ""
				if t.KnownHosts != "" {
					file = " -f " + quote(t.KnownHosts)
				}
				e.Next = fmt.Sprintf("if the machine was reinstalled, verify its key on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and then run: ssh-keygen -R %s%s", quote(host), file)
			}
			return e
		case strings.Contains(stderr, "Host key verification failed"):
			host, ok := hostOf(t, unknownKey, stderr)
			e.Why = fmt.Sprintf("the host key of %s is not known", host)
			e.Next = fmt.Sprintf("see which host with: %s true", verbose)
			if ok {
				e.Next = fmt.Sprintf("run: %s; compare it with the machine's console before you keep it", scanCommand(t, host))
			}
			return e
		case denied.MatchString(stderr):
			e.Why = "ssh: " + said(denied.FindString(stderr))
			e.Next = fmt.Sprintf("see why with: %s true (or let `upkeep access -print` show how to set the user up)", verbose)
			return e
		case unreachable.MatchString(stderr):
			e.Why = "ssh: " + said(strings.TrimPrefix(strings.TrimSpace(unreachable.FindString(stderr)), "ssh: "))
			e.Next = fmt.Sprintf("see why with: %s true", verbose)
			return e
		case dropped.MatchString(stderr):
			e.Why = "ssh: the connection was dropped before it was set up: " + said(lastLine(stderr))
			e.Next = "if this goes on, lower max_sessions of the connection or raise MaxStartups in the server's sshd_config"
			e.dropped = true
			return e
		}
	}
	switch {
	case sudoRefused.MatchString(stderr) && t.Access == AccessRestricted:
		e.Why = fmt.Sprintf("sudo does not run %s: %s", installed, said(sudoRefused.FindString(stderr)))
		e.Next = fmt.Sprintf("sudoers has no line for this class of requests, or the file is missing or has another digest; compare `%s sha256sum %s` with `upkeep access -print`", login, installed)
	case sudoRefused.MatchString(stderr):
		e.Why = said(sudoRefused.FindString(stderr))
		e.Next = fmt.Sprintf("sudo must work without a password; try: %s sudo -n true (`upkeep access -print` shows the sudoers line)", login)
	case lastLine(stderr) != "":
		e.Why = fmt.Sprintf("the session did not start (exit status %s): %s", status(exitCode), said(lastLine(stderr)))
	default:
		e.Why = fmt.Sprintf("the session did not start (exit status %s) and nothing said why", status(exitCode))
		e.Next = fmt.Sprintf("see why with: %s true", verbose)
	}
	return e
}

// hostOf returns the host that a message of ssh names, as ssh names it, and whether advice may name it: it must be the
// target or one of its jump hosts. Else it is the target, which is what was asked for: a name of ~/.ssh/config may stand
// for another host.
func hostOf(t Target, message *regexp.Regexp, stderr string) (host string, ok bool) {
	m := message.FindStringSubmatch(stderr)
	if m == nil {
		return t.Host, true
	}
	names := m[len(m)-1]
	for _, known := range hostsOf(t) {
		if names == known {
			return names, true
		}
	}
	return t.Host, false
}

// hostsOf are the target and its jump hosts as ssh names them: HOST, and [HOST]:PORT where the port is not 22.
func hostsOf(t Target) []string {
	names := []string{t.Host}
	if t.Port != 0 {
		names = append(names, "["+t.Host+"]:"+strconv.Itoa(t.Port))
	}
	if t.ProxyJump == "" {
		return names
	}
	for _, hop := range strings.Split(t.ProxyJump, ",") {
		j, _ := parseJump(hop) // Check came first
		names = append(names, j.host)
		if j.port != "" {
			names = append(names, "["+j.host+"]:"+j.port)
		}
	}
	return names
}

func status(exitCode int) string {
	if exitCode < 0 {
		return "none, it was killed"
	}
	return strconv.Itoa(exitCode)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return oneLine(lines[len(lines)-1])
}

// loginCommand is what a person types to get where upkeep wanted to go; the command to run there follows it.
func loginCommand(t Target, options ...string) string {
	if t.Transport == TransportLocal {
		return ""
	}
	words := append(append([]string{"ssh"}, options...), connectionOptions(t)...)
	if t.Port != 0 {
		words = append(words, "-p", strconv.Itoa(t.Port))
	}
	if t.User != "" {
		words = append(words, "-l", t.User)
	}
	if t.ProxyJump != "" {
		words = append(words, "-J", t.ProxyJump)
	}
	return quoteAll(append(words, t.Host))
}

// scanCommand is what a person types to see a host's key: from here, or from the jump host where there is one. The host
// is as ssh names it: [HOST]:PORT where the port is not 22.
func scanCommand(t Target, host string) string {
	words := []string{"ssh-keyscan"}
	bare, port, ok := strings.Cut(strings.TrimPrefix(host, "["), "]:")
	if !ok && host == t.Host && t.Port != 0 && t.Port != 22 {
		port = strconv.Itoa(t.Port)
	}
	if port != "" {
		words = append(words, "-p", port)
	}
	command := quoteAll(append(words, bare))
	if t.ProxyJump != "" {
		hops := strings.Split(t.ProxyJump, ",")
		j, _ := parseJump(hops[len(hops)-1]) // Check came first
		if j.host != bare {                  // a jump host's own key is seen from here
			command = loginCommand(jumpTarget(t, j, hops[:len(hops)-1])) + " " + command
		}
	}
	file := "~/.ssh/known_hosts"
	if t.KnownHosts != "" {
		file = quote(t.KnownHosts)
	}
	return command + " >> " + file
}

// jumpTarget is the last jump host of a target as a target of its own.
func jumpTarget(t Target, j jump, before []string) Target {
	port, _ := strconv.Atoi(j.port) // parseJump checked it; empty is 0
	return Target{Name: j.host, Host: j.host, User: j.user, Port: port, ProxyJump: strings.Join(before, ","),
		KnownHosts: t.KnownHosts, Identity: t.Identity, SSHConfig: t.SSHConfig}
}
