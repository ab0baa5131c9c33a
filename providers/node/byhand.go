package node

import (
	"strconv"
	"strings"
)

// ShellCommand returns the command line of a POSIX shell by which a person runs a script, read from standard input, on a
// target as root: the system's ssh client with the target's own user, port, jump hosts and files. Unlike a session of
// upkeep it may ask for a passphrase on the terminal. An error says why the target could not be handed to ssh safely.
func ShellCommand(t Target) (string, error) {
	if err := t.Check(); err != nil {
		return "", err
	}
	shell := []string{"sh", "-s"}
	if t.Become {
		shell = []string{"sudo", "-n", "sh", "-s"}
	}
	if t.Transport == TransportLocal {
		return quoteAll(shell), nil
	}
	words := append([]string{"ssh", "-T", "-o", "StrictHostKeyChecking=yes", "-o", "RemoteCommand=none", "-o", "ForwardAgent=no"}, connectionOptions(t)...)
	if t.Port != 0 {
		words = append(words, "-p", strconv.Itoa(t.Port))
	}
	if t.User != "" {
		words = append(words, "-l", t.User)
	}
	switch {
	case t.ProxyJump == "":
	case t.KnownHosts == "" && t.Identity == "":
		words = append(words, "-J", t.ProxyJump) // ssh hands -F on to its jump hosts, and nothing else (ssh(1))
	default:
		words = append(words, "-o", "ProxyCommand="+proxyCommand("ssh", t, strings.Split(t.ProxyJump, ",")))
	}
	return quoteAll(append(words, "--", t.Host, quoteAll(shell))), nil
}
