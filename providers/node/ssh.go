package node

import (
	"regexp"
	"strconv"
	"strings"
)

// strictOptions stand before everything the operator configured, because ssh keeps the first value of an option: no
// prompt, no unknown or changed host key, no agent and no port forwarded to a node, no command of ~/.ssh/config instead
// of ours. The rest of ~/.ssh/config (ProxyJump, ControlMaster, certificates, agents) works as the operator set it up.
func strictOptions() []string {
	return []string{
		"-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "RemoteCommand=none",
		"-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes",
	}
}

// sshArguments returns the arguments of the ssh client that runs a command on a target. The target is checked.
func sshArguments(program string, t Target, command string) []string {
	args := append(strictOptions(), connectionOptions(t)...)
	if t.Port != 0 {
		args = append(args, "-p", strconv.Itoa(t.Port))
	}
	if t.User != "" {
		args = append(args, "-l", t.User)
	}
	if t.ProxyJump != "" {
		args = append(args, "-o", "ProxyCommand="+proxyCommand(program, t, strings.Split(t.ProxyJump, ",")))
	}
	return append(args, "--", t.Host, command)
}

// connectionOptions are the options that hold for the node and for every jump host before it.
func connectionOptions(t Target) []string {
	var args []string
	if t.SSHConfig != "" {
		args = append(args, "-F", t.SSHConfig)
	}
	if t.Identity != "" {
		args = append(args, "-i", t.Identity)
	}
	if t.KnownHosts != "" {
		args = append(args, "-o", `UserKnownHostsFile="`+t.KnownHosts+`"`)
	}
	return args
}

// proxyCommand is what ssh -J would run, made here because -J hands the jump host neither the known hosts file nor the
// identity, and lets it ask on the terminal about an unknown host key (ssh(1), OpenSSH 9.2: "configuration directives
// supplied on the command-line generally apply to the destination host and not any specified jump hosts").
//
// ssh expands % in the value; each level of nesting doubles it.
func proxyCommand(program string, t Target, hops []string) string {
	last, before := hops[len(hops)-1], hops[:len(hops)-1]
	j, err := parseJump(last)
	if err != nil {
		panic("unchecked target: " + err.Error()) // Check came first
	}
	words := append([]string{program, "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "RemoteCommand=none",
		"-o", "ForwardAgent=no"}, connectionOptions(t)...)
	if j.port != "" {
		words = append(words, "-p", j.port)
	}
	if j.user != "" {
		words = append(words, "-l", j.user)
	}
	if len(before) > 0 {
		words = append(words, "-o", "ProxyCommand="+strings.ReplaceAll(proxyCommand(program, t, before), "%", "%%"))
	}
	words = append(words, "-W", "[%h]:%p", "--", j.host)
	return quoteAll(words)
}

// quoteAll joins words to one command of a POSIX shell.
func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// quote makes one word of a shell command of s. Single quotes mean the same in POSIX shells, csh and fish as long as the
// text has neither quote, backslash nor exclamation mark.
func quote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
