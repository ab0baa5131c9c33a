package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers/certificates"
	clusterhealth "upkeep/providers/cluster"
	"upkeep/providers/node"
)

// connectionFlags are a connection block's arguments as flags, for nodes that no file declares.
func connectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "user", Usage: "log in as `USER` where the host names none"},
		&cli.IntFlag{Name: "port", Usage: "the ssh server's `PORT` where the host names none"},
		&cli.StringFlag{Name: "identity", Usage: "the private key `FILE`; an agent or ~/.ssh/config serves where it is not given"},
		&cli.StringFlag{Name: "known-hosts", Usage: "the `FILE` of host keys; host keys are always checked"},
		&cli.StringFlag{Name: "proxy-jump", Usage: "jump hosts as `ssh -J` takes them: `[USER@]HOST[:PORT],...`"},
		&cli.StringFlag{Name: "ssh-config", Usage: "a configuration `FILE` for ssh instead of ~/.ssh/config"},
		&cli.BoolFlag{Name: "become", Usage: "become root by `sudo -n` where the user is not root"},
	}
}

// doctorNodes returns the hosts of the command line as nodes: one connection for each user and port.
func doctorNodes(cmd *cli.Command, directory string, hosts []string) (connections []config.Connection, nodes []config.Node, err error) {
	for _, text := range hosts {
		user, host, port, err := splitHost(text)
		if err != nil {
			return nil, nil, err
		}
		c := config.Connection{
			Transport: node.TransportSSH, Access: node.AccessFull, User: user, Port: port, Become: cmd.Bool("become"), ProxyJump: cmd.String("proxy-jump"),
			Identity: absolute(directory, cmd.String("identity")), KnownHosts: absolute(directory, cmd.String("known-hosts")), SSHConfig: absolute(directory, cmd.String("ssh-config")),
		}
		if c.User == "" {
			c.User = cmd.String("user")
		}
		if c.Port == 0 {
			c.Port = cmd.Int("port")
		}
		i := slices.IndexFunc(connections, func(other config.Connection) bool { c.Name = other.Name; return c == other })
		if i < 0 {
			c.Name = "nodes"
			if len(connections) > 0 {
				c.Name += strconv.Itoa(len(connections) + 1)
			}
			connections = append(connections, c)
		}
		n := config.Node{Name: nodeName(host), Block: "control_plane", Host: host, Roles: []string{"control-plane", "etcd"}, Connection: c.Name}
		if slices.ContainsFunc(nodes, func(other config.Node) bool { return other.Name == n.Name }) {
			return nil, nil, usage(cmd, "%s is named twice", host)
		}
		if err := node.TargetOf(n, c).Check(); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", text, err)
		}
		nodes = append(nodes, n)
	}
	return connections, nodes, nil
}

func absolute(directory, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(directory, path)
}

// splitHost reads [USER@]HOST[:PORT]; an IPv6 address with a port stands in brackets.
func splitHost(text string) (user, host string, port int, err error) {
	host = text
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		user, host = text[:i], text[i+1:]
		if user == "" {
			return "", "", 0, fmt.Errorf("%q: there is no user before @; write USER@HOST", text)
		}
	}
	bracketed := strings.HasPrefix(host, "[")
	if bracketed && strings.HasSuffix(host, "]") {
		return user, host[1 : len(host)-1], 0, nil
	}
	if bracketed || strings.Count(host, ":") == 1 {
		name, digits, err := net.SplitHostPort(host)
		if err != nil {
			return "", "", 0, fmt.Errorf("%q: write [USER@]HOST[:PORT]: %w", text, err)
		}
		port, err := strconv.Atoi(digits)
		if err != nil || port < 1 || port > 65535 {
			return "", "", 0, fmt.Errorf("%q: %q is not a port", text, digits)
		}
		return user, name, port, nil
	}
	return user, host, 0, nil
}

// nodeName makes a name that may stand in an address of a host; only an IPv6 address changes.
func nodeName(host string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			return r
		}
		return '-'
	}, host)
	return strings.TrimLeft(name, "._-")
}

// doctorResources declares what upkeep can watch of a cluster and of control planes.
func doctorResources(desired config.Desired, before config.Duration) []config.Declared {
	var out []config.Declared
	if desired.Cluster != nil {
		out = append(out, config.Declared{Type: "cluster", Name: "this", Value: clusterhealth.Spec{
			Name: "this", Alone: len(desired.Nodes) == 0, RenewBefore: before,
		}})
	}
	if len(desired.Nodes) > 0 {
		out = append(out, config.Declared{Type: "certificates", Name: "control_plane", Value: certificates.Spec{
			Name: "control_plane", Layout: "auto", Nodes: config.Selection{Roles: []string{"control-plane"}}, RenewBefore: before,
			Kubeconfigs: []string{rootKubeconfig},
		}})
	}
	return out
}

// rootKubeconfig is where kubeadm tells people to copy admin.conf to, when they are root.
const rootKubeconfig = "/root/.kube/config"
